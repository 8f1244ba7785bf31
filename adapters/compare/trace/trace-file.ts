/**
 * trace-file: a TRACE is a file of page ids, named by its path.
 *
 *   NAME.u32[.br|.gz]          little-endian 32-bit ids
 *   NAME.csv[.br|.gz]:COLUMN   one named column of comma-separated values with a header line
 *   anything else[.br|.gz]     text, one id a line: integers up to 2^53 - 1, or strings
 *
 * PATH:COLUMN (after the last colon) makes any file CSV, unless a file of that whole name exists. Ids are renumbered
 * densely in order of first appearance. NAME.start.bits[.br|.gz] beside it is a bitmap: bit i, least significant
 * first, says that access i begins a new client request.
 */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import { idsOfColumn, idsOfLines, idsOfWords, type TraceIds, traceError } from './id-text.js';

export interface Trace {
  readonly name: string;
  /** Dense ids 0..unique-1, one per access. */
  readonly ids: Uint32Array;
  readonly unique: number;
  /** Bitmap of the accesses that begin a client request; absent when every access is its own request. */
  readonly starts?: Uint8Array;
}

const COMPRESSIONS = ['.br', '.gz'] as const;
/** Damage in compressed data is located to one chunk of the file. */
const CHUNK_SIZE = 4096;
const STARTS_SUFFIX = '.start.bits';

/** Throws OPTION_INVALID, naming the file and the line or byte, when it cannot be read as a trace. */
export async function readTrace(source: string): Promise<Trace> {
  const { file, column } = splitColumn(source);
  const plain = withoutCompression(basename(file));
  const bytes = await readBytes(file);
  const trace = readIds(file, plain, column, bytes);
  const name = plain.replace(/\.[^.]+$/, '') || plain;
  const starts = await readStarts(join(dirname(file), name), trace.ids.length);
  return starts === undefined ? { name, ...trace } : { name, ...trace, starts };
}

function readIds(file: string, plain: string, column: string | undefined, bytes: Buffer): TraceIds {
  if (column !== undefined || plain.endsWith('.csv')) return idsOfColumn(file, bytes, column);
  return plain.endsWith('.u32') ? idsOfWords(file, bytes) : idsOfLines(file, bytes);
}

function splitColumn(source: string): { file: string; column: string | undefined } {
  const colon = source.lastIndexOf(':');
  if (colon < 0 || existsSync(source)) return { file: source, column: undefined };
  const column = source.slice(colon + 1);
  if (column === '') throw traceError(source, 'nothing after its colon, where a column name belongs, at line 1');
  return { file: source.slice(0, colon), column };
}

function withoutCompression(file: string): string {
  const suffix = COMPRESSIONS.find((candidate) => file.endsWith(candidate));
  return suffix === undefined ? file : file.slice(0, -suffix.length);
}

async function readStarts(stem: string, requests: number): Promise<Uint8Array | undefined> {
  const file = ['', ...COMPRESSIONS]
    .map((suffix) => `${stem}${STARTS_SUFFIX}${suffix}`)
    .find((path) => existsSync(path));
  if (file === undefined) return undefined;
  const starts = await readBytes(file);
  const size = Math.ceil(requests / 8);
  if (starts.length !== size) {
    throw traceError(
      file,
      `it ends at byte ${starts.length}, one bit for each of ${requests} accesses takes ${size} bytes`,
    );
  }
  return starts;
}

/** The whole file, decompressed by its suffix. */
async function readBytes(file: string): Promise<Buffer> {
  let size: number;
  try {
    const status = statSync(file);
    if (!status.isFile()) throw traceError(file, 'it is no regular file, nothing to read at byte 0');
    size = status.size;
  } catch (error) {
    throw (error as Error).name === 'PoolError' ? error : unreadable(file, 0, error);
  }
  const chunks: Buffer[] = [];
  const collect = async (source: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of source) chunks.push(chunk);
  };
  const decompress = decompressor(file);
  try {
    if (decompress === undefined) await pipeline(createReadStream(file), collect);
    else await pipeline(createReadStream(file, { highWaterMark: CHUNK_SIZE }), decompress, collect);
  } catch (error) {
    const truncated = (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR';
    throw unreadable(file, truncated ? size : (decompress?.bytesWritten ?? 0), error);
  }
  if (decompress !== undefined && decompress.bytesWritten !== size) {
    throw traceError(file, `stray bytes after its compressed data, which end at byte ${decompress.bytesWritten}`);
  }
  return Buffer.concat(chunks);
}

function decompressor(file: string): (Transform & { readonly bytesWritten: number }) | undefined {
  if (file.endsWith('.br')) return createBrotliDecompress();
  return file.endsWith('.gz') ? createGunzip() : undefined;
}

function unreadable(file: string, byte: number, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return traceError(file, 'there is no such file, looked for byte 0', error);
  return traceError(file, `cannot be read near byte ${byte} (${message})`, error);
}
