/**
 * arc-lis: traces of the ARC paper: `first count ignored number` a line, for the blocks first to first + count - 1. The
 * last column numbers the lines.
 */
import { RUN_MAX } from '../access-spool.js';
import { PageKey } from '../page-key.js';
import { Fields } from './fields.js';
import type { TextFormat } from './format.js';

export const arc: TextFormat = {
  kind: 'text',
  name: 'arc-lis',

  score({ lines, columns }) {
    if (columns !== undefined || lines.length === 0) return 0;
    let ignored = 0;
    let numbered = 0;
    let before = Number.NaN;
    for (const line of lines) {
      const [, , count, zero, number] = /^(\d+)\s+(\d+)\s+(\d+)\s+(\d+)$/.exec(line) ?? [];
      if (count === undefined || Number(count) < 1 || Number(count) > RUN_MAX) return 0;
      if (zero === '0') ignored += 1;
      if (Number.isNaN(before) || Number(number) === before + 1) numbered += 1;
      before = Number(number);
    }
    // Traces that were merged or cut jump now and then.
    if (numbered < 0.9 * lines.length) return 0;
    return ignored === lines.length ? 0.98 : 0.85;
  },

  reader(context) {
    const fields = new Fields(' ');
    const first = new PageKey();
    const count = new PageKey();
    return {
      line(bytes, start, end) {
        fields.split(bytes, start, end);
        if (fields.count < 2) context.refuse(`has ${fields.count} fields, a line of this format has 4`);
        first.setField(bytes, fields.starts[0]!, fields.ends[0]!);
        count.setField(bytes, fields.starts[1]!, fields.ends[1]!);
        if (first.isText || count.isText) context.refuse('does not begin with a block and a count of blocks');
        if (count.number > RUN_MAX) context.refuse(`asks for ${count.number} blocks at once`);
        if (count.number === 0) context.leaveOut('of count 0');
        context.spool.run(first, count.number);
      },
    };
  },
};
