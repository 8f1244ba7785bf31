/**
 * Loading once. Whoever misses a key first makes a draft under it: of all nodes exactly one wins and loads, the others
 * wait for its seal. A draft whose owner died is undone by whoever meets it next, who then loads.
 *
 * (W1) the claim is a leased draft: an invalidation during the load keeps its page from being published.
 * (W2) a synchronous load never waits for this node's own draft, which would be for ever, nor longer than SYNC_WAIT_MS
 *      for another's: it loads for itself.
 * (W3) lack of room is never an error here: the result is then private to the caller.
 * (W4) a node whose load was waited for in vain is not waited for again by a synchronous load within PASS_OVER_MS.
 * (W5) no claim blocks its key for good: who has waited his time for it ends it, in whatever node it is, and who finds that
 *      its process was stopped does so at once.
 * (W6) the claim of a load as of a version has that for its from-version, so it meets those for the same version only, and no bytes:
 *      which version the page is of is known when it has been loaded. It is stored beside its claim then.
 * (W7) the claim of a load of a key whose page has expired and is kept lies beside that page, under a from-version that no page has, so
 *      that it meets those for the same key only. It is stored beside its claim as well, and supersedes the page then.
 * (W8) loads as of different versions that join by the page have one claim, under a from-version that no page has: who has waited
 *      looks whether what came answers his version, and else has the claim next. A page stored beside a claim does not lie in its way,
 *      so who wins a claim of (W6) looks once more.
 */
import { PoolError } from '../../lib/errors.js';
import type { CreateOutcome, DraftFields, DraftName, DraftPlace, SealOutcome } from '../pool/index.js';
import { draftUnder, FLAG_LEASED, isBusy, lockOf, waitUntil } from '../pool/index.js';
import type { Domain, StoreOptions } from './domain.js';
import type { Limits } from './runs.js';
import type { Lease } from './types.js';

const SYNC_WAIT_MS = 50;
/** A load that begins with a lease already broken would be for its caller only. */
const LEASE_TRIES = 2;
/** How often somebody who waits looks whether the loader's process was stopped. */
const LOOK_MS = 500;
/** What a node that was waited for in vain is passed over for. */
const PASS_OVER_MS = 1000;
const PARK_MS = 0.2;
const PAUSE_MS = 1;

/**
 * What came of an attempt to become the loader of a key. others, own: a node has a draft there; sealed: a page lies there
 * by now, perhaps of another version than the one asked for; unshared: there is no room.
 */
export type Claim =
  | { kind: 'won'; from: number; place: DraftPlace; lease: Lease; draft: undefined }
  | { kind: 'others' | 'own'; from: number; place: undefined; lease: undefined; draft: DraftName }
  | { kind: 'sealed' | 'unshared'; from: number; place: undefined; lease: undefined; draft: undefined };

// All of one shape: code that knows one only would be compiled anew when it meets another.
export const UNSHARED: Claim = { kind: 'unshared', from: 0, place: undefined, lease: undefined, draft: undefined };
export const SEALED: Claim = { kind: 'sealed', from: 0, place: undefined, lease: undefined, draft: undefined };

/** The key of a claim. */
export interface ClaimKey {
  /** The version that is loaded; undefined for the newest. */
  readonly asOf: number | undefined;
  /** Makes the key the one encoded last. */
  encode(): void;
}

/** What came of an attempt to publish. */
export type Published = 'sealed' | 'stale' | 'unshared';

export class Loading {
  private readonly domain: Domain;
  /** By row: whether its process is stopped, and until when of elapsedMs that is believed. */
  private readonly lookedAt = new Map<number, { isStopped: boolean; untilMs: number }>();
  /** By row: until when of elapsedMs its node is not waited for. */
  private readonly passedOver = new Map<number, number>();

  constructor(domain: Domain) {
    this.domain = domain;
  }

  /**
   * Tries to become the loader of the key encoded last, with a draft of so many bytes. What is won is in hand (Writer.create):
   * a synchronous load that is cut gives it up; one that waits has it tracked.
   */
  claim(size: number, options: StoreOptions): Claim {
    try {
      return this.claimOrThrow(size, options);
    } catch (error) {
      // Behind a lock holder that does not run there is no room either.
      if (isBusy(error)) return UNSHARED;
      throw error;
    }
  }

  /** As claim, without holding up the event loop. A promise where a lock is held: then one has to look again. */
  claimInTurn(size: number, options: StoreOptions): Claim | Promise<unknown> {
    const { session } = this.domain;
    try {
      return session.turns.attempt(() => this.claimOrThrow(size, options));
    } catch (error) {
      const turn = this.turnAfter(error);
      if (turn === undefined && !isBusy(error)) throw error;
      return turn ?? UNSHARED;
    }
  }

  /** What to wait for before work that failed is done again; undefined where that would be in vain. */
  turnAfter(error: unknown): Promise<unknown> | undefined {
    const { session } = this.domain;
    const lock = lockOf(error);
    if (lock === undefined || session.parts.locks.isKnownToStand(lock)) return undefined;
    return session.turns.of(lock);
  }

  private claimOrThrow(size: number, options: StoreOptions): Claim {
    const { session } = this.domain;
    let lease = this.domain.lease();
    let fields: DraftFields = this.domain.fields(size, FLAG_LEASED, options, lease);
    let place = this.tryCreate(fields);
    // Whoever finds the shard's lock in dead hands repairs the shard, which ends every lease from before: also this one.
    for (let tries = 0; typeof place !== 'string' && tries < LEASE_TRIES && !this.domain.isValid(lease); tries++) {
      session.writer.leftovers.abandon(place);
      lease = this.domain.lease();
      fields = this.domain.fields(size, FLAG_LEASED, options, lease);
      place = this.tryCreate(fields);
    }
    if (place === 'full') return UNSHARED;
    if (place !== 'exists') return { kind: 'won', from: fields.from, place, lease, draft: undefined };
    const draft = draftUnder(session.parts, fields);
    if (draft === undefined) return SEALED;
    const kind = draft.row === session.parts.nodes.self ? 'own' : 'others';
    return { kind, from: fields.from, place: undefined, lease: undefined, draft };
  }

  /** Calls back once the claim, under that from-version, no longer has its key. */
  watch(draft: DraftPlace, sought: ClaimKey, from: number, onLost: () => void): { stop(): void } {
    const { session, keys } = this.domain;
    sought.encode();
    const look = () => {
      sought.encode();
      if (draftUnder(session.parts, keys.fields({ from }))?.slot !== draft.slot) onLost();
    };
    return session.waits.watch({ shard: draft.shard, tag: keys.hashHigh }, look);
  }

  async pause(): Promise<undefined> {
    await this.domain.session.machine.sleep(PAUSE_MS);
    return undefined;
  }

  /** Ends the claim that was met. False where it is none, or that cannot be done now. */
  endClaim(draft: DraftName): boolean {
    const { session } = this.domain;
    try {
      return session.turns.attempt(() => session.writer.endClaim(draft));
    } catch (error) {
      if (isBusy(error)) return false;
      throw error;
    }
  }

  private tryCreate(fields: DraftFields): CreateOutcome {
    try {
      return this.domain.session.writer.create(fields);
    } catch (error) {
      if (error instanceof PoolError && error.code === 'OBJECT_TOO_LARGE') return 'full';
      throw error;
    }
  }

  /** Gives a claim up: the next one who asks loads. */
  abandon(place: DraftPlace): void {
    const { session } = this.domain;
    // A node that leaves takes back what is in its books.
    if (!session.isOpen) return;
    session.untrack(place);
    session.writer.leftovers.abandon(place);
  }

  /** As abandon, without holding up the event loop: behind a lock upkeep does it. */
  abandonInTurn(place: DraftPlace): void {
    this.domain.session.parts.locks.withPatience(0, () => this.abandon(place));
  }

  /** Publishes a claim whose draft was made in the right size. stale: its page was invalidated meanwhile. */
  publish(place: DraftPlace, bytes: Uint8Array): Published {
    const { session } = this.domain;
    session.check();
    session.untrack(place);
    if (session.writer.isOurs(place)) session.parts.segment.writeDraft(place.extent, 0, bytes);
    const outcome = this.trySeal(place);
    if (outcome === 'sealed' || outcome === 'stale') {
      if (outcome === 'stale') session.count('staleFills');
      return outcome;
    }
    session.count('unshared');
    return 'unshared';
  }

  /** Publishes bytes under the key encoded last, for whoever has the claim, if there is one, and gives it up. */
  store(place: DraftPlace | undefined, bytes: Uint8Array, options: StoreOptions): Published {
    const { session } = this.domain;
    session.check();
    try {
      return this.domain.tryStore(bytes, options);
    } catch (error) {
      if (!isBusy(error)) throw error;
      session.count('unshared');
      return 'unshared';
    } finally {
      if (place !== undefined) this.abandon(place);
    }
  }

  /** As publish, of a claim in the books, without holding up the event loop. Throws BUSY where it may be had soon. */
  publishInTurn(place: DraftPlace, bytes: Uint8Array): Published {
    const { session } = this.domain;
    session.check();
    const outcome = this.sharedInTurn(place, () => {
      if (session.writer.isOurs(place)) session.parts.segment.writeDraft(place.extent, 0, bytes);
      const sealed = session.writer.seal(place);
      session.closeBook(place);
      return sealed;
    });
    if (outcome === 'sealed') return outcome;
    session.count(outcome === 'stale' ? 'staleFills' : 'unshared');
    return outcome === 'stale' ? outcome : 'unshared';
  }

  /**
   * Publishes bytes under the key encoded last, for whoever has the claim, and gives the claim up, without holding up the
   * event loop. Throws BUSY where that may be done soon.
   */
  storeInTurn(place: DraftPlace | undefined, bytes: Uint8Array, options: StoreOptions): Published {
    const outcome = this.sharedInTurn(place, () => this.domain.tryStore(bytes, options));
    if (outcome === undefined) this.domain.session.count('unshared');
    else if (place !== undefined) this.abandonInTurn(place);
    return outcome ?? 'unshared';
  }

  /** Undefined where the claim was given up: behind a lock holder that stands still, or for an error, which is thrown. */
  private sharedInTurn<T>(place: DraftPlace | undefined, work: () => T): T | undefined {
    try {
      return this.domain.session.turns.attempt(work);
    } catch (error) {
      if (this.turnAfter(error) !== undefined) throw error;
      if (place !== undefined) this.abandonInTurn(place);
      if (isBusy(error)) return undefined;
      throw error;
    }
  }

  private trySeal(place: DraftPlace): SealOutcome | 'busy' {
    try {
      return this.domain.session.writer.sealOnce(place);
    } catch (error) {
      if (isBusy(error)) return 'busy';
      throw error;
    }
  }

  /** Whether the draft's node was stopped: its load is not to be waited for. Looked at now and then. */
  isStopped({ row }: DraftName): boolean {
    const { machine, parts } = this.domain.session;
    const nowMs = machine.elapsedMs();
    const known = this.lookedAt.get(row);
    if (known !== undefined && nowMs < known.untilMs) return known.isStopped;
    const isStopped = parts.nodes.isStopped(row);
    this.lookedAt.set(row, { isStopped, untilMs: nowMs + LOOK_MS });
    return isStopped;
  }

  /**
   * Whether a synchronous load that began to wait at `startedMs` goes on waiting for this draft. Not where its node was
   * waited for in vain a moment ago: a stopped node would cost every page that time.
   */
  isWorthWaiting({ row }: DraftName, startedMs: number): boolean {
    const { machine } = this.domain.session;
    const nowMs = machine.elapsedMs();
    if (nowMs < (this.passedOver.get(row) ?? 0)) return false;
    if (nowMs - startedMs < SYNC_WAIT_MS) return true;
    this.passedOver.set(row, nowMs + PASS_OVER_MS);
    return false;
  }

  /** Blocks this thread for a moment, on a word that moves when the key's shard publishes. */
  blockBriefly(): void {
    const { machine, parts } = this.domain.session;
    const shard = parts.shards.ofHash(this.domain.keys.hashLow);
    const word = parts.log.sequenceWord(shard);
    machine.park(word, parts.words.load(word), PARK_MS);
  }

  /**
   * Resolves when the draft under the key and that from-version is over: sealed, given up, its claim ended, or left by a node that died; and after
   * LOOK_MS, or loadTimeoutMs where that is less: then one has to look again. Rejects with ABORTED, DISCONNECTED.
   */
  async ended(sought: ClaimKey, from: number, limits: Limits): Promise<void> {
    const { session, keys } = this.domain;
    sought.encode();
    const { parts, waits } = session;
    const look = () => {
      sought.encode();
      const draft = draftUnder(parts, keys.fields({ from }));
      return draft === undefined || parts.nodes.isDead(draft.row, false);
    };
    const place = { shard: parts.shards.ofHash(keys.hashLow), tag: keys.hashHigh, look };
    const { signal, loadTimeoutMs } = limits;
    return waitUntil(parts, waits, [place], { signal, timeoutMs: Math.min(loadTimeoutMs, LOOK_MS) });
  }

  /** Counts a load that began at `startedMs` of the machine's elapsedMs. The loader may have disconnected the node: then there is nothing left to count in. */
  loaded(startedMs: number, failed: boolean): void {
    const { session } = this.domain;
    if (!session.isOpen) return;
    session.count(failed ? 'loadFailures' : 'loads');
    const durationMs = session.machine.elapsedMs() - startedMs;
    session.count('loadMicroseconds', durationMs * 1000);
    this.domain.tally.loaded(durationMs, failed);
  }
}
