/**
 * Question: what does a page cost on lines that are written back and dropped by hand, beside the pool that hardware keeps coherent?
 *
 * The protocol of src/coherence, over memory of this machine. It is coherent, so nothing here says what other hosts' memory costs:
 * only what the instructions, the calls to them and the protocol's own work cost. Three arms: the pool of connect; the protocol with
 * writebacks and invalidates that do nothing; and with the processor's own. A batch puts pages that are not there, or gets pages
 * that were got before; what it put is deleted again off the clock.
 */
import { closeSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PoolError } from '../lib/errors.js';
import { CacheLines, Mapping } from '../lib/linux/index.js';
import {
  type CoherenceHost,
  formatDevice,
  Joining,
  type LineMover,
  MappedLines,
  Plan,
} from '../src/coherence/index.js';
import { connect } from './build.js';
import type { Benchmark, Context } from './frame.js';
import { type Arm, addFigures, interleave, sampleOf } from './interleave.js';
import { PageMaker } from './pages.js';
import { scratchFolder } from './scratch.js';

const PAGE_BYTES = 8192;
const BATCH = 32;
const POOL_BYTES = 64 * 1024 ** 2;
const SHAPE = { hosts: 2, logRecords: 1024, pinLines: 16, dataLines: 8 * BATCH * 128 };
const COHERENT = 'the pool of connect';
const NOTHING: LineMover = { writeback: () => {}, invalidate: () => {}, order: () => {} };

interface Store {
  readonly name: string;
  put(key: string, bytes: Uint8Array): void;
  /** The byte of the page at the offset, got and released. */
  read(key: string, offset: number): number;
  /** Off the clock. */
  remove(keys: readonly string[]): void;
}

async function poolStore(folder: string): Promise<Store> {
  const pool = await connect(join(folder, 'pool'), { create: { size: POOL_BYTES, pageSize: PAGE_BYTES } });
  return {
    name: COHERENT,
    put: (key, bytes) => {
      pool.put(key, bytes);
    },
    read: (key, offset) => {
      const page = pool.get(key);
      const byte = page?.bytes[offset] ?? -1;
      page?.release();
      return byte;
    },
    remove: (keys) => {
      for (const key of keys) pool.delete(key);
    },
  };
}

/** Two hosts in this process: the first works, the second only acknowledges, as somebody has to. */
function lineStore(folder: string, name: string, mover: (mapping: Mapping) => LineMover): Store {
  const path = join(folder, name.replaceAll(' ', '-'));
  const size = new Plan(SHAPE).lineCount * 64;
  writeFileSync(path, '');
  truncateSync(path, size);
  const descriptor = openSync(path, 'r+');
  const mapping = new Mapping(descriptor, 0, size, true);
  closeSync(descriptor);
  const lines = new MappedLines(mapping.buffer, mover(mapping));
  formatDevice(lines, SHAPE, { low: 1, high: 2 });
  const surroundings = { elapsedMs: () => performance.now(), pause: () => {} };
  const [host, other] = [0, 1].map((number) => new Joining(lines, surroundings, { host: number, waitMs: 100 }).join());
  if (host === undefined || other === undefined) throw new Error('There are two hosts.');
  const settle = (node: CoherenceHost) => {
    node.beat();
    node.forget();
    node.reclaim();
  };
  return {
    name,
    put: (key, bytes) => host.sealDraft(host.createDraft(key, bytes.length), bytes),
    read: (key, offset) => {
      const page = host.findPage(key, { isKnown: true });
      if (page === undefined) return -1;
      const byte = lines.bytesAt(page.entry.extent, page.byteLength)[offset] as number;
      host.releasePage(page);
      return byte;
    },
    remove: (keys) => {
      for (const key of keys) host.deletePage(key);
      for (let round = 0; round < 6; round++) for (const node of [host, other]) settle(node);
    },
  };
}

function storesOf(folder: string, context: Context): Store[] {
  const stores = [lineStore(folder, 'lines that nothing moves', () => NOTHING)];
  try {
    stores.push(lineStore(folder, 'lines moved by instructions', (mapping) => new CacheLines(mapping)));
  } catch (error) {
    if (!(error instanceof PoolError) || error.code !== 'UNSUPPORTED') throw error;
    context.note(error.message);
  }
  return stores;
}

const KEYS = Array.from({ length: BATCH }, (_, index) => `page ${index}`);

function putArm(store: Store, pages: readonly Uint8Array[]): Arm {
  return {
    name: store.name,
    batch: () => {
      const sample = sampleOf(store.name, BATCH, BATCH, () => {
        for (let i = 0; i < BATCH; i++) store.put(KEYS[i] as string, pages[i] as Uint8Array);
        return BATCH;
      });
      if (store.read(KEYS[BATCH - 1] as string, 9) !== pages[BATCH - 1]?.[9]) throw new Error('It is another page.');
      store.remove(KEYS);
      return sample;
    },
  };
}

function getArm(store: Store, pages: readonly Uint8Array[]): Arm {
  const reads = 64 * BATCH;
  let sum = 0;
  for (let i = 0; i < reads; i++) sum += pages[i % BATCH]?.[i] as number;
  for (let i = 0; i < BATCH; i++) store.put(KEYS[i] as string, pages[i] as Uint8Array);
  const batch = () =>
    sampleOf(store.name, reads, sum, () => {
      let seen = 0;
      for (let i = 0; i < reads; i++) seen += store.read(KEYS[i % BATCH] as string, i);
      return seen;
    });
  return { name: store.name, batch };
}

export const benchmark: Benchmark = {
  question: 'what does a page cost on lines that are written back and dropped by hand, beside the pool?',
  cells: () => ['put 8 KiB', 'get again, without a look'],

  async run(cell, context) {
    const folder = scratchFolder(POOL_BYTES + 2 * new Plan(SHAPE).lineCount * 64);
    const stores = [await poolStore(folder), ...storesOf(folder, context)];
    const pages = new PageMaker(context.seed, PAGE_BYTES).pages(BATCH);
    for (const page of pages)
      context.checked(
        'page',
        page.reduce((sum, byte) => sum + byte, 0),
      );
    const isPut = cell.startsWith('put');
    const arms = stores.map((store) => (isPut ? putArm(store, pages) : getArm(store, pages)));
    const pace = context.pick({ rounds: 3, sliceMs: 2, warmupRounds: 1 }, { rounds: 41, sliceMs: 20, warmupRounds: 6 });
    addFigures(context, await interleave(arms, pace, context), {
      prefix: `${cell}: `,
      unit: 'ns',
      from: (ms) => ms * 1e6,
      baselineOf: () => COHERENT,
      goalOf: (arm) => (arm === COHERENT ? undefined : isPut ? '<= 2' : '<= 1.1'),
    });
  },
};
