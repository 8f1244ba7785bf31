/** Arms of the benchmark `hit` that ask for several pages at a time, by a list of numbers or in order. */
import { LRUCache } from 'lru-cache';
import { PAGE_BYTES, type Tally, type World } from './hit.world.js';
import { type Arm, sampleOf } from './interleave.js';
import { missed } from './pages.js';

/** Pages of one call. */
export const LIST_LENGTH = 16;
/** A line of the processor's caches. */
const LINE_BYTES = 64;

/** The lists of each batch, as a program has them: made before the call. */
function listsOf({ reads }: World): (from: number) => readonly Uint32Array[] {
  const { batch, pageNos } = reads;
  const lists = Array.from({ length: pageNos.length / batch }, (_, i) => {
    const all = pageNos.subarray(i * batch, (i + 1) * batch);
    return Array.from({ length: Math.ceil(batch / LIST_LENGTH) }, (_, list) =>
      all.subarray(list * LIST_LENGTH, Math.min((list + 1) * LIST_LENGTH, batch)),
    );
  });
  return (from) => lists[from / batch]!;
}

export const GETS = `${LIST_LENGTH} times lru-cache.get`;

/** Each gets the pages of a list into an array, and then reads a byte of each. */
export function listArms(world: World, tally: Tally): Arm[] {
  const { pages, space } = world;
  const { offsets } = world.reads;
  const listsAt = listsOf(world);
  const lru = new LRUCache<number, Uint8Array>({ max: pages.length });
  for (const [pageNo, page] of pages.entries()) lru.set(pageNo, page);
  const arm = (
    name: string,
    counts: boolean,
    get: (list: Uint32Array, into: (Uint8Array | undefined)[]) => void,
  ): Arm => {
    const into = new Array<Uint8Array | undefined>(LIST_LENGTH).fill(undefined);
    return tally.arm(name, counts, (from) => {
      let sum = 0;
      let i = from;
      for (const list of listsAt(from)) {
        get(list, into);
        for (let at = 0; at < list.length; at++) sum += (into[at] as Uint8Array)[offsets[i++]!]!;
      }
      return sum;
    });
  };
  return [
    arm(GETS, false, (list, into) => {
      for (let at = 0; at < list.length; at++) into[at] = lru.get(list[at]!);
    }),
    arm(`${LIST_LENGTH} times PageSpace.borrow`, true, (list, into) => {
      for (let at = 0; at < list.length; at++) into[at] = space.borrow(list[at]!);
    }),
    // Not every build has it.
    ...(typeof space.borrowMany === 'function'
      ? [
          arm('PageSpace.borrowMany', true, (list, into) => {
            if (space.borrowMany(list, into) !== list.length) throw missed('borrowMany');
          }),
        ]
      : []),
  ];
}

export const FLAT = 'one flat buffer';

/** Sums bytes of [from, to). */
type Sum = (bytes: Uint8Array, from: number, to: number) => number;

/** How a page is read: every byte, or one of each line, which the processor's memory bounds. Each is compiled for itself. */
const SUMS: Readonly<Record<string, Sum>> = {
  'every byte': (bytes, from, to) => {
    let sum = 0;
    for (let at = from; at < to; at++) sum += bytes[at]!;
    return sum;
  },
  'a byte of each line': (bytes, from, to) => {
    let sum = 0;
    for (let at = from; at < to; at += LINE_BYTES) sum += bytes[at]!;
    return sum;
  },
};

/** Each reads as many pages of the table as a batch has, where the last one ended. */
export function scanArms({ pages, space, reads }: World, tally: Tally): Arm[] {
  const flat = new Uint8Array(pages.length * PAGE_BYTES);
  for (const [pageNo, page] of pages.entries()) flat.set(page, pageNo * PAGE_BYTES);
  const batch = Math.min(reads.batch, pages.length);
  return Object.entries(SUMS).flatMap(([name, sumOf]) => {
    /** By page, over all before it. */
    const before = new Float64Array(pages.length + 1);
    for (const [pageNo, page] of pages.entries()) before[pageNo + 1] = before[pageNo]! + sumOf(page, 0, PAGE_BYTES);
    const arm = (what: string, counts: boolean, scan: (first: number, count: number) => number): Arm => {
      let next = 0;
      return {
        name: `${what}, ${name}`,
        batch: () => {
          const first = next + batch > pages.length ? 0 : next;
          next = first + batch;
          if (counts) tally.expected += batch;
          return sampleOf(what, batch, before[first + batch]! - before[first]!, () => scan(first, batch));
        },
      };
    };
    return [
      arm(FLAT, false, (first, count) => {
        let sum = 0;
        for (let pageNo = first; pageNo < first + count; pageNo++) {
          sum += sumOf(flat, pageNo * PAGE_BYTES, (pageNo + 1) * PAGE_BYTES);
        }
        return sum;
      }),
      arm('PageSpace.borrow', true, (first, count) => {
        let sum = 0;
        for (let pageNo = first; pageNo < first + count; pageNo++) {
          const page = space.borrow(pageNo);
          if (page === undefined) throw missed('PageSpace');
          sum += sumOf(page, 0, PAGE_BYTES);
        }
        return sum;
      }),
      ...(typeof space.scan === 'function'
        ? [
            arm('PageSpace.scan', true, (first, count) => {
              let sum = 0;
              for (const page of space.scan(first, count)) {
                if (page === undefined) throw missed('PageSpace');
                sum += sumOf(page, 0, PAGE_BYTES);
              }
              return sum;
            }),
          ]
        : []),
    ];
  });
}
