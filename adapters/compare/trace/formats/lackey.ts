/**
 * lackey: what valgrind --tool=lackey --trace-mem=yes prints: I, L, S or M, a hexadecimal address and a size. Instruction
 * fetches count as well; a modify is one access.
 */
import { PageKey } from '../page-key.js';
import type { TextFormat } from './format.js';
import { PageRange } from './page-range.js';
import { shareOf } from './sample.js';

const [COMMA, SPACE] = [44, 32];

export const lackey: TextFormat = {
  kind: 'text',
  name: 'lackey',

  score({ lines, columns }) {
    if (columns !== undefined) return 0;
    const share = shareOf(lines, /^[ILSM]\s+[0-9a-fA-F]+,\d+$/);
    const others = shareOf(lines, /^==\d+==/);
    return share > 0 && share + others >= 0.9 ? 0.98 : 0;
  },

  reader(context) {
    const range = new PageRange(context, 1);
    const address = new PageKey();
    const size = new PageKey();
    return {
      line(bytes, from, end) {
        let start = from;
        while (start < end && bytes[start] === SPACE) start += 1;
        const comma = bytes.indexOf(COMMA, start);
        let at = start + 1;
        while (at < end && bytes[at] === SPACE) at += 1;
        const isAccess = 'ILSM'.includes(String.fromCharCode(bytes[start]!)) && at > start + 1;
        if (!isAccess || comma < 0 || comma >= end || !address.setHexadecimal(bytes, at, comma)) {
          return context.leaveOut('other lines');
        }
        if (!size.setField(bytes, comma + 1, end)) context.refuse('has no size after its comma');
        range.add(address, size);
      },
    };
  },
};
