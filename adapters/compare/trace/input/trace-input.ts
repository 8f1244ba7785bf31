/**
 * TraceInput: the decoded bytes of a trace file, of which the first can be looked at before all are taken.
 *
 * (I1) The content says how a file is compressed and encoded, never its name; a name that ends in .br only says that
 *      brotli, which has no mark of its own, is tried before text.
 * (I2) Text in UTF-16 comes out as UTF-8, a byte order mark does not come out.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { traceError } from '../trace-error.js';
import { brotliPieces, decodedPieces, looksLikeBrotli, type Pieces } from './decoders.js';
import { compressionOf, MAGIC_BYTES, refusalOf } from './magic.js';

/** So many decoded bytes tell a format. */
export const HEAD_BYTES = 256 * 1024;
const RAW_HEAD_BYTES = 64 * 1024;

export interface TraceInput {
  /** 'gzip', 'zstd', 'xz', 'brotli'; absent: not compressed. */
  readonly compression?: string | undefined;
  /** 'utf-16le' or 'utf-16be', where it is that. */
  readonly encoding?: string | undefined;
  /** The first HEAD_BYTES, or all of a shorter file. */
  readonly head: Uint8Array;
  /** Whether the head is the whole. */
  readonly isWhole: boolean;
  /** All of it, the head included. To be walked once. */
  pieces(): Pieces;
}

/** Bytes of a regular file. Throws OPTION_INVALID where it is none. */
function sizeOf(file: string): number {
  try {
    const status = statSync(file);
    if (status.isFile()) return status.size;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw traceError(file, 'there is no such file, looked for byte 0', error);
    throw traceError(file, `cannot be read near byte 0 (${message})`, error);
  }
  throw traceError(file, 'it is no regular file, nothing to read at byte 0; write what comes from a pipe to a file');
}

function rawHead(file: string): Uint8Array {
  let opened: number | undefined;
  try {
    opened = openSync(file, 'r');
    const head = new Uint8Array(RAW_HEAD_BYTES);
    return head.subarray(0, readSync(opened, head, 0, head.length, 0));
  } catch (error) {
    throw traceError(file, `cannot be read near byte 0 (${(error as Error).message})`, error);
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
}

function isPlain(byte: number): boolean {
  return (byte >= 32 && byte < 127) || (byte >= 9 && byte <= 13);
}

/**
 * UTF-16 by its mark, or where every other byte of what seems to be ASCII is zero. With a mark most of it has to be
 * ASCII too, and none of it zero: numbers in binary may begin with the same two bytes.
 */
function encodingOf(head: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  const pairs = Math.min(1024, head.length >>> 1);
  for (const [encoding, text] of [
    ['utf-16le', 0],
    ['utf-16be', 1],
  ] as const) {
    let plain = 0;
    let zeros = 0;
    for (let pair = 0; pair < pairs; pair += 1) {
      const character = head[2 * pair + text]!;
      const upper = head[2 * pair + 1 - text]!;
      if (upper === 0 && isPlain(character)) plain += 1;
      if (upper === 0 && character === 0) zeros += 1;
    }
    const isMarked = head[text] === 0xff && head[1 - text] === 0xfe;
    if (isMarked && zeros === 0 && plain >= 0.6 * (pairs - 1)) return encoding;
    if (pairs >= 2 && plain === pairs) return encoding;
  }
  return undefined;
}

function isUtf32(head: Uint8Array): boolean {
  const quads = Math.min(256, head.length >>> 2);
  let [little, big] = [0, 0];
  for (let at = 0; at < quads * 4; at += 4) {
    const [first, second, third, fourth] = head.subarray(at, at + 4) as unknown as [number, number, number, number];
    if (isPlain(first) && second + third + fourth === 0) little += 1;
    if (isPlain(fourth) && first + second + third === 0) big += 1;
  }
  const isMarked = (head[0] === 0xff && head[1] === 0xfe) || (head[2] === 0xfe && head[3] === 0xff);
  return isMarked && quads > 1 && Math.max(little, big) === quads - 1;
}

async function* transcoded(pieces: Pieces, encoding: string): Pieces {
  const decoder = new TextDecoder(encoding);
  const encoder = new TextEncoder();
  for await (const piece of pieces) yield encoder.encode(decoder.decode(piece, { stream: true }));
  yield encoder.encode(decoder.decode());
}

/** Takes pieces until there are as many bytes as asked for. */
async function takeHead(pieces: Pieces, bytes: number): Promise<{ taken: Uint8Array[]; isWhole: boolean }> {
  const taken: Uint8Array[] = [];
  for (let length = 0; length < bytes; ) {
    const next = await pieces.next();
    if (next.done === true) return { taken, isWhole: true };
    // Copied where a decoder might use the bytes again before all are taken.
    taken.push(next.value.slice());
    length += next.value.length;
  }
  return { taken, isWhole: false };
}

function withoutMark(taken: Uint8Array[]): Uint8Array[] {
  const whole = Buffer.concat(taken);
  const hasMark = whole[0] === 0xef && whole[1] === 0xbb && whole[2] === 0xbf;
  return [hasMark ? whole.subarray(3) : whole];
}

async function* joined(taken: readonly Uint8Array[], rest: Pieces): Pieces {
  yield* taken;
  yield* rest;
}

async function lookAt(pieces: Pieces, file: string, compression: string | undefined): Promise<TraceInput> {
  const first = await takeHead(pieces, MAGIC_BYTES);
  const magic = Buffer.concat(first.taken);
  const encoding = encodingOf(magic);
  const twice = compression === undefined ? undefined : compressionOf(magic);
  if (twice !== undefined) throw traceError(file, `it is ${twice} within ${compression}; unpack it once`);
  if (isUtf32(magic)) throw traceError(file, `it is UTF-32 text; make it UTF-8: iconv -f UTF-32 ${file} > trace.txt`);
  const refusal = refusalOf(magic, file);
  if (refusal !== undefined) throw traceError(file, refusal);
  const whole = joined(first.taken, pieces);
  const text = encoding === undefined ? whole : transcoded(whole, encoding);
  const { taken, isWhole } = await takeHead(text, HEAD_BYTES);
  const head = withoutMark(taken);
  return { compression, encoding, head: head[0]!, isWhole, pieces: () => joined(head, text) };
}

/** Throws OPTION_INVALID where there is no such file, or where it is of a kind that compare does not read. */
export async function openInput(file: string): Promise<TraceInput> {
  const size = sizeOf(file);
  const head = rawHead(file);
  const compression = compressionOf(head);
  if (compression === undefined && /\.br$/i.test(file) && (await looksLikeBrotli(head))) return openBrotli(file, size);
  return lookAt(decodedPieces(file, size, compression), file, compression);
}

export function openBrotli(file: string, size: number): Promise<TraceInput> {
  return lookAt(brotliPieces(file, size), file, 'brotli');
}

/** A file that no format claims, and whose name does not say so, may still be brotli. */
export async function openUnnamedBrotli(file: string): Promise<TraceInput | undefined> {
  return (await looksLikeBrotli(rawHead(file))) ? openBrotli(file, sizeOf(file)) : undefined;
}

/** The whole of a file of bits, which may look like anything: here the name says whether it is compressed. */
export async function readBits(file: string): Promise<Uint8Array> {
  const size = sizeOf(file);
  const isBrotli = file.endsWith('.br');
  const pieces = isBrotli
    ? brotliPieces(file, size)
    : decodedPieces(file, size, file.endsWith('.gz') ? 'gzip' : undefined);
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece.slice());
  return Buffer.concat(all);
}
