/**
 * trace-file: a TRACE is a file of accesses, FILE or FILE:COLUMNS, of one of the formats in formats/. Its content decides
 * how it is compressed and encoded and which format it is.
 *
 * (T1) A trace is read whole and right, or refused with the file and the line or byte. Lines count from 1, bytes from 0.
 * (T2) Pages are renumbered densely in order of first appearance, and written to files in the given directory.
 *
 * NAME.start.bits[.br|.gz] beside it is a bitmap: bit i, least significant first, says that access i begins a new client
 * request. Without one the format says what a request is.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { countText } from '../figures.js';
import { type TraceSource, traceSource } from '../trace-source.js';
import { AccessSpool } from './access-spool.js';
import { type AccessFiles, FileAccesses } from './accesses.js';
import {
  type BinaryFormat,
  binaryFormatsOf,
  formats,
  type LineReader,
  type ReadingContext,
  type TextFormat,
  type TextSample,
  textFormatsOf,
  textSample,
} from './formats/index.js';
import { openInput, openUnnamedBrotli, readBits, type TraceInput } from './input/trace-input.js';
import { LineSplitter } from './line-splitter.js';
import { traceError } from './trace-error.js';

export interface Trace extends FileAccessesOf {
  readonly name: string;
  /** What was recognised, such as 'arc-lis'. */
  readonly format: string;
  /** What more there is to say of how it was read, such as 'column id'. */
  readonly details: readonly string[];
  /** Distinct pages; those of the accesses are 0 to pages - 1. */
  readonly pages: number;
}

interface FileAccessesOf {
  readonly accesses: FileAccesses;
  readonly files: AccessFiles;
}

export interface ReadTraceOptions {
  /** Where the files of the accesses are put. */
  readonly directory: string;
  /** Bytes, for formats that give offsets and sizes. Default 4096. */
  readonly pageSize?: number | undefined;
  /** The name of a format, where the content leaves it open. */
  readonly format?: string | undefined;
  /** Called with the number of accesses read, often. */
  readonly progress?: ((accesses: number) => void) | undefined;
}

const PAGE_SIZE = 4096;
const COMPRESSION_NAMES = /\.(br|gz|gzip|zst|zstd|xz)$/i;
const LINE_TEXT_MAX = 40;
const STARTS_SUFFIX = '.start.bits';

export const formatNames: readonly string[] = formats.map(({ name }) => name);

/** Throws OPTION_INVALID when it cannot be read as a trace. */
export async function readTrace(source: string, options: ReadTraceOptions): Promise<Trace> {
  const named = traceSource(source) ?? { file: source };
  if (named.columns === '') throw traceError(source, 'nothing after its colon, where a column name belongs, at line 1');
  const reading = new TraceReading(named, options);
  const { spool } = reading;
  try {
    await reading.read();
    const { pages } = spool;
    const read = spool.finish();
    const plain = basename(named.file).replace(COMPRESSION_NAMES, '');
    const name = plain.replace(/\.[^.]+$/, '') || plain;
    const starts = await readStarts(join(dirname(named.file), name), read.accesses, options.directory);
    const files = starts === undefined ? read : { ...read, starts };
    const { format, details } = reading;
    return { name, format, details, pages, files, accesses: new FileAccesses(files) };
  } finally {
    spool.close();
  }
}

/** The line that says what was recognised. */
export function recognisedText({ format, accesses, pages, details }: Omit<Trace, 'files' | 'name'>): string {
  const counts = `${countText(accesses.accesses)} accesses to ${countText(pages)} pages`;
  return [`format: ${format}, ${counts}`, ...details].join('; ');
}

async function readStarts(stem: string, requests: number, directory: string): Promise<string | undefined> {
  const file = ['', '.br', '.gz'].map((suffix) => `${stem}${STARTS_SUFFIX}${suffix}`).find((path) => existsSync(path));
  if (file === undefined) return undefined;
  const starts = await readBits(file);
  const size = Math.ceil(requests / 8);
  if (starts.length !== size) {
    const what = `it ends at byte ${starts.length}, one bit for each of ${requests} accesses takes ${size} bytes`;
    throw traceError(file, what);
  }
  const path = join(directory, 'given-starts.bits');
  writeFileSync(path, starts, { mode: 0o600 });
  return path;
}

class TraceReading {
  readonly spool: AccessSpool;
  readonly details: string[] = [];
  format = '';
  private readonly file: string;
  private readonly columns: string | undefined;
  private readonly options: ReadTraceOptions;
  private readonly leftOut = new Map<string, number>();
  private readonly context: ReadingContext;
  private splitter: LineSplitter | undefined;

  constructor({ file, columns }: TraceSource, options: ReadTraceOptions) {
    this.file = file;
    this.columns = columns;
    this.options = options;
    this.spool = new AccessSpool(options.directory);
    this.context = {
      spool: this.spool,
      file,
      pageSize: options.pageSize ?? PAGE_SIZE,
      refuse: (what) => this.refuseLine(what),
      refuseBytes: () => this.refuseLine(`is no UTF-8 text, beginning at byte ${this.splitter?.lineByte ?? 0}`),
      refuseTrace: (what) => this.refuse(what),
      leaveOut: (why) => {
        this.leftOut.set(why, (this.leftOut.get(why) ?? 0) + 1);
      },
      tell: (detail) => {
        this.details.push(detail);
      },
    };
  }

  async read(): Promise<void> {
    const input = await openInput(this.file);
    if (!(await this.readInput(input))) await this.readUnnamed();
    for (const [why, count] of this.leftOut) this.details.push(`${countText(count)} ${why} left out`);
    if (this.spool.accesses === 0) this.refuse('it holds no page ids, its data end at byte 0 of them');
  }

  private refuse(what: string): never {
    throw traceError(this.file, what);
  }

  private refuseLine(what: string): never {
    return this.refuse(`line ${this.splitter?.number ?? 1} ${what}`);
  }

  /** False where no format claims it. */
  private async readInput(input: TraceInput): Promise<boolean> {
    const { compression, encoding, head, isWhole } = input;
    if (head.length === 0) this.refuse('it is empty, its data end at byte 0');
    const wanted = this.wantedFormat();
    const sample = textSample(head, isWhole, this.columns);
    const name = basename(this.file).replace(COMPRESSION_NAMES, '');
    const size = isWhole ? head.length : undefined;
    // A text of digits is never taken for words, whatever its name: only bytes that no text has make it binary.
    const text = sample === undefined ? [] : textFormatsOf(sample);
    const isWords =
      /\.u(32|64)$/i.test(name) && !(sample !== undefined && text.length === 1 && sample.lines.length > 1);
    const binary = sample === undefined || isWords ? binaryFormatsOf({ bytes: head, size, name }) : [];
    const format = wanted ?? this.single<TextFormat | BinaryFormat>(binary.length > 0 ? binary : text);
    if (format === undefined) {
      if (sample !== undefined) this.refuseLines(sample);
      return false;
    }
    this.format = format.name;
    for (const word of [compression, encoding]) if (word !== undefined) this.details.push(word);
    if (format.kind === 'binary' && this.columns !== undefined) {
      this.refuse(`it is ${format.name}, which has no columns: leave out what stands after the colon (byte 0 tells)`);
    }
    if (format.kind === 'binary') await this.readRecords(input, format);
    else await this.readLines(input, format, sample ?? this.refuseAsText());
    return true;
  }

  private wantedFormat(): TextFormat | BinaryFormat | undefined {
    const { format: name } = this.options;
    if (name === undefined) return undefined;
    const format = formats.find((one) => one.name === name);
    return format ?? this.refuse(`no format ${name}; the formats are ${formatNames.join(', ')}`);
  }

  private single<F extends { readonly name: string }>(candidates: readonly F[]): F | undefined {
    if (candidates.length < 2) return candidates[0];
    const names = candidates.map(({ name }) => name);
    return this.refuse(
      `it could be ${names.join(' or ')}: say which, as in --format ${names[0]} or the column, as in ${this.file}:1`,
    );
  }

  private refuseLines({ lines }: TextSample): never {
    if (lines.length === 0) this.refuse('it holds no page ids: all of its lines are blank or comments, from line 1 on');
    const odd = lines.find((line) => /[\s,;|]/.test(line)) ?? lines[0]!;
    this.refuse(
      `its lines, such as ${JSON.stringify(odd.slice(0, LINE_TEXT_MAX))}, are no single ids and no rows of equally many fields or columns; --format ids takes whole lines as ids`,
    );
  }

  private refuseAsText(): never {
    return this.refuse(
      `it holds bytes that no text has, and its format ${this.format} is one of text; the binary formats are u32, u64 and oracle-general`,
    );
  }

  /** Nothing but decoding tells brotli. */
  private async readUnnamed(): Promise<void> {
    const input = await openUnnamedBrotli(this.file);
    if (input !== undefined && (await this.readInput(input))) return;
    this.refuse(
      `its first bytes are no text and no binary format that compare knows: these are little-endian 32-bit ids (u32), 64-bit ids (u64) and oracle-general; where it is one of them, say so, as in --format u64`,
    );
  }

  private async readRecords(input: TraceInput, { recordSize, reader, name }: BinaryFormat): Promise<void> {
    const take = reader(this.context);
    let rest = new Uint8Array(0);
    let taken = 0;
    for await (const piece of input.pieces()) {
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const end = bytes.length - (bytes.length % recordSize);
      for (let offset = 0; offset < end; offset += recordSize) take(view, offset);
      taken += end;
      rest = new Uint8Array(bytes.subarray(end));
      this.options.progress?.(this.spool.accesses);
    }
    if (rest.length > 0) {
      this.refuse(`${rest.length} stray bytes at byte ${taken}; ${name} has records of ${recordSize} bytes`);
    }
  }

  private async readLines(input: TraceInput, format: TextFormat, sample: TextSample): Promise<void> {
    const reader: LineReader = format.reader(this.context, sample);
    const splitter = new LineSplitter({
      line: (bytes, start, end) => reader.line(bytes, start, end),
      refuse: (what) => this.refuseLine(what),
    });
    this.splitter = splitter;
    for await (const piece of input.pieces()) {
      splitter.push(piece);
      this.options.progress?.(this.spool.accesses);
    }
    splitter.end();
    reader.end?.();
  }
}
