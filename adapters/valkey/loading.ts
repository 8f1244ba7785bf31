/**
 * What a load is where there is a tier: the tier's value, or the loader's under a lease, or what another host loads, waited for. Called
 * within the pool's own claim, so once a host at a time (W1 of src/cache/loading.ts).
 *
 * (T1) the pool's claim was made before the tier is asked: an invalidation that this host is told of meanwhile refuses what comes from it.
 * (T2) what is loaded is offered to the tier before the pool has it. Refused there it is its caller's alone: another host has invalidated
 *      the key, whether this one was told yet or not.
 * (T3) a life begins with its load, wherever it was: the tier keeps what is left of it, and gives what is left then.
 * (T4) a load goes on without the tier where that does not answer: after at most a request's time limit, or at once while the circuit
 *      breaker is open. The same where another host's load is waited for in vain.
 */
import { type FetchOptions, type Key, type LoadedFor, type Loader, loadedFor, notFound } from '../../src/index.js';
import { wait } from './connection.js';
import type { Host } from './host.js';
import type { Settings } from './options.js';
import type { Stored, TierSpace, Value } from './space.js';
import { bytesOfKey } from './space.js';
import { checkTags } from './tagcells.js';

const PAUSE_MIN_MS = 2;
const PAUSE_MAX_MS = 50;

export interface LifeOptions {
  readonly ttlMs?: number | undefined;
  readonly negativeTtlMs?: number | undefined;
  readonly staleMs?: number | undefined;
  readonly staleOnErrorMs?: number | undefined;
  readonly metadata?: Uint8Array | (() => Uint8Array | undefined) | undefined;
  /** Of what is loaded: what comes from the tier has its own. */
  readonly tags?: FetchOptions['tags'];
}

/** What became of one load. */
export interface Told {
  isStale: boolean;
}

interface Made extends Stored {
  /** When the load began, of performance.now(). */
  readonly begunMs: number;
}

const NOTHING = new Uint8Array(0);

function tagsFor(key: Key, { tags }: LifeOptions): readonly string[] | undefined {
  return checkTags(typeof tags === 'function' ? tags(key) : tags);
}

export class TierLoading {
  /** Loads of the caller's loader. */
  loads = 0;
  private readonly settings: Settings;
  private readonly space: TierSpace;
  private readonly host: Host;

  constructor(settings: Settings, space: TierSpace, host: Host) {
    this.settings = settings;
    this.space = space;
    this.host = host;
  }

  /** Rejects with what the loader throws. */
  async load(key: Key, load: Loader, options: LifeOptions, signal: AbortSignal, told: Told): Promise<LoadedFor> {
    const bytes = bytesOfKey(key);
    const waitsUntilMs = performance.now() + this.settings.waitMs;
    const staleMs = options.staleMs ?? 0;
    for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)) {
      const seen = this.host.seen();
      const askedMs = performance.now();
      const answer = await this.space.ask(bytes, seen, { leases: true, staleMs });
      if (answer.kind === 'value') return this.given(answer, askedMs);
      if (answer.kind === 'stale') {
        told.isStale = true;
        return this.given(answer, askedMs);
      }
      if (answer.kind === 'lease') return this.loadUnder(answer.lease, key, load, options, signal, told);
      if (answer.kind === 'other' && seen.place !== undefined) await this.host.sawOther(seen.place);
      if (answer.kind !== 'wait' || askedMs >= waitsUntilMs || signal.aborted) break;
      if (pauseMs === PAUSE_MIN_MS) this.space.counts.waits++;
      await wait(pauseMs, signal);
    }
    // (T4)
    const made = await this.call(key, load, options, signal);
    return this.lasting(made, true);
  }

  /** Of a key that a loader of many has answered; undefined where it has nothing for it. */
  async bulkLoaded(
    key: Key,
    lease: string | undefined,
    answer: unknown,
    options: LifeOptions,
    begunMs: number,
    signal: AbortSignal,
  ): Promise<LoadedFor | undefined> {
    const bytes = bytesOfKey(key);
    if (answer === undefined) {
      if (lease !== undefined) await this.space.release(bytes, lease);
      return undefined;
    }
    const made = this.made(key, answer, options, begunMs);
    return lease === undefined ? this.lasting(made, true) : this.offer(bytes, lease, made, signal);
  }

  /** (T3) */
  given(value: Value, askedMs: number): LoadedFor {
    const { bytes, metadata, isNegative, freshMs, keptMs, kind, tags } = value;
    const made = { bytes, metadata, isNegative, keptMs, freshMs, begunMs: askedMs, tags };
    return this.lasting(made, kind === 'value');
  }

  private async loadUnder(
    lease: string,
    key: Key,
    load: Loader,
    options: LifeOptions,
    signal: AbortSignal,
    told: Told,
  ): Promise<LoadedFor> {
    const { space } = this;
    const bytes = bytesOfKey(key);
    const renewal = setInterval(() => void space.renew(bytes, lease), this.settings.leaseMs / 3);
    renewal.unref();
    let made: Made;
    try {
      made = await this.call(key, load, options, signal);
    } catch (error) {
      await space.release(bytes, lease);
      return this.staleOnError(bytes, options, error, told);
    } finally {
      clearInterval(renewal);
    }
    return this.offer(bytes, lease, made, signal);
  }

  /** (T2) Before the pool has it. */
  private async offer(key: Uint8Array, lease: string, made: Made, signal: AbortSignal): Promise<LoadedFor> {
    const { space } = this;
    const leftMs = made.freshMs === undefined ? undefined : made.freshMs - (performance.now() - made.begunMs);
    const isNeverOver = leftMs === undefined;
    // What nothing is remembered of is not stored, nor what is over already.
    const isWorthIt = isNeverOver ? !made.isNegative : leftMs + made.keptMs > 0;
    if (!isWorthIt || signal.aborted) {
      await space.release(key, lease);
      return this.lasting(made, true);
    }
    const outcome = await space.fill(key, lease, { ...made, freshMs: leftMs });
    return this.lasting(made, outcome !== 'refused');
  }

  private async staleOnError(key: Uint8Array, options: LifeOptions, error: unknown, told: Told): Promise<LoadedFor> {
    const { staleOnErrorMs = 0 } = options;
    if (staleOnErrorMs > 0) {
      const askedMs = performance.now();
      const answer = await this.space.ask(key, this.host.seen(), { leases: false, staleMs: staleOnErrorMs });
      if (answer.kind === 'stale') {
        told.isStale = true;
        return this.given(answer, askedMs);
      }
      if (answer.kind === 'value') return this.given(answer, askedMs);
    }
    throw error;
  }

  private async call(key: Key, load: Loader, options: LifeOptions, signal: AbortSignal): Promise<Made> {
    this.loads++;
    const begunMs = performance.now();
    return this.made(key, await load(key, { signal }), options, begunMs);
  }

  /** Of what the loader has answered. Throws TypeError. */
  private made(key: Key, answer: unknown, options: LifeOptions, begunMs: number): Made {
    const { ttlMs, negativeTtlMs = ttlMs, staleMs = 0, staleOnErrorMs = 0 } = options;
    if (answer === notFound) {
      return {
        bytes: NOTHING,
        metadata: undefined,
        isNegative: true,
        freshMs: negativeTtlMs,
        keptMs: 0,
        begunMs,
        tags: tagsFor(key, options),
      };
    }
    if (!(answer instanceof Uint8Array)) throw refused(answer);
    const { metadata: given } = options;
    const metadata = typeof given === 'function' ? given() : given;
    const keptMs = ttlMs === undefined ? 0 : Math.max(staleMs, staleOnErrorMs);
    return { bytes: answer, metadata, isNegative: false, freshMs: ttlMs, keptMs, begunMs, tags: tagsFor(key, options) };
  }

  /** With the short life of what nobody vouches for, where that is so now: until it is in the pool nothing else runs. */
  private lasting(made: Made, isShared: boolean): LoadedFor {
    const { freshMs, begunMs, metadata, tags } = made;
    const leftMs = freshMs === undefined ? Number.POSITIVE_INFINITY : freshMs - (performance.now() - begunMs);
    const { isVouched } = this.host;
    const lifeMs = isVouched ? leftMs : Math.min(leftMs, this.settings.unvouchedTtlMs);
    const expiresAtMs = lifeMs === Number.POSITIVE_INFINITY ? undefined : Date.now() + lifeMs;
    const keptMs = isVouched && lifeMs === leftMs ? made.keptMs : 0;
    return loadedFor(made.isNegative ? notFound : made.bytes, { expiresAtMs, keptMs, metadata, isShared, tags });
  }
}

function refused(answer: unknown): Error {
  return new TypeError(
    `load: it answered ${answer === null ? 'null' : `a ${typeof answer}`}; expected a Uint8Array or notFound.`,
  );
}
