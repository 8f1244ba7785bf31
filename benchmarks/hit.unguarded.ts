/**
 * An arm of the benchmark `hit` that is a borrow without what makes it safe: no hazard is published, no retire sequence looked at.
 * The difference is what those cost. It does what else `PageSpace.borrow` does on a near hit, on the same objects; so it reaches
 * into what is private to this build, and is left out where a build looks different inside.
 */
import type { PageSpace } from '../src/index.js';
import type { Tally, World } from './hit.world.js';
import type { Arm } from './interleave.js';
import { missed } from './pages.js';

export const UNGUARDED = 'PageSpace.borrow without hazard and sequence';

interface Entry {
  readonly slot: number;
  readonly shard: number;
  readonly bytes: Uint8Array;
}

interface Inside {
  readonly near: { atShortcut(pageNo: number): Entry | undefined };
  readonly counts: Float64Array;
  readonly reader: {
    readonly touches: { record(shard: number, slot: number): void };
    readonly counters: { add(index: number, count: number): void };
    readonly nearHits: number;
  };
}

function insideOf(space: PageSpace): Inside | undefined {
  const { near, counts, reader } = space as unknown as Partial<Inside>;
  const isKnown =
    typeof near?.atShortcut === 'function' &&
    counts instanceof Float64Array &&
    typeof reader?.touches?.record === 'function' &&
    typeof reader.counters?.add === 'function' &&
    typeof reader.nearHits === 'number';
  return isKnown ? { near, counts, reader } : undefined;
}

class Unguarded {
  private readonly pageSize: number;
  private readonly near: Inside['near'];
  private readonly counts: Float64Array;
  private readonly reader: Inside['reader'];
  /** Which of the counts is that of hits. */
  private readonly hits: number;

  constructor(space: PageSpace, { near, counts, reader }: Inside) {
    this.pageSize = space.pageSize;
    this.near = near;
    this.counts = counts;
    this.reader = reader;
    const before = counts.slice();
    if (space.borrow(0) === undefined) throw missed('PageSpace');
    this.hits = counts.findIndex((count, i) => count !== before[i]);
  }

  borrow(pageNo: number, asOf?: number): Uint8Array | undefined {
    const near = asOf === undefined && typeof pageNo === 'number' ? this.near.atShortcut(pageNo) : undefined;
    if (near === undefined || near.bytes.length !== this.pageSize) return undefined;
    this.reader.touches.record(near.shard, near.slot);
    this.reader.counters.add(this.reader.nearHits, 1);
    this.counts[this.hits] = (this.counts[this.hits] as number) + 1;
    return near.bytes;
  }
}

export function unguardedArms({ pages, space, reads }: World, tally: Tally): Arm[] {
  const inside = insideOf(space);
  if (inside === undefined) return [];
  // It knows no other way than the shortcut, which the first hit of a page makes.
  for (const pageNo of pages.keys()) space.borrow(pageNo);
  const { pageNos, offsets } = reads;
  const unguarded = new Unguarded(space, inside);
  return [
    tally.arm(UNGUARDED, true, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = unguarded.borrow(pageNos[i]!);
        if (page === undefined) throw missed(UNGUARDED);
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
  ];
}
