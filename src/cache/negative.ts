/**
 * Negative entries: that the source has nothing for a key, for so long. They have room of their own in a namespace, places by the hash
 * of the key, each of which one entry takes: so a flood of keys that are not there displaces other negative entries, and never
 * more pages than there are places.
 *
 * (K1) an entry carries the whole key, and the count of the key's stripe from before its source was read (its lease). It is believed only
 *      while that is the count: `set`, `delete` and every other invalidation end it as they begin, with no store of their own, also
 *      one in the middle of the load. So may an invalidation of another key of the stripe: then it is asked for anew.
 * (K2) a page that is there is the answer: entries are looked at after a miss.
 * (K3) an entry is an object that is kept and was never fresh (lifetimes.ts): nothing but `look` sees it. Its expiry is when its load began,
 *      so a fill, which moves no count, takes a place from an entry of an earlier load only.
 * (K5) it has the tags of the load, and is nothing once one of them was invalidated.
 * (K4) what ends a page that is kept for stale answers is the same fill of the same lease: compared, then retired, under one lock.
 */
import { KeyHash } from '../../lib/hash.js';
import { nextSequence } from '../../lib/sequence.js';
import {
  entryPrefix,
  FLAG_DETACHED,
  FLAG_KEPT,
  FLAG_LEASED,
  fieldsOf,
  fillAndSeal,
  isBusy,
  type Key,
  NegativePage,
  type Page,
} from '../pool/index.js';
import type { Domain } from './domain.js';
import type { Lease } from './types.js';

/** Of the key of a place: no UTF-8 begins so, no page's key, and none of a checkpoint. */
const MARK = 253;
const PLACE_BYTES = 4;
const COUNT_BYTES = 4;
const PLACES_MAX = 4096;
const PLACES_MIN = 16;
/** Of the objects that the pool has room for. */
const SHARE = 1 / 64;
const SET_TRIES = 3;

function write32(bytes: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = value >>> (i * 8);
}

function read32(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value |= (bytes[at + i] as number) << (i * 8);
  return value;
}

export class Negatives {
  private readonly domain: Domain;
  private readonly places: number;
  private readonly prefixLength: number;
  private readonly hash: KeyHash;
  /** The key of a place, and its hash. */
  private readonly place: { bytes: Uint8Array; length: number; hashLow: number; hashHigh: number };

  constructor(domain: Domain, namespace: string) {
    const { session } = domain;
    const prefix = entryPrefix(namespace);
    this.domain = domain;
    this.places = Math.max(PLACES_MIN, Math.min(PLACES_MAX, Math.floor(session.parts.slots.total * SHARE)));
    this.hash = new KeyHash(session.seed);
    this.prefixLength = prefix.length + 1;
    this.place = { bytes: new Uint8Array(this.prefixLength + PLACE_BYTES), length: 0, hashLow: 0, hashHigh: 0 };
    this.place.bytes.set(prefix, 1);
    this.place.bytes[0] = MARK;
  }

  /** Makes the place of the key encoded last the one that is looked at. */
  private go(): void {
    const { place, hash } = this;
    const at = this.prefixLength;
    write32(place.bytes, at, (this.domain.keys.hashHigh >>> 0) % this.places);
    place.length = at + PLACE_BYTES;
    hash.of(place.bytes, place.length);
    place.hashLow = hash.low;
    place.hashHigh = hash.high;
  }

  /** That the source has nothing for the key, if that is known. Throws KEY_INVALID, DISCONNECTED. */
  look(key: Key): Page | undefined {
    const { domain } = this;
    domain.session.check();
    domain.keys.encode(key);
    this.go();
    const entry = domain.session.reader.searchKept(this.place);
    if (entry === undefined || entry.space !== domain.space || !this.isOfKey(entry.bytes)) return undefined;
    // (K1) ORDER lease-1: the count after the entry, which was stored after its load; pairs with Domain.lease.
    if (read32(entry.bytes, 0) !== domain.count()) return undefined;
    // (K5)
    if (entry.tags !== undefined && !domain.session.parts.tags.isFresh(entry.tags)) return undefined;
    domain.session.reader.touch(entry);
    return new NegativePage(key);
  }

  private isOfKey(content: Uint8Array): boolean {
    const { bytes, length } = this.domain.keys;
    if (content.length !== COUNT_BYTES + length) return false;
    for (let i = 0; i < length; i++) if (content[COUNT_BYTES + i] !== bytes[i]) return false;
    return true;
  }

  /** From `startedMs` of the wall clock on, for so long. False where it is not stored: for lack of room, or it has ended already. */
  store(key: Key, lease: Lease, startedMs: number, ttlMs: number, tags?: readonly string[]): boolean {
    const { domain } = this;
    domain.keys.encode(key);
    try {
      return domain.session.turns.attempt(() => this.tryStore(lease, Math.floor(startedMs), ttlMs, tags));
    } catch (error) {
      if (!isBusy(error)) throw error;
      return false;
    }
  }

  /** Hides the page of the key, and stores under a lease from right after: what comes between ends the entry, and is hidden anew. */
  set(key: Key, ttlMs: number): boolean {
    const { domain } = this;
    for (let tries = 0; tries < SET_TRIES; tries++) {
      domain.keys.encode(key);
      const lease = domain.lease();
      domain.remove();
      const after = { ...lease, count: nextSequence(lease.count) };
      if (this.store(key, after, domain.session.machine.nowMs(), ttlMs)) return true;
    }
    return false;
  }

  private tryStore(lease: Lease, startedMs: number, ttlMs: number, tags?: readonly string[]): boolean {
    const { domain, place } = this;
    const { session, keys } = domain;
    if (!domain.isValid(lease)) return false;
    // (K4)
    session.writer.retireExpired(keys.fields({ leaseCount: lease.count }));
    const content = new Uint8Array(COUNT_BYTES + keys.length);
    write32(content, 0, lease.count);
    content.set(keys.bytes.subarray(0, keys.length), COUNT_BYTES);
    this.go();
    const fields = fieldsOf(place.bytes, place.length, place.hashLow, place.hashHigh, {
      size: content.length,
      expiry: startedMs,
      keptMs: ttlMs,
      marks: domain.marks(tags, lease.tagMoment),
      flags: FLAG_DETACHED | FLAG_LEASED | FLAG_KEPT,
      space: lease.space,
      spaceGeneration: lease.spaceGeneration,
      leaseCount: domain.countOf(place.hashLow, place.hashHigh),
    });
    const draft = session.writer.create(fields);
    if (typeof draft === 'string') return false;
    return fillAndSeal(session.parts.segment, session.writer, draft, content) === 'sealed';
  }
}
