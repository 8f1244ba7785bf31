/**
 * What a load of the storm of answers gives: a page that says of itself whose it is, when its load began, how long it is good for and which
 * tags it has, in front of content that is checked byte by byte under all of that. So whoever finds it can judge it alone.
 */
import { CONTENT_BYTES_MIN, checkContent, contentOf } from '../../support/content.js';

/** Of a page that was set without a lease: what was invalidated while it was set may have been so before, so it is never too old. */
export const NEVER_OLD = 0x7fffffff;
/** Of a page whose end only whoever stored it could tell. */
export const UNKNOWN = 0x7fffffff;

export interface PageRecord {
  readonly key: number;
  /** Of the storm's common count, read once the load had begun. */
  readonly began: number;
  /** Milliseconds since the storm began: no later than that it ends to be fresh. */
  readonly expiresMs: number;
  /** For so long after that it may be kept for stale answers. */
  readonly keptMs: number;
  /** One bit each. */
  readonly tags: number;
  /** Whether it ends at `expiresMs` exactly, and not before. */
  readonly isExact: boolean;
}

const FIELDS = 6;
const HEAD_BYTES = FIELDS * 4;
export const RECORD_BYTES_MIN = HEAD_BYTES + CONTENT_BYTES_MIN;

function fieldsOf({ key, began, expiresMs, keptMs, tags, isExact }: PageRecord): number[] {
  return [key, began, expiresMs, keptMs, tags, isExact ? 1 : 0];
}

/** A page of so many bytes. */
export function recordPage(record: PageRecord, size: number): Uint8Array {
  const fields = fieldsOf(record);
  const bytes = new Uint8Array(size);
  bytes.set(new Uint8Array(Int32Array.from(fields).buffer));
  bytes.set(contentOf(fields.join(' '), record.began, size - HEAD_BYTES), HEAD_BYTES);
  return bytes;
}

/** Throws for a page of another key, and where any byte is torn. */
export function readRecord(bytes: Uint8Array, key: number): PageRecord {
  const fields = [...new Int32Array(bytes.slice(0, HEAD_BYTES).buffer)];
  const [whose = -1, began = 0, expiresMs = 0, keptMs = 0, tags = 0, isExact = 0] = fields;
  checkContent(bytes.subarray(HEAD_BYTES), fields.join(' '));
  if (whose !== key) throw new Error(`key ${key}: the page of key ${whose}`);
  return { key, began, expiresMs, keptMs, tags, isExact: isExact === 1 };
}
