/** ids: one page id a line, a number or any text without blanks. A name over numbers is a header. */
import { isText, PageKey } from '../page-key.js';
import type { LineReader, ReadingContext, TextFormat } from './format.js';
import { isNumber, type TextSample } from './sample.js';

const NAMES = /^(page|block|obj|object|item)?[ _-]?(id|ids|key|keys|no|number|page|pages|block|lba|lbn|address|addr)$/i;

const QUOTE = 34;

function hasHeader({ lines }: TextSample): boolean {
  const [first = '', ...rest] = lines;
  if (rest.length === 0 || isNumber(first)) return false;
  return NAMES.test(first) || (/^[A-Za-z_]\w*$/.test(first) && rest.every(isNumber));
}

export const ids: TextFormat = {
  kind: 'text',
  name: 'ids',

  score({ lines, columns }) {
    if (lines.length === 0 || columns !== undefined) return 0;
    const isNone = (line: string) => /[\s,;|]/.test(line) || line === '*' || /^[[{]/.test(line);
    if (lines.some((line) => isNone(line.trim()))) return 0;
    return 0.8;
  },

  reader(context, sample) {
    return new IdLines(context, hasHeader(sample) ? sample.lines[0] : undefined);
  },
};

class IdLines implements LineReader {
  private readonly context: ReadingContext;
  private readonly key = new PageKey();
  private header: string | undefined;

  constructor(context: ReadingContext, header: string | undefined) {
    this.context = context;
    this.header = header;
  }

  line(bytes: Uint8Array, start: number, end: number): void {
    if (this.header !== undefined) {
      this.context.tell(`under the header ${this.header}`);
      this.header = undefined;
      return;
    }
    // An empty pair of quotes is all that lets nothing be found on a line that is not blank.
    if (!this.key.setField(bytes, start, end)) this.context.refuse('is empty; it should hold one page id');
    const opens = bytes[start] === QUOTE;
    if (opens && (end - start === 1 || bytes[end - 1] !== QUOTE))
      this.context.refuse('opens a quote that it does not end');
    if (this.key.isText && !isText(bytes, start, end)) this.context.refuseBytes();
    this.context.spool.add(this.key);
  }
}
