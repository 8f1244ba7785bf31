/** sample: what the formats look at to tell whether a trace is theirs: the first lines, or the first bytes. */
import { isUtf8 } from 'node:buffer';

const LINES_MAX = 2000;

export interface TextSample {
  /** The first lines that are neither blank nor comments, without spaces around them. Never a line that was cut off. */
  readonly lines: readonly string[];
  /** Comments before the first of them, without their # and blanks. */
  readonly comments: readonly string[];
  /** Words after the file's name, as in FILE:offset+size. */
  readonly columns: string | undefined;
}

export interface BinarySample {
  readonly bytes: Uint8Array;
  /** Bytes of the whole trace, where they are known: it is not compressed. */
  readonly size: number | undefined;
  /** The file's name without that of a compression: the only thing that can tell 32 bits from 64 in some traces. */
  readonly name: string;
}

/** Undefined where the head is no text. */
export function textSample(head: Uint8Array, isWhole: boolean, columns: string | undefined): TextSample | undefined {
  for (const byte of head) if (byte < 9 || (byte > 13 && byte < 32 && byte !== 26)) return undefined;
  let end = head.length;
  if (!isWhole) while (end > 0 && head[end - 1] !== 10 && head[end - 1] !== 13) end -= 1;
  // A head without any line end is one long line; what its reader says of it tells more than nothing would.
  const whole = Buffer.from(head.buffer, head.byteOffset, end === 0 ? head.length : end);
  const texts = whole.toString(isUtf8(whole) ? 'utf8' : 'latin1').split(/\r\n|\n|\r/);
  const lines: string[] = [];
  const comments: string[] = [];
  for (const text of texts) {
    const line = text.replace(/^ +| +$/g, '');
    const trimmed = text.trim();
    if (trimmed.startsWith('#')) {
      if (lines.length === 0) comments.push(trimmed.replace(/^#+\s*/, ''));
    } else if (trimmed !== '' && trimmed !== '\u001a') lines.push(line);
    if (lines.length >= LINES_MAX) break;
  }
  return { lines, comments, columns };
}

/** The share of lines that match, 0 without lines. */
export function shareOf(lines: readonly string[], pattern: RegExp): number {
  let matching = 0;
  for (const line of lines) if (pattern.test(line)) matching += 1;
  return lines.length === 0 ? 0 : matching / lines.length;
}

/** A decimal whole number below 2^64, or 0x and hexadecimal digits. */
export function isNumber(text: string): boolean {
  return /^(\d{1,20}|0[xX][\da-fA-F]+)$/.test(text);
}

/** A number of any kind, such as times have. */
export function isNumeric(text: string): boolean {
  return isNumber(text) || /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text);
}
