/**
 * Loading once. Whoever misses a key first makes a draft under it: of all nodes exactly one wins and loads, the others
 * wait for its seal. A draft whose owner died is undone by whoever meets it next, who then loads.
 *
 * (W1) the claim is a leased draft: an invalidation during the load keeps its page from being published.
 * (W2) a synchronous load never waits for this node's own draft, which would be for ever, nor longer than SYNC_WAIT_MS
 *      for another's: it loads for itself.
 * (W3) lack of room is never an error here: the result is then private to the caller.
 */
import { PoolError } from '../../lib/errors.js';
import type { CreateOutcome, DraftFields, DraftPlace, SealOutcome } from '../pool/index.js';
import { FLAG_LEASED, waitUntil } from '../pool/index.js';
import type { Domain, StoreOptions } from './domain.js';
import type { Lease } from './types.js';

export const SYNC_WAIT_MS = 50;
/** A load that begins with a lease already broken would be for its caller only. */
const LEASE_TRIES = 2;
const PARK_MS = 0.2;
const PAUSE_MS = 1;

/**
 * What came of an attempt to become the loader of a key. others, own: a node has a draft there; sealed: a page lies there
 * by now, perhaps of another version than the one asked for; unshared: there is no room.
 */
export type Claim =
  | { kind: 'won'; place: DraftPlace; lease: Lease }
  | { kind: 'others' | 'own' | 'sealed' | 'unshared' };

export class Loading {
  private readonly domain: Domain;

  constructor(domain: Domain) {
    this.domain = domain;
  }

  /** Tries to become the loader of the key encoded last, with a draft of so many bytes. */
  claim(size: number, options: StoreOptions): Claim {
    const { session } = this.domain;
    let lease = this.domain.lease();
    let fields: DraftFields = this.domain.fields(size, FLAG_LEASED, { ...options, lease });
    let place = this.tryCreate(fields);
    // Whoever finds the shard's lock in dead hands repairs the shard, which ends every lease from before: also this one.
    for (let tries = 0; typeof place !== 'string' && tries < LEASE_TRIES && !this.domain.isValid(lease); tries++) {
      session.writer.leftovers.abandon(place);
      lease = this.domain.lease();
      fields = this.domain.fields(size, FLAG_LEASED, { ...options, lease });
      place = this.tryCreate(fields);
    }
    if (place === 'full') return { kind: 'unshared' };
    if (place !== 'exists') {
      session.track(place, undefined);
      return { kind: 'won', place, lease };
    }
    const drafter = session.writer.drafterOf(fields);
    if (drafter < 0) return { kind: 'sealed' };
    return { kind: drafter === session.parts.nodes.self ? 'own' : 'others' };
  }

  /** Behind a lock holder that does not run there is no room either. */
  private tryCreate(fields: DraftFields): CreateOutcome {
    try {
      return this.domain.session.writer.create(fields);
    } catch (error) {
      if (error instanceof PoolError && (error.code === 'BUSY' || error.code === 'OBJECT_TOO_LARGE')) return 'full';
      throw error;
    }
  }

  /** Gives a claim up: the next one who asks loads. */
  abandon(place: DraftPlace): void {
    const { session } = this.domain;
    session.untrack(place);
    if (session.isOpen) session.writer.leftovers.abandon(place);
  }

  /** Publishes a claim whose draft was made in the right size. False when its page was invalidated meanwhile. */
  publish(place: DraftPlace, bytes: Uint8Array): boolean {
    const { session } = this.domain;
    session.check();
    session.untrack(place);
    if (session.writer.isOurs(place)) session.parts.segment.writeDraft(place.extent, 0, bytes);
    const outcome = this.trySeal(place);
    if (outcome === 'sealed') return true;
    session.count(outcome === 'stale' ? 'staleFills' : 'unshared');
    return false;
  }

  private trySeal(place: DraftPlace): SealOutcome | 'busy' {
    try {
      return this.domain.session.writer.sealOnce(place);
    } catch (error) {
      if (error instanceof PoolError && error.code === 'BUSY') return 'busy';
      throw error;
    }
  }

  /** Blocks this thread for a moment, on a word that moves when the key's shard publishes. */
  blockBriefly(): void {
    const { machine, parts } = this.domain.session;
    const shard = parts.shards.ofHash(this.domain.keys.hashLow);
    const word = parts.log.sequenceWord(shard);
    machine.park(word, parts.words.load(word), PARK_MS);
  }

  /**
   * Resolves when the draft under the key is over: sealed, given up, or left by a node that died. `encode` makes the key
   * the one encoded last. Rejects with ABORTED, DISCONNECTED.
   */
  async ended(claim: Claim, encode: () => void, signal?: AbortSignal): Promise<void> {
    const { session, keys } = this.domain;
    // There was a page, and it was no answer: it has an end, or came or went meanwhile.
    if (claim.kind === 'sealed') return session.machine.sleep(PAUSE_MS);
    encode();
    const { parts, writer, waits } = session;
    const look = () => {
      encode();
      const row = writer.drafterOf(keys.fields({}));
      return row < 0 || parts.nodes.isDead(row, false);
    };
    const place = { shard: parts.shards.ofHash(keys.hashLow), tag: keys.hashHigh, look };
    return waitUntil(parts, waits, [place], { signal });
  }

  /** Counts a load. The loader may have disconnected the node: then there is nothing left to count in. */
  loaded(startedMs: number, failed: boolean): void {
    const { session } = this.domain;
    if (!session.isOpen) return;
    session.count(failed ? 'loadFailures' : 'loads');
    session.count('loadMicroseconds', (session.machine.nowMs() - startedMs) * 1000);
  }
}
