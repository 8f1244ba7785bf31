/** A process that holds pages and tells what memory it takes: of the benchmark `sharing`, started by fork. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PatternPages } from '../adapters/compare/trace/pages.js';
import { openStorage, type PageSource, poolPageSource } from '../adapters/sqlite-wasm/index.js';
import { connect, SharedCache } from '../src/index.js';
import { Random } from './random.js';
import { PageServer, PrivatePages } from './sharing.caches.js';
import { type ArmName, PAGE } from './sharing.world.js';

export interface HoldOrder {
  readonly arm: ArmName;
  readonly file: string;
  /** Of the pool. */
  readonly path: string;
  readonly pages: number;
  readonly nearEntries: number;
  readonly seed: number;
}

export interface Held {
  /** Bytes. */
  readonly pss: number;
  /** What of it is of shared memory. */
  readonly shared: number;
  /** Of as many random reads as there are pages. */
  readonly hits: number;
  /** Of what was read. */
  readonly hash: string;
}

const READS_A_TURN = 256;

function measured(): Held {
  globalThis.gc?.();
  const text = readFileSync('/proc/self/smaps_rollup', 'utf8');
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024;
  return { pss: of('Pss'), shared: of('Pss_Shmem'), hits: 0, hash: '' };
}

const NOTHING: Held = { pss: 0, shared: 0, hits: 0, hash: '' };

async function open({ arm, file, path, pages, nearEntries }: HoldOrder): Promise<PageSource> {
  if (arm === 'private')
    return new PrivatePages(new PageServer(file, { latencyMs: 0, isDirect: false }), pages, 's3-fifo');
  const pool = await connect(path, { nearEntries });
  return poolPageSource(
    new SharedCache(pool).pages('memory', { pageSize: PAGE }),
    openStorage(file, { direct: false }),
  );
}

/** All pages in order, and then as many at random: these count. */
async function read(source: PageSource, { pages, seed }: HoldOrder): Promise<Held> {
  let hits = 0;
  const page = new Uint8Array(PAGE);
  const pattern = new PatternPages();
  const random = new Random(seed);
  const hash = createHash('sha256');
  for (let i = 0; i < 2 * pages; i++) {
    if (i % READS_A_TURN === 0) await nextTurn();
    const pageNo = i < pages ? i : random.below(pages);
    const isHit = source.read(pageNo, page);
    if (!pattern.check(pageNo, page)) throw new Error(`Page ${pageNo} is another one's.`);
    if (i >= pages && isHit) hits++;
    hash.update(`${pageNo},`);
  }
  return { ...NOTHING, hits, hash: hash.digest('hex') };
}

async function main(): Promise<void> {
  let order: HoldOrder | undefined;
  let source: PageSource | undefined;
  const obey = async (message: HoldOrder | 'read' | 'measure'): Promise<Held> => {
    if (message === 'measure') return measured();
    if (typeof message === 'object') order = message;
    else if (order !== undefined) {
      source = await open(order);
      return read(source, order);
    }
    return NOTHING;
  };
  process.on('message', (message: HoldOrder | 'read' | 'measure') => {
    obey(message).then(
      (held) => process.send?.(held),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on('disconnect', () => process.exit());
}

if (process.send !== undefined) await main();
