/**
 * replay-worker: the program of a node process. Started by fork with an IPC channel and --expose-gc, of no use alone.
 *
 * (W1) It ends when its driver does: the channel closes while it is idle, its parent changes while it replays.
 * (W2) bytesPrivate is what the cache alone keeps from the collector: the objects and the array buffers that go when the
 *      cache is dropped. The replay's own arrays are on both sides of that difference; compiled code is not counted, as
 *      newer engines drop with a cache the code that was compiled for its objects.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { getHeapSpaceStatistics } from 'node:v8';
import { MappedBoard, stayOnProcessor, yieldProcessor } from '../../../lib/linux/index.js';
import { type Accesses, FileAccesses } from './accesses.js';
import { PatternPages, StoragePages } from './pages.js';
import { PrivateLruCache, PrivatePolicyCache, type ReplayCache } from './replay-cache.js';
import { CountedSource, type ReplayTally, replay } from './replay-node.js';
import { type FromNode, type NodeConfig, type NodeReport, runFiles, type ToNode } from './replay-protocol.js';
import { openSharedCache } from './shared-cache.js';
import { createPolicy } from './simulate.js';

const SETTLE_MS = 100;
const COLLECT_ROUNDS_MAX = 500;
const COLLECT_ROUND_MS = 20;
/** Spaces of V8 that hold compiled code and what belongs to it. */
const CODE_SPACE = /^(code|trusted)_/;

const parent = process.ppid;
let config: NodeConfig;
let board: MappedBoard;
let source: CountedSource;
let trace: { accesses: Accesses; nodes: number; seed: number };
let tally: ReplayTally;
/** The only reference to the cache, so that it can be dropped. */
const holder: { cache: ReplayCache | undefined } = { cache: undefined };

function send(message: FromNode): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send!(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}

function endWithParent(): void {
  if (process.ppid !== parent) process.exit(1);
}

async function openCache(): Promise<ReplayCache> {
  const { arm, pageSize, capacity, policy, pool, nearEntries } = config;
  if (arm === 'shared') return await openSharedCache({ path: pool!, pageSize, source, nearEntries });
  if (arm === 'private-lru') return new PrivateLruCache({ capacity, pageSize, source });
  return new PrivatePolicyCache({ policy: createPolicy(policy, capacity), pageSize, source });
}

async function configure(received: NodeConfig): Promise<void> {
  config = received;
  const { directory, node, nodes, seed, storage, pageSize, unique, files } = config;
  stayOnProcessor(node);
  board = new MappedBoard(join(directory, runFiles.board), nodes);
  // Only pages that several processes write can be torn.
  const made = config.arm === 'shared' ? new PatternPages() : new PatternPages(pageSize);
  source = new CountedSource(storage === undefined ? made : new StoragePages(storage, pageSize, unique));
  trace = { accesses: new FileAccesses(files), nodes, seed };
  holder.cache = await openCache();
  await send({ type: 'ready' });
}

async function start(): Promise<void> {
  tally = replay(trace, { board, node: config.node, yieldProcessor, watch: endWithParent }, holder.cache!, source);
  await send({ type: 'finished' });
}

/** Twice: the first collection hands array buffers to a sweep that the second one completes. */
function retainedBytes(): number {
  globalThis.gc!();
  globalThis.gc!();
  const objects = getHeapSpaceStatistics().filter(({ space_name: name }) => !CODE_SPACE.test(name));
  return objects.reduce((sum, space) => sum + space.space_used_size, process.memoryUsage().arrayBuffers);
}

/** Frames of finished calls, or a compilation in the background, may hold a dropped cache for a while. */
async function untilCollected(dropped: WeakRef<ReplayCache>): Promise<void> {
  for (let round = 0; round < COLLECT_ROUNDS_MAX; round += 1) {
    // A reference that was looked at is held until this run of the event loop ends.
    await delay(COLLECT_ROUND_MS);
    globalThis.gc!();
    if (dropped.deref() === undefined) return;
  }
  throw new Error('its cache was never collected, so its memory cannot be told');
}

async function measure(): Promise<void> {
  const shared = holder.cache!.shared();
  const dropped = new WeakRef(holder.cache!);
  // Compilations that the replay left running end first, or their memory would be taken for the cache's.
  await delay(SETTLE_MS);
  const withCache = retainedBytes();
  await holder.cache!.close();
  holder.cache = undefined;
  await untilCollected(dropped);
  const bytesPrivate = Math.max(0, withCache - retainedBytes());
  source.close();
  const report: NodeReport = { ...tally, bytesPrivate, shared };
  await send({ type: 'report', report });
  process.disconnect();
}

async function answer(message: ToNode): Promise<void> {
  if (message.type === 'configure') await configure(message.config);
  else if (message.type === 'start') await start();
  else await measure();
}

process.on('message', (message: ToNode) => {
  answer(message).catch(async (error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    await send({ type: 'failed', reason }).catch(() => {});
    process.exit(1);
  });
});
process.on('disconnect', () => process.exit());
