/**
 * decoders: the bytes of a trace file, decompressed, in pieces.
 *
 * (D1) All of a file is read or it is refused: gzip files of several members, with zeros between and after them; zstd
 *      and xz files of several frames, those to be skipped included. What follows the data is stray and refused.
 * (D2) An error names the file and the byte near which the compressed data went wrong.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { type BrotliDecompress, createBrotliDecompress, createGunzip, type Gunzip } from 'node:zlib';
import { traceError } from '../trace-error.js';
import type { Compression } from './magic.js';

const PIECE_BYTES = 64 * 1024;

export type Pieces = AsyncGenerator<Uint8Array, void, void>;

function unreadable(file: string, byte: number, error: unknown): Error {
  const { message = String(error) } = error as { message?: string };
  return traceError(file, `cannot be read near byte ${byte} (${message})`, error);
}

export async function* plainPieces(file: string): Pieces {
  let byte = 0;
  try {
    for await (const piece of createReadStream(file, { highWaterMark: PIECE_BYTES }) as AsyncIterable<Buffer>) {
      byte += piece.length;
      yield piece;
    }
  } catch (error) {
    throw (error as NodeJS.ErrnoException).syscall === undefined ? error : unreadable(file, byte, error);
  }
}

/** What Node's decompressor makes of the file from `offset` on; it tells afterwards how many bytes it took. */
async function* decompress(file: string, offset: number, size: number, decoder: Gunzip | BrotliDecompress): Pieces {
  const source = createReadStream(file, { start: offset, highWaterMark: PIECE_BYTES });
  // An error of the source destroys the decoder, from which it is thrown below.
  pipeline(source, decoder, () => {});
  try {
    for await (const piece of decoder as AsyncIterable<Buffer>) yield piece;
  } catch (error) {
    const isTruncated = (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR';
    throw unreadable(file, isTruncated ? size : offset + decoder.bytesWritten, error);
  } finally {
    source.destroy();
  }
}

/** The offset of the next byte that is not zero, or the size. */
async function pastZeros(file: string, from: number, size: number): Promise<number> {
  const handle = await open(file, 'r');
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let offset = from; offset < size; ) {
      const { bytesRead } = await handle.read(piece, 0, piece.length, offset);
      const found = piece.subarray(0, bytesRead).findIndex((byte) => byte !== 0);
      if (found >= 0) return offset + found;
      if (bytesRead === 0) break;
      offset += bytesRead;
    }
    return size;
  } finally {
    await handle.close();
  }
}

async function* gzipPieces(file: string, size: number): Pieces {
  for (let offset = 0; offset < size; ) {
    const decoder = createGunzip();
    yield* decompress(file, offset, size, decoder);
    // Node ends at the first zero after a member, and says nothing of members behind it.
    offset = await pastZeros(file, offset + decoder.bytesWritten, size);
  }
}

export async function* brotliPieces(file: string, size: number): Pieces {
  const decoder = createBrotliDecompress();
  yield* decompress(file, 0, size, decoder);
  if (decoder.bytesWritten === size) return;
  throw traceError(file, `stray bytes after its compressed data, which end at byte ${decoder.bytesWritten}`);
}

async function* zstdPieces(file: string): Pieces {
  const { Decompress } = await import('fzstd');
  let decoded: Uint8Array[] = [];
  const decoder = new Decompress((piece) => decoded.push(piece));
  let byte = 0;
  const push = (piece: Uint8Array, isLast: boolean): Uint8Array[] => {
    decoded = [];
    try {
      decoder.push(piece, isLast);
    } catch (error) {
      throw unreadable(file, byte, error);
    }
    byte += piece.length;
    return decoded;
  };
  for await (const piece of plainPieces(file)) yield* push(piece, false);
  yield* push(new Uint8Array(0), true);
}

async function* xzPieces(file: string): Pieces {
  const { default: xz } = await import('xz-decompress');
  let byte = 0;
  async function* counted(): Pieces {
    for await (const piece of plainPieces(file)) {
      byte += piece.length;
      yield piece;
    }
  }
  const source = Readable.toWeb(Readable.from(counted(), { objectMode: false }));
  try {
    const decoded = new xz.XzReadableStream(source as ReadableStream<Uint8Array>);
    for await (const piece of decoded as unknown as AsyncIterable<Uint8Array>) yield piece;
  } catch (error) {
    if ((error as Error).name === 'PoolError') throw error;
    const what = `cannot be read near byte ${byte}: its xz data are damaged, end too early, or have a filter or a check (SHA-256) that its decoder does not know (${String((error as Error).message ?? error)})`;
    throw traceError(file, `${what}; xz tells which with: xz -dc ${file} > trace.txt`, error);
  }
}

export function decodedPieces(file: string, size: number, compression: Compression | undefined): Pieces {
  if (compression === 'gzip') return gzipPieces(file, size);
  if (compression === 'zstd') return zstdPieces(file);
  return compression === 'xz' ? xzPieces(file) : plainPieces(file);
}

/** Whether so many first bytes of a file are brotli, which has no magic: nothing but decoding them tells. */
export function looksLikeBrotli(head: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const decoder = createBrotliDecompress();
    let decoded = 0;
    decoder.on('data', (piece: Buffer) => {
      decoded += piece.length;
    });
    decoder.on('end', () => resolve(decoded > 0));
    // A head that is cut off is no error of what came before the cut.
    decoder.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'Z_BUF_ERROR' && decoded > 0));
    decoder.end(head);
  });
}
