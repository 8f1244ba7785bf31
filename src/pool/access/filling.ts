/** Filling a draft with bytes that are all there, and sealing it. */
import type { Segment } from '../layout/index.js';
import type { DraftPlace, SealOutcome } from './drafts.js';
import type { Writer } from './writer.js';

/**
 * Copies the bytes into a draft in hand that was made for so many, and seals it once. Whatever throws before that takes the
 * draft back: nobody else would. Throws what sealing does.
 */
export function fillAndSeal(segment: Segment, writer: Writer, place: DraftPlace, bytes: Uint8Array): SealOutcome {
  try {
    segment.writeDraft(place.extent, 0, bytes);
  } catch (error) {
    writer.leftovers.abandon(place);
    throw error;
  }
  return writer.sealOnce(place);
}
