/**
 * fields: the fields of a line, as offsets into its bytes, without making strings of them.
 *
 * (F1) Quotes as in RFC 4180, where the separator is no blank: a separator within them separates nothing.
 */

export type Separator = ',' | '\t' | ';' | '|' | ' ';

const QUOTE = 34;

export class Fields {
  /** Of the last line that was split. */
  count = 0;
  /** Whether the last line ends within quotes: its record goes on in the next one. */
  isOpen = false;
  starts = new Int32Array(32);
  ends = new Int32Array(32);
  private readonly separator: number;

  constructor(separator: Separator) {
    this.separator = separator.charCodeAt(0);
  }

  split(bytes: Uint8Array, start: number, end: number): void {
    this.count = 0;
    this.isOpen = false;
    if (this.separator === 32) this.splitAtBlanks(bytes, start, end);
    else this.splitAtSeparators(bytes, start, end);
  }

  private splitAtBlanks(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      while (at < end && (bytes[at] === 32 || bytes[at] === 9)) at += 1;
      const from = at;
      while (at < end && bytes[at] !== 32 && bytes[at] !== 9) at += 1;
      if (at > from) this.add(from, at);
    }
  }

  private splitAtSeparators(bytes: Uint8Array, start: number, end: number): void {
    let from = start;
    let isQuoted = false;
    for (let at = start; at < end; at += 1) {
      const byte = bytes[at]!;
      if (byte === QUOTE) isQuoted = !isQuoted;
      else if (byte === this.separator && !isQuoted) {
        this.add(from, at);
        from = at + 1;
      }
    }
    this.add(from, end);
    this.isOpen = isQuoted;
  }

  private add(start: number, end: number): void {
    if (this.count === this.starts.length) {
      for (const name of ['starts', 'ends'] as const) {
        const larger = new Int32Array(this.count * 2);
        larger.set(this[name]);
        this[name] = larger;
      }
    }
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.count += 1;
  }
}

/** The fields of a line as texts, without blanks and quotes around them. */
export function fieldTexts(line: string, separator: Separator): string[] {
  const bytes = Buffer.from(line);
  const fields = new Fields(separator);
  fields.split(bytes, 0, bytes.length);
  return Array.from({ length: fields.count }, (_, index) => {
    const text = bytes.toString('utf8', fields.starts[index], fields.ends[index]).trim();
    const isQuoted = text.length >= 2 && text.startsWith('"') && text.endsWith('"');
    return isQuoted ? text.slice(1, -1).replaceAll('""', '"') : text;
  });
}
