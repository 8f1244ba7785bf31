/** The other end of Peer: one node, one cache, page spaces by name. */
import type { Key, Lease, PageSpace, SetOptions } from '../../src/index.js';
import { connect, SharedCache } from '../../src/index.js';
import type { Fetched, LoadPlan } from './peer.js';

const PAGE_BYTES = 64;
const [path, namespace] = process.argv.slice(2) as [string, string];
const pool = await connect(path);
const cache = new SharedCache(pool, { namespace });
const spaces = new Map<string, PageSpace>();

function spaceOf(name: string): PageSpace {
  const known = spaces.get(name);
  if (known !== undefined) return known;
  const made = cache.pages(name, { pageSize: PAGE_BYTES });
  spaces.set(name, made);
  return made;
}

const tell = (event: string) => process.send?.({ event });
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The loader of a plan; it tells when it begins. */
function loaderOf(plan: LoadPlan, counted: { loads: number }): () => Promise<Uint8Array> {
  return async () => {
    counted.loads++;
    tell('loading');
    if (plan.hang === true) await new Promise(() => {});
    if (plan.delayMs !== undefined) await sleep(plan.delayMs);
    if (plan.fail !== undefined) throw Object.assign(new Error(plan.fail), { code: plan.fail });
    return plan.bytes ?? new Uint8Array(PAGE_BYTES);
  };
}

async function fetchPlan(key: Key, plan: LoadPlan): Promise<Fetched> {
  const counted = { loads: 0 };
  try {
    const page = await cache.fetch(key, loaderOf(plan, counted), plan.ttlMs === undefined ? {} : { ttlMs: plan.ttlMs });
    const bytes = page.copy();
    page.release();
    return { bytes, loads: counted.loads };
  } catch (error) {
    return { error: (error as { code?: string }).code ?? String(error), loads: counted.loads };
  }
}

async function fetchPage(space: string, pageNo: number, plan: LoadPlan): Promise<Fetched> {
  const counted = { loads: 0 };
  const load = loaderOf(plan, counted);
  try {
    const page = await spaceOf(space).fetch(pageNo, async (_, target) => target.set(await load()));
    const bytes = page.copy();
    page.release();
    return { bytes, loads: counted.loads };
  } catch (error) {
    return { error: (error as { code?: string }).code ?? String(error), loads: counted.loads };
  }
}

/** All keys at once, with loads that take a while: how many loads each key took here, and what was wrong. */
async function fetchAll(
  keys: string[],
  delayMs: number,
  makeMs: number,
): Promise<{ loads: string[]; wrong: string[] }> {
  const loads: string[] = [];
  const wrong: string[] = [];
  await sleep(Math.max(0, makeMs - Date.now()));
  const load = async (key: string) => {
    loads.push(key);
    await sleep(delayMs);
    return new TextEncoder().encode(`value of ${key}`);
  };
  // No load is given up here, however busy the machine: each has to be done once.
  const loadTimeoutMs = 100_000;
  const one = async (key: string) => {
    const page = await cache.fetch(key, () => load(key), { loadTimeoutMs });
    if (new TextDecoder().decode(page.bytes) !== `value of ${key}`) wrong.push(key);
    page.release();
  };
  await Promise.all(keys.map(one));
  return { loads, wrong };
}

/** Pages one after another, synchronously, as an engine reads them. */
function fetchAllSync(space: string, pages: number[], blockMs: number): { loads: number[]; wrong: number[] } {
  const loads: number[] = [];
  const wrong: number[] = [];
  for (const pageNo of pages) {
    const bytes = spaceOf(space).fetchSync(pageNo, (no, target) => {
      loads.push(no);
      for (const end = Date.now() + blockMs; Date.now() < end; );
      target.fill(no & 0xff);
    });
    if (bytes.some((byte) => byte !== (pageNo & 0xff))) wrong.push(pageNo);
  }
  return { loads, wrong };
}

/** Reads until told to stop: each value read must be one that was there, and never older than the one before it. */
async function watch(keys: string[], durationMs: number): Promise<{ reads: number; misses: number; wrong: string[] }> {
  const last = keys.map(() => -1);
  const seen = { reads: 0, misses: 0, wrong: [] as string[] };
  const end = Date.now() + durationMs;
  while (Date.now() < end) {
    for (let round = 0; round < 200; round++) for (const [i, key] of keys.entries()) look(key, i);
    await sleep(0);
  }
  function look(key: string, i: number): void {
    const bytes = cache.borrow(key);
    seen.reads++;
    if (bytes === undefined) {
      seen.misses++;
      return;
    }
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    const version = words[0] as number;
    if (words[1] !== i || version < (last[i] as number)) seen.wrong.push(`${key}: ${version} after ${last[i]}`);
    for (let w = 2; w < words.length; w++) if (words[w] !== version) seen.wrong.push(`${key}: torn ${version}`);
    last[i] = Math.max(last[i] as number, version);
  }
  return seen;
}

const operations: Record<string, (...args: never[]) => unknown> = {
  get: (key: Key) => cache.borrow(key)?.slice(),
  has: (key: Key) => cache.has(key),
  set: (key: Key, bytes: Uint8Array, options?: SetOptions) => cache.set(key, bytes, options),
  delete: (key: Key) => cache.delete(key),
  clear: () => cache.clear(),
  keys: () => [...cache.keys()],
  stats: () => cache.stats(),
  lease: (key: Key) => cache.lease(key),
  fetch: fetchPlan,
  fetchPage,
  fetchAll,
  fetchAllSync,
  watch,
  put: (space: string, pageNo: number, bytes: Uint8Array, options?: { from?: number; until?: number; lease?: Lease }) =>
    spaceOf(space).put(pageNo, bytes, options),
  readPage: (space: string, pageNo: number, asOf?: number) => spaceOf(space).borrow(pageNo, asOf)?.slice(),
  invalidate: (space: string, pageNo: number, version?: number) => spaceOf(space).invalidate(pageNo, version),
  invalidateRange: (space: string, first: number, count: number) => spaceOf(space).invalidateRange(first, count),
  drop: (space: string) => spaceOf(space).drop(),
  /** Code of a test's own, for what only it needs: the body of a function of pool, cache and pages. */
  run: (body: string) =>
    new Function('pool', 'cache', 'pages', `return (async () => {${body}})()`)(pool, cache, spaceOf),
};

process.on('message', async (call: { id: number; operation: string; args: never[] }) => {
  try {
    const result = await operations[call.operation]?.(...call.args);
    process.send?.({ id: call.id, result });
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    process.send?.({ id: call.id, error: { message, code } });
  }
});
process.on('disconnect', () => process.exit());
tell('ready');
