/** Loads that several wait for, of whom one is cut: the others are answered, nobody waits for what is over, nothing stays. */
import { type NotFound, notFound } from '../../../src/index.js';
import { contentOf } from '../content.js';
import { CrashFault, type Stage } from '../crash/exhaustive.js';
import { KEYS, type Scenario } from '../crash/scenarios.js';
import type { SimulatedNode } from '../node.js';
import type { World } from '../world.js';
import { cutShort } from './probe.js';
import { checkNothingWaits, cutCall, type OddRun, Outcome, staged, turnEventLoop } from './turns.js';

export const LOAD_SCENARIO: Scenario = { name: 'loads', shape: { shards: 1, objectsPerShard: 8 }, act: () => {} };

const KEY = KEYS[0] as string;

interface Page {
  readonly bytes: Uint8Array;
  release(): void;
}

/** Loaders whose loads end when they are told to. */
class Source {
  private readonly open: { resolve: (loaded: Uint8Array | NotFound) => void; reject: (error: Error) => void }[] = [];
  calls = 0;
  hasNothing = false;

  readonly load = (): Promise<Uint8Array | NotFound> => {
    this.calls++;
    return new Promise((resolve, reject) => {
      this.open.push({ resolve, reject });
    });
  };

  async end(fails: boolean): Promise<void> {
    for (const { resolve, reject } of this.open.splice(0)) {
      if (fails) reject(new Error('the source fails'));
      else resolve(this.hasNothing ? notFound : contentOf(0, 1, 96));
    }
    await turnEventLoop(1);
  }
}

type Fetch = (source: Source, signal?: AbortSignal) => Promise<Page>;

const WHATS = [
  'a key',
  'a page',
  'a page as of a version',
  'keys in one call',
  'a key that has expired',
  'a key that may be stale',
  'a key of nothing',
] as const;
type What = (typeof WHATS)[number];

function fetchOf(node: SimulatedNode, what: What): Fetch {
  const lives = { ttlMs: 1e6, ...(what === 'a key that may be stale' ? { staleMs: 1e9, staleOnErrorMs: 1e9 } : {}) };
  if (what.startsWith('a key'))
    return (source, signal) =>
      node.cache.fetch(KEY, source.load, { ...lives, loadTimeoutMs: 1e9, ...(signal === undefined ? {} : { signal }) });
  if (what === 'keys in one call') return (source, signal) => fetchKeys(node, source, signal);
  return (source, signal) =>
    node.pages.fetch(
      1,
      async (_, target) => {
        target.set((await source.load()) as Uint8Array);
        return what === 'a page' ? undefined : { from: 2 };
      },
      { loadTimeoutMs: 1e9, ...(what === 'a page' ? {} : { asOf: 3 }), ...(signal === undefined ? {} : { signal }) },
    );
}

/** Beside the key one that is there, and one that nobody else asks for. */
async function fetchKeys(node: SimulatedNode, source: Source, signal?: AbortSignal): Promise<Page> {
  const keys = [KEYS[1] as string, KEY, KEYS[2] as string];
  const load = async () => new Map([...keys].map((key) => [key, contentOf(0, 1, 96)] as const));
  const pages = await node.cache.fetchMany(keys, async () => (await source.load()) && load(), {
    loadTimeoutMs: 1e9,
    ...(signal === undefined ? {} : { signal }),
  });
  const release = () => {
    for (const page of pages.values()) page.release();
  };
  return { bytes: new Uint8Array(0), release };
}

function release(of: string, outcome: Outcome<Page> | undefined, fails: boolean): void {
  if (outcome === undefined) return;
  if (outcome.state === 'open') throw new CrashFault(`${of} waits for ever`);
  if (outcome.state === 'rejected' && !fails) throw new CrashFault(`${of} is told ${outcome.error}`);
  outcome.value?.release();
}

/** Whoever comes now is answered as soon as its own load, if it needs one, has ended. */
async function checkAnswered(node: SimulatedNode, fetch: Fetch): Promise<void> {
  const source = new Source();
  const page = new Outcome(fetch(source));
  node.machine.endRun();
  await turnEventLoop(1);
  await source.end(false);
  release('a fetch after it', page, false);
}

function checkBooks(node: SimulatedNode): void {
  const { drafts } = node.session as unknown as { drafts: Map<unknown, unknown> };
  if (drafts.size > 0) throw new CrashFault(`${drafts.size} drafts stay in the books`);
  const { parts } = node.session;
  for (let shard = 0; shard < parts.geometry.shards; shard++)
    if (parts.shards.drafts(shard) > 0) throw new CrashFault('a claim stays');
  node.upkeep.tick();
  checkNothingWaits(node);
}

interface How {
  readonly what: What;
  readonly fails: boolean;
  /** Who is cut: he who begins the load, who joins it, of the same node or of another; or he who gives it up. */
  readonly who: 'leader' | 'follower' | 'other' | 'leaver';
}

/** Signals whose listeners the test calls, as what they throw is to end the call that aborts. */
function abortable(): { signal: AbortSignal; abort: () => void } {
  const stop = new AbortController();
  const { signal } = stop;
  const listeners: (() => void)[] = [];
  signal.addEventListener = ((_name: string, listener: () => void) => listeners.push(listener)) as never;
  const abort = () => {
    stop.abort();
    for (const listener of listeners.splice(0)) listener();
  };
  return { signal, abort };
}

function runLoad(world: World, { what, fails, who }: How): OddRun {
  return (kind, k) =>
    staged(world, LOAD_SCENARIO, async (stage: Stage) => {
      const { third: node, survivor } = stage;
      const fetch = fetchOf(node, what);
      const source = new Source();
      source.hasNothing = what === 'a key of nothing';
      const others: Outcome<Page>[] = [];
      if (what === 'a key that has expired' || what === 'a key that may be stale') {
        survivor.cache.set(KEY, contentOf(0, 1, 96), { ttlMs: 5, staleMs: 1e9 });
        stage.world.control.pass(10);
      }
      if (what === 'keys in one call') survivor.cache.set(KEYS[1] as string, contentOf(1, 1));
      const { signal, abort } = abortable();
      if (who !== 'leader') others.push(new Outcome(fetchOf(who === 'other' ? survivor : node, what)(source)));
      const leaving = who === 'leaver' ? new Outcome(fetch(source, signal)) : undefined;
      for (const each of [node, survivor]) each.machine.endRun();
      const [isCut, cut] =
        leaving === undefined ? cutCall(kind, k, () => fetch(source)) : [cutShort(kind, k, abort), leaving];
      node.machine.endRun();
      others.push(new Outcome(fetch(source)));
      await turnEventLoop(1);
      await source.end(fails);
      for (const each of [survivor, node]) each.upkeep.tick();
      await turnEventLoop(1);
      // Where the one before gave it up, another has begun to load.
      await source.end(false);
      release('the one that was cut', cut, true);
      for (const other of others) release('another', other, fails);
      await checkAnswered(node, fetch);
      checkBooks(node);
      return isCut;
    });
}

/** A loader that fails at once, in a call that is cut while it is told. */
function runThrowing(world: World): OddRun {
  return (kind, k) =>
    staged(world, LOAD_SCENARIO, async (stage: Stage) => {
      const { third: node } = stage;
      const load = (): Uint8Array => {
        throw new Error('the source fails');
      };
      const [isCut, cut] = cutCall(kind, k, () => node.cache.fetch(KEY, load));
      node.machine.endRun();
      await turnEventLoop(1);
      release('the one that was cut', cut, true);
      await checkAnswered(node, fetchOf(node, 'a key'));
      checkBooks(node);
      return isCut;
    });
}

export function loadRuns(world: World): [string, OddRun][] {
  const runs: [string, OddRun][] = [['a loader that throws', runThrowing(world)]];
  for (const who of ['leader', 'follower', 'other', 'leaver'] as const) {
    for (const what of WHATS)
      for (const fails of [false, true])
        runs.push([`${who} of a load of ${what}${fails ? ' that fails' : ''}`, runLoad(world, { what, fails, who })]);
  }
  return runs;
}
