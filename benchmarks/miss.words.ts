/**
 * What a miss touches of the shared metadata, counted: accesses by their kind, and 64-byte lines. Between two processes that
 * miss in turn each line that the other wrote last has to come from its cache; so the lines are what does not scale, whatever
 * the machine, and the counts are the same on every one.
 */
import { setImmediate as endOfRun, setTimeout as sleep } from 'node:timers/promises';
import { Words } from '../lib/words.js';
import { connect, type FormatOptions, type PageSpace, SharedCache } from '../src/index.js';
import type { Context } from './frame.js';
import { PAGE, PAGES } from './miss.pages.js';

const READS = ['read', 'load', 'loadAfterStore', 'loadInOrder'] as const;
const WRITES = ['write', 'store', 'exchange', 'add', 'compareExchange'] as const;
const LINE_WORDS = 16;
const WARMUP = 6000;
const BATCH = 500;
/** After which a node rests that has done nothing. */
const RESTED_MS = 4000;

type Access = (typeof READS)[number] | (typeof WRITES)[number];
type Method = (this: Words, index: number, ...rest: number[]) => number;

/** Accesses of all pools of this process, while it counts. */
class Counting {
  isOn = false;
  plain = 0;
  atomic = 0;
  readonly lines = new Set<number>();
  readonly written = new Set<number>();
  private readonly prototype = Words.prototype as unknown as Record<Access, Method>;
  private readonly originals = new Map<Access, Method>();

  begin(): void {
    for (const name of [...READS, ...WRITES]) this.wrap(name, (WRITES as readonly string[]).includes(name));
  }

  private wrap(name: Access, isWrite: boolean): void {
    const counting = this;
    const original = this.prototype[name];
    this.originals.set(name, original);
    this.prototype[name] = function (index, ...rest) {
      if (counting.isOn) {
        if (name === 'read' || name === 'write') counting.plain++;
        else counting.atomic++;
        const line = Math.floor(index / LINE_WORDS);
        counting.lines.add(line);
        if (isWrite) counting.written.add(line);
      }
      return original.call(this, index, ...rest);
    };
  }

  /** Over so many calls of what says whether it was a hit; those are left out. */
  sum(calls: number, read: () => boolean): Record<'plain' | 'atomic' | 'lines' | 'lines written' | 'misses', number> {
    const sums = { plain: 0, atomic: 0, lines: 0, 'lines written': 0, misses: 0 };
    for (let i = 0; i < calls; i++) {
      Object.assign(this, { plain: 0, atomic: 0, isOn: true });
      this.lines.clear();
      this.written.clear();
      const isHit = read();
      this.isOn = false;
      if (isHit) continue;
      sums.misses++;
      sums.plain += this.plain;
      sums.atomic += this.atomic;
      sums.lines += this.lines.size;
      sums['lines written'] += this.written.size;
    }
    return sums;
  }

  end(): void {
    for (const [name, original] of this.originals) this.prototype[name] = original;
  }
}

/** What a miss of the pool's first node touches, while so many others are attached that read a page now and then, or have not for a while. */
export async function touchedBy(
  context: Context,
  path: string,
  format: FormatOptions,
  others: { readonly count: number; readonly areIdle: boolean },
): Promise<Readonly<Record<'plain' | 'atomic' | 'lines' | 'lines written', number[]>>> {
  const pools = [await connect(path, { create: format })];
  while (pools.length <= others.count) pools.push(await connect(path));
  const [space, ...theirs] = pools.map((pool) => new SharedCache(pool).pages('table', { pageSize: PAGE }));
  const source = new Uint8Array(PAGE).fill(7);
  const target = new Uint8Array(PAGE);
  const load = (_: number, into: Uint8Array) => {
    into.set(source);
    return PAGE;
  };
  const read = () => (space as PageSpace).readThrough(context.random.below(PAGES), target, load);
  let areReading = true;
  const pause = async () => {
    await endOfRun();
    if (!areReading) return;
    for (const other of theirs) other.borrow(context.random.below(PAGES));
  };
  for (let i = 0; i < WARMUP; i++) {
    read();
    if (i % BATCH === 0) await pause();
  }
  if (others.areIdle && others.count > 0) {
    areReading = false;
    await sleep(RESTED_MS);
  }
  const counting = new Counting();
  const series = {
    plain: [] as number[],
    atomic: [] as number[],
    lines: [] as number[],
    'lines written': [] as number[],
  };
  counting.begin();
  try {
    for (let round = 0; round < context.pick(2, 12); round++) {
      const sums = counting.sum(BATCH, read);
      for (const [name, all] of Object.entries(series)) all.push(sums[name as keyof typeof sums] / sums.misses);
      await pause();
    }
  } finally {
    counting.end();
  }
  context.checked('touched', target[PAGE - 1] as number);
  for (const pool of pools) await pool.disconnect();
  return series;
}

export async function countWords(context: Context, path: string, size: number): Promise<void> {
  const touched = await touchedBy(context, path, { size, pageSize: PAGE }, { count: 0, areIdle: true });
  context.add({ name: 'words read or written plainly', unit: 'a miss', series: touched.plain });
  context.add({ name: 'words by atomic accesses', unit: 'a miss', series: touched.atomic });
  context.add({ name: 'lines touched', unit: 'a miss', series: touched.lines });
  context.add({ name: 'of them written', unit: 'a miss', series: touched['lines written'] });
}
