/**
 * blkparse: the text that blkparse makes of a blktrace: device, processor, number, time, process, event, RWBS, sector, +,
 * sectors. A request passes through several events; one kind of them is counted, the earliest there is: queued (Q),
 * issued (D), completed (C). Discards and flushes touch no page.
 */
import { PageKey } from '../page-key.js';
import { Fields } from './fields.js';
import type { TextFormat } from './format.js';
import { PageRange } from './page-range.js';
import { shareOf, type TextSample } from './sample.js';

const EVENT = /^\d+,\d+\s+\d+\s+\d+\s+\d+\.\d+\s+\d+\s+([A-Za-z]+)\s/;
const COUNTED = ['Q', 'D', 'C'] as const;
const SECTOR_BYTES = 512;
const names = { Q: 'queued', D: 'issued', C: 'completed' } as const;

function countedEvent({ lines }: TextSample): (typeof COUNTED)[number] {
  const seen = new Set(lines.map((line) => EVENT.exec(line)?.[1]));
  return COUNTED.find((event) => seen.has(event)) ?? 'Q';
}

export const blkparse: TextFormat = {
  kind: 'text',
  name: 'blkparse',

  score({ lines, columns }) {
    return columns === undefined && shareOf(lines, EVENT) >= 0.5 ? 0.98 : 0;
  },

  reader(context, sample) {
    const event = countedEvent(sample);
    const fields = new Fields(' ');
    const range = new PageRange(context, SECTOR_BYTES);
    const [device, sector, sectors] = [new PageKey(), new PageKey(), new PageKey()];
    const textOf = (bytes: Uint8Array, index: number) =>
      String.fromCharCode(...bytes.subarray(fields.starts[index], fields.ends[index]));
    context.tell(`${names[event]} requests`);
    return {
      line(bytes, start, end) {
        fields.split(bytes, start, end);
        if (fields.count < 7 || textOf(bytes, 5) !== event) return context.leaveOut('lines of other events');
        if (fields.count < 10 || textOf(bytes, 8) !== '+' || textOf(bytes, 6).startsWith('D')) {
          return context.leaveOut('discards and flushes');
        }
        device.setField(bytes, fields.starts[0]!, fields.ends[0]!);
        sector.setField(bytes, fields.starts[7]!, fields.ends[7]!);
        sectors.setField(bytes, fields.starts[9]!, fields.ends[9]!);
        range.add(sector, sectors, device);
      },
    };
  },
};
