/**
 * Synchronous loads of pages: who misses a page loads it, or waits for who does. (W1) to (W8) are those of loading.ts.
 *
 * What is loaded is in the caller's scratch in any case; a scratch whose load failed is not used again.
 */
import type { DraftPlace, NearEntry } from '../pool/index.js';
import { completePage, refusePromise } from './answers.js';
import type { Domain } from './domain.js';
import type { Claim, Loading, Published } from './loading.js';
import { checkPageLoadSync } from './options.js';
import type { Ahead, Lease, PageLoadSyncOptions, SyncPageLoader } from './types.js';
import { type Told, type Validity, validityOf } from './validity.js';

/** What a synchronous load came to: a page in the pool, or bytes in the scratch only. */
export interface LoadedSync {
  readonly entry: NearEntry | undefined;
  /** Another node's load answered. */
  readonly isHit: boolean;
}

export interface HowToLoad {
  readonly call: string;
  /** What was loaded and shared is to be found in the pool as well. */
  readonly isWanted: boolean;
  readonly asOf: number | undefined;
  /** From-version of the claim. */
  readonly claimFrom: number | undefined;
  readonly zeroFill: boolean;
  readonly ttlMs: number | undefined;
  readonly onWait: (() => void) | undefined;
}

/** (W8) */
const ANY_VERSION = Number.MAX_SAFE_INTEGER;

/** Throws OPTION_INVALID. */
export function howToLoad(
  options: PageLoadSyncOptions | undefined,
  ofSpace: { readonly zeroFill: boolean; readonly ttlMs: number | undefined },
  call: 'fetchSync' | 'readThrough' | 'loadAhead',
): HowToLoad {
  const { asOf, zeroFill, ttlMs, joins, onWait } = checkPageLoadSync(options);
  const claimFrom = asOf !== undefined && joins === 'page' ? ANY_VERSION : asOf;
  return {
    call,
    isWanted: call === 'fetchSync',
    asOf,
    claimFrom,
    zeroFill: zeroFill ?? ofSpace.zeroFill,
    ttlMs: ttlMs ?? ofSpace.ttlMs,
    onWait,
  };
}

/** The page of a version, neither counted nor touched. */
type Look = (pageNo: number, asOf: number | undefined) => NearEntry | undefined;

export class SyncLoads {
  private readonly domain: Domain;
  private readonly loading: Loading;
  private readonly pageSize: number;
  private readonly look: Look;

  constructor(domain: Domain, loading: Loading, { pageSize, look }: { pageSize: number; look: Look }) {
    this.domain = domain;
    this.loading = loading;
    this.pageSize = pageSize;
    this.look = look;
  }

  /** Loads the page into the scratch and shares it, or waits for who does. */
  loadOrWait(pageNo: number, scratch: Uint8Array, load: SyncPageLoader, how: HowToLoad): LoadedSync {
    const { session, keys } = this.domain;
    const startedMs = session.machine.elapsedMs();
    for (let waits = 0; ; waits++) {
      keys.encodePage(pageNo);
      const claim = this.claim(how);
      // What lies beside its claim may have come while this one was on its way to it.
      const isSettled = claim.kind === 'won' && how.asOf === undefined;
      const entry = isSettled ? undefined : this.look(pageNo, how.asOf);
      if (entry !== undefined) {
        if (claim.kind === 'won') this.loading.abandon(claim.place);
        session.reader.touch(entry);
        return { entry, isHit: true };
      }
      if (claim.kind === 'won') return this.loadAndShare(pageNo, scratch, load, how, claim);
      if (claim.kind === 'others' && waits === 0) session.count('waits');
      if (claim.kind === 'others' && waits === 0 && this.loading.isStopped(claim.draft)) {
        if (this.loading.endClaim(claim.draft)) continue;
      }
      if (claim.kind !== 'others' || !this.loading.isWorthWaiting(claim.draft, startedMs)) {
        return this.loadUnclaimed(pageNo, scratch, load, how, claim);
      }
      if (waits === 0 && how.onWait !== undefined) how.onWait();
      else this.loading.blockBriefly();
    }
  }

  /** Loads the page into the scratch and shares it, where nobody has and nobody does. */
  loadAhead(pageNo: number, scratch: Uint8Array, load: SyncPageLoader, how: HowToLoad): Ahead {
    if (this.look(pageNo, how.asOf) !== undefined) return 'there';
    this.domain.keys.encodePage(pageNo);
    const claim = this.claim(how);
    if (claim.kind !== 'won') return 'busy';
    if (how.asOf !== undefined && this.look(pageNo, how.asOf) !== undefined) {
      this.loading.abandon(claim.place);
      return 'there';
    }
    this.loadAndShare(pageNo, scratch, load, how, claim);
    return 'loaded';
  }

  /** Of the key encoded last. (W6, W8). */
  private claim({ asOf, claimFrom, ttlMs }: HowToLoad): Claim {
    return asOf === undefined
      ? this.loading.claim(this.pageSize, { ttlMs })
      : this.loading.claim(0, { from: claimFrom });
  }

  private loadAndShare(
    pageNo: number,
    scratch: Uint8Array,
    load: SyncPageLoader,
    how: HowToLoad,
    { place, lease }: Extract<Claim, { kind: 'won' }>,
  ): LoadedSync {
    const { domain, loading } = this;
    const expiry = domain.expiryAfter(how.ttlMs);
    const told = this.run(pageNo, scratch, load, how, () => loading.abandon(place));
    domain.keys.encodePage(pageNo);
    let outcome: Published = 'unshared';
    if (told === 'unversioned') outcome = loading.publish(place, scratch);
    else if (told !== 'untold') outcome = this.storeVersion(place, scratch, told, { pageNo, how, expiry, lease });
    else {
      loading.abandon(place);
      domain.session.count('unshared');
    }
    return this.loaded(pageNo, how, outcome);
  }

  /** For the caller alone; but where a page of other versions lies in the way of a claim what was loaded goes beside it, or takes its place. */
  private loadUnclaimed(
    pageNo: number,
    scratch: Uint8Array,
    load: SyncPageLoader,
    how: HowToLoad,
    claim: Claim,
  ): LoadedSync {
    const { domain } = this;
    domain.keys.encodePage(pageNo);
    const lease = domain.lease();
    const expiry = domain.expiryAfter(how.ttlMs);
    const told = this.run(pageNo, scratch, load, how, () => {});
    if (claim.kind !== 'sealed' || told === 'untold') {
      domain.session.count('unshared');
      return { entry: undefined, isHit: false };
    }
    domain.keys.encodePage(pageNo);
    const outcome =
      told === 'unversioned'
        ? this.loading.store(undefined, scratch, { expiry, lease })
        : this.storeVersion(undefined, scratch, told, { pageNo, how, expiry, lease });
    return this.loaded(pageNo, how, outcome);
  }

  private storeVersion(
    place: DraftPlace | undefined,
    bytes: Uint8Array,
    told: Validity,
    { pageNo, how, ...options }: { pageNo: number; how: HowToLoad; expiry: number; lease: Lease },
  ): Published {
    const { asOf } = how;
    const isThere = () => this.look(pageNo, asOf) !== undefined;
    return this.loading.store(place, bytes, {
      ...options,
      ...told,
      ...(asOf !== undefined && { loaded: { asOf, isThere } }),
    });
  }

  private loaded(pageNo: number, { asOf, isWanted }: HowToLoad, outcome: Published): LoadedSync {
    return { entry: outcome === 'sealed' && isWanted ? this.look(pageNo, asOf) : undefined, isHit: false };
  }

  private run(pageNo: number, scratch: Uint8Array, load: SyncPageLoader, how: HowToLoad, onFailure: () => void): Told {
    const startedMs = this.domain.session.machine.elapsedMs();
    const { pageSize } = this;
    const { asOf, call, zeroFill } = how;
    let told: Told;
    try {
      const answer = load(pageNo, scratch, { asOf });
      refusePromise(answer, call);
      completePage(answer, scratch, { pageNo, pageSize, zeroFill });
      told = validityOf(answer, asOf);
    } catch (error) {
      this.loading.loaded(startedMs, true);
      onFailure();
      throw error;
    }
    this.loading.loaded(startedMs, false);
    // The loader may have disconnected the node: its draft is undone and its memory perhaps somebody else's by now.
    this.domain.session.check();
    return told;
  }
}
