/**
 * Bytes that come in pieces: of a stream, or an async iterator. They are a page when all of them are there, and not before: one that errs,
 * or ends before its size, publishes nothing, and leaves what is there as it is.
 */
import { takeBytes } from '../../lib/bytes.js';
import { PoolError } from '../../lib/errors.js';
import type { Pieces } from './types.js';

export function isPieces(content: unknown): content is Pieces {
  return typeof content === 'object' && content !== null && Symbol.asyncIterator in content;
}

/**
 * All of them, as private bytes. Of what is not read to its end the iterator is told (`return`), which cancels a stream. Throws
 * what the source does; SHORT_LOAD for fewer bytes than `size`, OPTION_INVALID for more, or for a piece that is no bytes.
 */
export async function gather(source: Pieces, size: number | undefined): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const given of source as AsyncIterable<unknown>) {
    // A copy: the source may use its buffer again.
    const piece = takeBytes(given, 'a piece').slice();
    length += piece.length;
    if (size !== undefined && length > size)
      throw new PoolError('OPTION_INVALID', `size: ${size}, but ${length} bytes came.`, { option: 'size' });
    pieces.push(piece);
  }
  if (size !== undefined && length < size)
    throw new PoolError('SHORT_LOAD', `The source ended after ${length} of ${size} bytes.`, { bytes: length, size });
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
