/**
 * Fetching: what `fetch` does after a miss, of caches and of page spaces alike. The loop ends, because what it waits for does:
 *
 * (F1) a load of this node is joined, that of another waited for, for a bounded time. After that whoever waited ends the claim
 *      and loads for himself, shared if he gets the claim, else private.
 * (F2) a fetch of a key by its own loader, called while that loader is on the stack, loads privately at once; one within
 *      that again is refused (LOAD_CYCLE).
 * (F3) where a page of the key lies that is not fresh any more, the claim is made beside it (W7). Whoever wins one looks for a fresh page
 *      once more: the claim before it may have ended because there is one.
 * (F4) a load that an invalidation of one of its tags has overtaken is joined by nobody who asks later: its claim is ended, and the page
 *      that comes of it is for those who had asked before. Of a load whose tags are not known yet any tag may be one.
 * (F5) of a load that has failed a moment ago (`errorMs`) the error is told again, to who would begin one: a load that is under way is joined all
 *      the same, and a page that is there is found before.
 */
import { PoolError } from '../../lib/errors.js';
import type { Machine } from '../../lib/machine.js';
import { type DraftName, type DraftPlace, type Key, type NearEntry, type Page, PinnedPage } from '../pool/index.js';
import type { Domain, KnownTags } from './domain.js';
import { type Claim, type ClaimKey, Loading, type Published, SEALED, UNSHARED } from './loading.js';
import { aborted, type Limits, type Loaded, Run, type Runs, runsOf } from './runs.js';
import type { Lease, Life } from './types.js';
import type { Told } from './validity.js';

/** A key that is fetched, and how. */
export interface Sought extends ClaimKey {
  readonly key: Key;
  /** Bytes that the draft of its claim is made for; 0 where they, or the versions that they are right for, are not known before the load. */
  readonly size: number;
  readonly ttlMs: number | undefined;
  /** How long what is loaded is kept after it has expired, in milliseconds; then its life begins with its load. */
  readonly keptMs: number;
  /** Of what is loaded; 'later' for tags that the load will tell. */
  readonly tags?: KnownTags;
  /** How long after a load has failed the same error is the answer, in milliseconds. */
  readonly errorMs?: number | undefined;
  /** Whether a page may lie there that has expired and is kept. */
  readonly mayBeKept: boolean;
  /** The live page, exposed. Neither counted nor touched. */
  look(): NearEntry | undefined;
  /** Calls the loader. */
  call(signal: AbortSignal): unknown;
  /** What it answered. Throws OPTION_INVALID, SHORT_LOAD. */
  take(answer: unknown): Taken;
  /** That the source has nothing for the key, if that is known. */
  lookNegative?(): Page | undefined;
  /** Remembers that, of a load under the lease that began at so many milliseconds of the wall clock. */
  storeNegative?(lease: Lease, startedMs: number): void;
  /** The load has failed, or nobody waits for it any more. */
  onGiveUp?(reason: unknown): void;
}

/** The answer of a loader whose source has nothing. */
export const NOTHING: Taken = { bytes: new Uint8Array(0), told: 'unversioned' };

/** The bytes of an answer, what is stored with them, and which versions they are right for. */
export interface Taken {
  readonly bytes: Uint8Array;
  readonly metadata?: Uint8Array | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly told: Told;
  /** In place of what was sought. */
  readonly life?: Life | undefined;
}

/** How what was loaded gets into the pool. */
interface Filling {
  /** The claim. */
  readonly place: DraftPlace | undefined;
  readonly lease: Lease;
  /** Of a page whose life begins with its load. */
  readonly expiry: number;
  /** Without a claim, beside a page that does not answer. */
  readonly isBeside: boolean;
}

const DEPTH_MAX = 2;

interface Step {
  readonly page: Page | Promise<Page | undefined>;
  readonly isWait: boolean;
}

function nameOf({ slot, generation }: Pick<DraftName, 'slot' | 'generation'>): string {
  return `${slot}.${generation}`;
}

/**
 * How long one fetch waits for loads: its limit for all of them, and once more for a load that began meanwhile. So of many who
 * have waited for one in vain, one loads and the others wait for that.
 */
export class Patience {
  private readonly machine: Pick<Machine, 'elapsedMs'>;
  private readonly limitMs: number;
  private sinceMs: number;
  private first: unknown;
  private isUsedUp = false;
  private turnsSinceMs: number | undefined;
  private pauses = 0;

  constructor(machine: Pick<Machine, 'elapsedMs'>, limitMs: number) {
    this.machine = machine;
    this.limitMs = limitMs;
    this.sinceMs = machine.elapsedMs();
  }

  isFirstPause(): boolean {
    return this.pauses++ === 0;
  }

  /** Whether its turns at a lock have taken the limit: whoever never gets it loads for himself. */
  isOverWithTurns(): boolean {
    this.turnsSinceMs ??= this.machine.elapsedMs();
    return this.machine.elapsedMs() - this.turnsSinceMs > this.limitMs;
  }

  leftMs(): number {
    return this.limitMs - (this.machine.elapsedMs() - this.sinceMs);
  }

  /** Whether to wait for this load; if so, that is what is waited for. */
  isLeftFor(load: unknown): boolean {
    this.first ??= load;
    if (this.leftMs() > 0) return true;
    if (this.isUsedUp || this.first === load) return false;
    this.isUsedUp = true;
    this.sinceMs = this.machine.elapsedMs();
    return true;
  }
}

function letGo(page: Page | undefined): void {
  page?.release();
}

/** Who asked has an answer already. */
function ignore(): void {}

async function lookAgainAfter(turn: Promise<unknown>): Promise<undefined> {
  await turn;
  return undefined;
}

export class Fetching {
  readonly loading: Loading;
  private readonly domain: Domain;
  private readonly runs: Runs;

  constructor(domain: Domain) {
    this.domain = domain;
    this.loading = new Loading(domain);
    this.runs = runsOf(domain.session, domain.space);
  }

  /** The page, pinned, after a miss. Rejects with the loader's error, LOAD_TIMEOUT, LOAD_CYCLE, ABORTED, DISCONNECTED. */
  async fetch(sought: Sought, limits: Limits): Promise<Page> {
    const { session } = this.domain;
    const patience = new Patience(session.machine, limits.loadTimeoutMs);
    let waits = 0;
    for (let round = 0; ; round++) {
      if (limits.signal?.aborted === true) throw aborted(limits.signal);
      session.check();
      // Most waits end with a page, for which no lock has to be taken.
      const sealed = round === 0 ? undefined : this.found(sought);
      if (sealed !== undefined) return sealed;
      // With no function's entry before one waits for it: see (L3) of runs.ts.
      const step = this.step(sought, limits, patience, waits === 0);
      if (step.isWait) waits++;
      const page = await step.page;
      if (page !== undefined) return page;
    }
  }

  /** (F2) As many loaders of the key as are on the stack, by what its domain calls it. */
  depthOf(name: string): number {
    return this.runs.depthOf(name);
  }

  /** (F2) Calls a loader of several keys later, as if those of each were on the stack that were so then. */
  callFor<T>(depths: ReadonlyMap<string, number>, load: () => T): T {
    return this.runs.callFor(depths, load);
  }

  /** One look, synchronous: the page, a load of one's own or another's, or a wait after which one looks again. */
  private step(sought: Sought, limits: Limits, patience: Patience, isFirstWait: boolean): Step {
    const { signal } = limits;
    const { session } = this.domain;
    sought.encode();
    // A load of another version is not this one.
    const name = `${this.domain.keyName()}${sought.asOf === undefined ? '' : ` ${sought.asOf}`}`;
    const depth = this.runs.depthOf(name);
    if (depth >= DEPTH_MAX) throw new PoolError('LOAD_CYCLE', 'A loader came to fetch the key that it loads.');
    const running = depth === 0 ? this.runs.get(name) : undefined;
    const isOvertaken = running !== undefined && !this.domain.isUpToDate(running.tags, running.lease);
    if (running !== undefined && !isOvertaken && this.domain.isValid(running.lease) && patience.isLeftFor(running.id)) {
      const loadTimeoutMs = patience.leftMs();
      if (isFirstWait) session.count('waits');
      return { page: running.join(sought.key, { signal, loadTimeoutMs }), isWait: true };
    }
    this.refuseSoon(sought, name);
    const claim = this.claim(sought);
    if (claim instanceof Promise) {
      if (!patience.isOverWithTurns()) return { page: lookAgainAfter(claim), isWait: false };
      return this.load(sought, name, UNSHARED, limits);
    }
    if (claim.kind === 'won') {
      // (F3) The load before it may have ended with nothing.
      const negative = sought.lookNegative?.();
      if (negative === undefined) return this.load(sought, name, claim, limits);
      this.loading.abandonInTurn(claim.place);
      return { page: negative, isWait: false };
    }
    const page = this.found(sought);
    if (page !== undefined) return { page, isWait: false };
    // A page lies there that does not answer, such as a version with an end: once it may be on its way out.
    if (claim.kind === 'sealed' && patience.isFirstPause()) {
      if (isFirstWait) session.count('waits');
      return { page: this.loading.pause(), isWait: true };
    }
    if ((claim.kind !== 'own' && claim.kind !== 'others') || depth > 0) return this.load(sought, name, claim, limits);
    const isVain = isOvertaken && running.id === nameOf(claim.draft);
    if (!isVain && patience.isLeftFor(nameOf(claim.draft)) && !this.loading.isStopped(claim.draft)) {
      const loadTimeoutMs = patience.leftMs();
      if (isFirstWait) session.count('waits');
      return { page: this.ended(sought, claim.from, { signal, loadTimeoutMs }), isWait: true };
    }
    const next = this.loading.endClaim(claim.draft) ? this.claim(sought) : claim;
    return this.load(sought, name, next instanceof Promise ? claim : next, limits);
  }

  private load(sought: Sought, name: string, claim: Claim, limits: Limits): Step {
    if (claim.kind !== 'won' && claim.kind !== 'sealed') this.domain.session.count('unshared');
    const run = this.runFor(sought, name, claim, limits.loadTimeoutMs);
    return { page: run.begin(sought.key, limits.signal), isWait: false };
  }

  /** A promise where one has to look again after it. */
  private claim(sought: Sought): Claim | Promise<unknown> {
    sought.encode();
    const { size, ttlMs, asOf } = sought;
    const claim = this.loading.claimInTurn(size, { ttlMs: size > 0 ? ttlMs : undefined, from: asOf });
    if (claim instanceof Promise || claim.kind !== 'sealed' || !sought.mayBeKept || sought.look() !== undefined)
      return claim;
    return this.claimBeside(sought);
  }

  /** (F3) */
  private claimBeside(sought: Sought): Claim | Promise<unknown> {
    sought.encode();
    const claim = this.loading.claimInTurn(0, { isBeside: true });
    if (claim instanceof Promise || claim.kind !== 'won' || sought.look() === undefined) return claim;
    this.loading.abandonInTurn(claim.place);
    return SEALED;
  }

  /** Begins to load the key anew, for whoever comes, where nobody does and that can be done at once. */
  refresh(sought: Sought, limits: Limits): void {
    const { loading } = this;
    sought.encode();
    const name = this.domain.keyName();
    const running = this.runs.get(name);
    if (this.runs.depthOf(name) > 0) return;
    const isOvertaken = running !== undefined && !this.domain.isUpToDate(running.tags, running.lease);
    if (running !== undefined && !isOvertaken && this.domain.isValid(running.lease)) return;
    if (this.failureOf(sought, name) !== undefined) return;
    let claim = this.claim(sought);
    // (F4)
    if (isOvertaken && !(claim instanceof Promise) && claim.kind === 'own' && running.id === nameOf(claim.draft)) {
      if (loading.endClaim(claim.draft)) claim = this.claim(sought);
    }
    if (claim instanceof Promise) return;
    if (claim.kind === 'won') {
      const run = this.runFor(sought, name, claim, limits.loadTimeoutMs);
      // With no function's entry before somebody listens: see (L3) of runs.ts.
      run.begin(sought.key, undefined).then(letGo, ignore);
    } else if (claim.kind === 'others' && loading.isStopped(claim.draft)) loading.endClaim(claim.draft);
  }

  /** (F5) Throws what the load has failed with. */
  private refuseSoon(sought: Sought, name: string): void {
    const failure = this.failureOf(sought, name);
    if (failure !== undefined) throw failure.error;
  }

  private failureOf({ errorMs = 0 }: Sought, name: string): { readonly error: unknown } | undefined {
    if (errorMs <= 0) return undefined;
    const { domain, runs } = this;
    return runs.failures.recent(name, domain.session.machine.elapsedMs(), errorMs, (lease) => domain.isValid(lease));
  }

  private found(sought: Sought): Page | undefined {
    const { session } = this.domain;
    const entry = sought.look();
    if (entry === undefined) return sought.lookNegative?.();
    session.reader.touch(entry);
    return new PinnedPage(session, sought.key, entry);
  }

  private async ended(sought: Sought, from: number, limits: Limits): Promise<undefined> {
    await this.loading.ended(sought, from, limits);
    return undefined;
  }

  private runFor(sought: Sought, name: string, claim: Claim, limitMs: number): Run {
    const { domain, loading } = this;
    const { session } = domain;
    const place = claim.kind === 'won' ? claim.place : undefined;
    const from = claim.kind === 'won' ? claim.from : 0;
    sought.encode();
    const lease = claim.kind === 'won' ? claim.lease : domain.lease();
    const startedMs = session.machine.elapsedMs();
    const startedAt = session.machine.nowMs();
    const filling = { place, lease, expiry: domain.expiryAfter(sought.ttlMs), isBeside: claim.kind === 'sealed' };
    const work = {
      name,
      id: place === undefined ? undefined : nameOf(place),
      lease,
      tags: sought.tags,
      call: (signal: AbortSignal) => sought.call(signal),
      finish: (answer: unknown): Loaded => {
        const taken = sought.take(answer);
        session.check();
        if (taken === NOTHING) return this.publishNegative(sought, filling, startedAt);
        return this.publish(sought, filling, taken);
      },
      watch: (onLost: () => void) => (place === undefined ? undefined : loading.watch(place, sought, from, onLost)),
      keep: () => {
        if (place !== undefined) session.track(place, undefined);
      },
      giveUp: (reason: unknown) => {
        if (place !== undefined) loading.abandonInTurn(place);
        sought.onGiveUp?.(reason);
      },
      turnAfter: (error: unknown) => loading.turnAfter(error),
      count: (failed: boolean) => {
        if (!failed) this.runs.failures.forget(name);
        loading.loaded(startedMs, failed);
      },
      failed: (error: unknown) => {
        const atMs = session.machine.elapsedMs();
        if ((sought.errorMs ?? 0) > 0) this.runs.failures.remember(name, { error, lease, atMs });
      },
    };
    return new Run(session, this.runs, work, limitMs);
  }

  /** Remembered before the claim is given up, so that whoever waits for its end finds it. */
  private publishNegative(sought: Sought, { place, lease }: Filling, startedMs: number): Loaded {
    sought.storeNegative?.(lease, startedMs);
    const isOfAll = this.domain.isValid(lease);
    if (place !== undefined) this.loading.abandonInTurn(place);
    return { kind: 'negative', isOfAll };
  }

  private publish(sought: Sought, filling: Filling, taken: Taken): Loaded {
    const { bytes, metadata } = taken;
    const outcome = this.tryPublish(sought, filling, taken);
    const entry = outcome === 'sealed' ? sought.look() : undefined;
    if (entry !== undefined) return { kind: 'shared', entry };
    return { kind: outcome === 'stale' ? 'stale' : 'private', bytes, metadata };
  }

  private tryPublish(sought: Sought, { place, lease, expiry, isBeside }: Filling, taken: Taken): Published {
    const { loading } = this;
    const { bytes, metadata, tags, told, life } = taken;
    sought.encode();
    if (place === undefined && !isBeside) return 'unshared';
    if (told === 'untold') {
      if (place !== undefined) loading.abandonInTurn(place);
      this.domain.session.count('unshared');
      return 'unshared';
    }
    if (told !== 'unversioned') {
      const { asOf } = sought;
      const isThere = () => sought.look() !== undefined;
      const loaded = asOf === undefined ? undefined : { asOf, isThere };
      return loading.storeInTurn(place, bytes, { expiry, lease, loaded, ...told });
    }
    if (life !== undefined) {
      const { expiresAtMs = 0, keptMs } = life;
      return loading.storeInTurn(place, bytes, { expiry: Math.floor(expiresAtMs), keptMs, metadata, lease, tags });
    }
    const { size, ttlMs, keptMs } = sought;
    if (keptMs > 0) return loading.storeInTurn(place, bytes, { expiry, keptMs, metadata, lease, tags });
    if (size === 0) return loading.storeInTurn(place, bytes, { ttlMs, metadata, lease, tags });
    if (place === undefined) return loading.storeInTurn(place, bytes, { expiry, lease });
    return loading.publishInTurn(place, bytes);
  }
}
