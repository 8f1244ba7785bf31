/** lirs: traces of the LIRS papers: one block number a line, and lines of a lone * between parts of the work. */
import { PageKey } from '../page-key.js';
import type { TextFormat } from './format.js';
import { isNumber } from './sample.js';

const ASTERISK = 42;

export const lirs: TextFormat = {
  kind: 'text',
  name: 'lirs',

  score({ lines, columns }) {
    const hasMarks = lines.includes('*');
    return columns === undefined && hasMarks && lines.every((line) => line === '*' || isNumber(line)) ? 0.98 : 0;
  },

  reader(context) {
    const key = new PageKey();
    return {
      line(bytes, start, end) {
        if (end - start === 1 && bytes[start] === ASTERISK) return context.leaveOut('* marks');
        if (!key.setField(bytes, start, end) || key.isText) context.refuse('is neither a block number nor *');
        context.spool.add(key);
      },
    };
  },
};
