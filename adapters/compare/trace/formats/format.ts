/**
 * format: what a format of traces is: a name, how sure it is that a sample is its own, and a reader.
 *
 * (F1) A score is a probability, 0 to 1, by content. Where two formats are about equally sure, the trace is refused.
 * (F2) A reader either gives an access to the spool or counts the line as left out; what it left out is told.
 */
import type { AccessSpool } from '../access-spool.js';
import type { BinarySample, TextSample } from './sample.js';

export interface ReadingContext {
  readonly spool: AccessSpool;
  /** As the user named it, without columns. */
  readonly file: string;
  /** Bytes of a page, where a format gives offsets and sizes. */
  readonly pageSize: number;
  /** Throws OPTION_INVALID for the line being read: `what` begins in the middle of a sentence, 'has 3 fields'. */
  refuse(what: string): never;
  /** For a line that is no UTF-8. */
  refuseBytes(): never;
  /** The same for the trace as a whole. */
  refuseTrace(what: string): never;
  /** Counts a line, or a part of one, that is no access. */
  leaveOut(why: string): void;
  /** Words for the end of the line that says what was recognised, such as 'column id'. */
  tell(detail: string): void;
}

/** Takes one line, without its end, blank ones and comments excepted. The bytes are valid during the call. */
export interface LineReader {
  line(bytes: Uint8Array, start: number, end: number): void;
  /** After the last line. */
  end?(): void;
}

export interface TextFormat {
  readonly kind: 'text';
  readonly name: string;
  score(sample: TextSample): number;
  reader(context: ReadingContext, sample: TextSample): LineReader;
}

/** Takes records of `recordSize` bytes. */
export interface BinaryFormat {
  readonly kind: 'binary';
  readonly name: string;
  readonly recordSize: number;
  score(sample: BinarySample): number;
  reader(context: ReadingContext): (record: DataView, offset: number) => void;
}

export type TraceFormat = TextFormat | BinaryFormat;
