/**
 * Many keys in one call. What is there is pinned at once; what is missing is claimed key by key, as `fetch` does, and all that this
 * call has won goes to its loader in one call. So a key is loaded once across all nodes, however the keys of two calls overlap: what
 * another has claimed is waited for, and nobody holds back a load of his own while he waits.
 *
 * (U1) a batch goes to the loader at the end of the run in which its first key was won, by a microtask of its own: a call that is
 *      cut before it returns leaves no claim that nobody loads for. What is won later, because the load that was waited for
 *      failed, goes in a later batch.
 * (U2) the answer is looked at whole before any page of it is published: one that is refused publishes nothing.
 * (U3) a page that comes for a call that was cut, or has failed, is released as it comes. Whose the pages are is told by one plain
 *      store, with no function's entry before the caller has his promise.
 * (U4) a batch's signal aborts when nobody waits any more for any of its keys.
 */
import { takeBytes } from '../../lib/bytes.js';
import { PoolError } from '../../lib/errors.js';
import { type Key, type Page, pinMany } from '../pool/index.js';
import type { Domain } from './domain.js';
import type { Fetching, Sought } from './fetching.js';
import { Absent, type Limits } from './runs.js';
import { type BulkAnswer, type BulkLoader, LoadedFor, type LoaderAnswer, notFound } from './types.js';

interface Enlisted {
  readonly key: Key;
  /** The bytes of the key, as the name of a map's entry. */
  readonly name: string;
  /** Its loaders on the stack, this one included. */
  readonly depth: number;
  isGivenUp: boolean;
  batch: Batch | undefined;
  resolve(loaded: LoaderAnswer): void;
  reject(error: unknown): void;
}

/** Keys that are loaded by one call. */
class Batch {
  readonly keys: readonly Enlisted[];
  readonly controller = new AbortController();
  private left: number;

  constructor(keys: readonly Enlisted[]) {
    this.keys = keys;
    this.left = keys.length;
    for (const one of keys) one.batch = this;
  }

  /** (U4) */
  leave(reason: unknown): void {
    this.left--;
    if (this.left === 0) this.controller.abort(reason);
  }

  /** The loader has answered: what is given up from now on is nothing to it. */
  end(): void {
    for (const one of this.keys) one.batch = undefined;
  }
}

/** The keys that one call has won and its loader has not been asked for yet. */
class Batches {
  private readonly domain: Domain;
  private readonly fetching: Fetching;
  private readonly load: BulkLoader;
  private waiting: Enlisted[] = [];

  constructor(domain: Domain, fetching: Fetching, load: BulkLoader) {
    this.domain = domain;
    this.fetching = fetching;
    this.load = load;
  }

  /** What `resolve` or `reject` is called of when the key's batch has been loaded: with its bytes, or Absent where there are none. */
  enlist(key: Key, resolve: (loaded: LoaderAnswer) => void, reject: (error: unknown) => void): Enlisted {
    this.domain.keys.encode(key);
    const name = this.domain.keyName();
    const depth = this.fetching.depthOf(name);
    const one = { key, name, depth, isGivenUp: false, batch: undefined, resolve, reject };
    // (U1)
    if (this.waiting.length === 0) Promise.resolve().then(() => this.flush());
    this.waiting.push(one);
    return one;
  }

  giveUp(one: Enlisted, reason: unknown): void {
    if (one.isGivenUp) return;
    one.isGivenUp = true;
    one.batch?.leave(reason);
  }

  private flush(): void {
    const keys = this.waiting.filter(({ isGivenUp }) => !isGivenUp);
    this.waiting = [];
    if (keys.length === 0) return;
    const batch = new Batch(keys);
    const { signal } = batch.controller;
    const depths = new Map(keys.map(({ name, depth }) => [name, depth]));
    const asked = keys.map(({ key }) => key);
    const onError = (error: unknown) => {
      batch.end();
      for (const { reject } of keys) reject(error);
    };
    // Also for what it throws, and for an answer that is refused.
    new Promise<BulkAnswer>((resolve) => resolve(this.fetching.callFor(depths, () => this.load(asked, { signal }))))
      .then((answer) => this.give(batch, answer))
      .catch(onError);
  }

  private give(batch: Batch, answer: BulkAnswer): void {
    const { keys } = batch;
    const found = this.contentOf(keys, answer);
    batch.end();
    for (const [i, { resolve, reject }] of keys.entries()) {
      const bytes = found[i];
      if (bytes === undefined) reject(new Absent());
      else resolve(bytes);
    }
  }

  /** (U2) In the order of the batch. Throws OPTION_INVALID. */
  private contentOf(batch: readonly Enlisted[], answer: unknown): (LoaderAnswer | undefined)[] {
    if (Array.isArray(answer)) {
      if (answer.length !== batch.length)
        throw refused(`it answered an array of ${answer.length} for ${batch.length} keys`);
      return batch.map(({ key }, i) => contentFor(key, answer[i]));
    }
    if (!(answer instanceof Map))
      throw refused('it gave neither a Map of bytes by key nor an array in the order of the keys');
    // By their bytes: a loader that got keys from elsewhere has other objects for those that are bytes.
    const byName = new Map<string, unknown>();
    for (const [key, value] of answer) {
      this.domain.keys.encode(key);
      byName.set(this.domain.keyName(), value);
    }
    return batch.map(({ key, name }) => contentFor(key, byName.get(name)));
  }
}

function contentFor(key: Key, value: unknown): LoaderAnswer | undefined {
  if (value === undefined) return undefined;
  // What it has is looked at as it is taken, as that of fetch.
  if (value instanceof LoadedFor) return value;
  if (value === notFound) return notFound;
  return takeBytes(
    value,
    typeof key === 'string' ? `what loadMany gave for ${JSON.stringify(key.slice(0, 120))}` : 'what loadMany gave',
  );
}

function refused(why: string): PoolError {
  return new PoolError('OPTION_INVALID', `loadMany: ${why}.`, { option: 'loadMany' });
}

/** What of a cache one call works with. */
export interface BulkHost {
  readonly domain: Domain;
  readonly fetching: Fetching;
  /** What is there, counted and exposed. */
  find(key: Key): Page | undefined;
  /** Whether the source is known to have nothing for it. */
  isNegative(key: Key): boolean;
  /** How a missing key is fetched, but for its loader, which gives its bytes. */
  seek(key: Key): Omit<Sought, 'call' | 'onGiveUp'>;
}

class Bulk {
  /** By key, in the order of the keys. */
  readonly pages = new Map<Key, Page | undefined>();
  readonly done: Promise<void>;
  /** (U3) */
  isWanted = false;
  private hasFailed = false;
  private readonly host: BulkHost;
  private readonly batches: Batches;
  private readonly limits: Limits;
  private missing = 0;
  private resolve!: () => void;
  private reject!: (error: unknown) => void;
  canEnd = false;

  constructor(host: BulkHost, load: BulkLoader, limits: Limits) {
    this.host = host;
    this.limits = limits;
    this.batches = new Batches(host.domain, host.fetching, load);
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      this.canEnd = true;
    });
    // Of a call that was cut nobody has it.
    this.done.catch(() => {});
  }

  begin(): void {
    const missing = [...this.pages].filter(([key, page]) => page === undefined && !this.host.isNegative(key));
    this.missing = missing.length;
    const onEnd = () => {
      this.missing--;
      if (this.missing === 0) this.resolve();
    };
    for (const [key] of missing) {
      const sought = this.seek(key);
      const onPage = (page: Page) => {
        // That there is nothing is no page.
        if (this.isWanted && page.freshness !== 'negative') this.pages.set(key, page);
        else page.release();
        onEnd();
      };
      const onError = (error: unknown) => {
        if (!(error instanceof Absent)) this.fail(error);
        onEnd();
      };
      // With no function's entry before somebody listens: see (L3) of runs.ts.
      this.host.fetching.fetch(sought, this.limits).then(onPage, onError);
    }
    if (missing.length === 0) this.resolve();
  }

  private seek(key: Key): Sought {
    let enlisted: Enlisted | undefined;
    const call = () =>
      new Promise<LoaderAnswer>((resolve, reject) => {
        // A call that has failed meanwhile begins nothing any more.
        if (this.hasFailed) reject(new Absent());
        else enlisted = this.batches.enlist(key, resolve, reject);
      });
    const onGiveUp = (reason: unknown) => {
      if (enlisted !== undefined) this.batches.giveUp(enlisted, reason);
    };
    return { ...this.host.seek(key), call, onGiveUp };
  }

  /** Nothing stays pinned, and what is still waited for is not wanted any more. */
  private fail(error: unknown): void {
    this.hasFailed = true;
    this.reject(error);
    if (!this.isWanted) return;
    this.isWanted = false;
    for (const page of this.pages.values()) page?.release();
  }
}

/**
 * The pages of the keys, pinned, by key, in the order in which the keys are named first; those the loader has nothing for are not among
 * them. Rejects as fetch does, and then nothing stays pinned.
 */
export async function fetchMany(
  host: BulkHost,
  keys: readonly Key[],
  load: BulkLoader,
  limits: Limits,
): Promise<Map<Key, Page>> {
  const { session } = host.domain;
  const different = [...new Set(keys)];
  const bulk = new Bulk(host, load, limits);
  // One that was cut as it was made has failed, and there is nothing to take back yet.
  if (!bulk.canEnd) await bulk.done;
  const found = pinMany(session, different, (key) => host.find(key));
  for (const [i, key] of different.entries()) bulk.pages.set(key, found[i]);
  bulk.begin();
  // (U3)
  bulk.isWanted = true;
  session.inHand.length = 0;
  await bulk.done;
  const pages = new Map<Key, Page>();
  for (const [key, page] of bulk.pages) if (page !== undefined) pages.set(key, page);
  return pages;
}
