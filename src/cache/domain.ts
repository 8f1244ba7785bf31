/**
 * A domain: one set of keys in the pool, with its space and its part of the near index, and what a cache does to one key
 * of it. SharedCache and PageSpace are made of this; they differ in what a key is.
 */
import { PoolError } from '../../lib/errors.js';
import {
  type DraftFields,
  type DraftPlace,
  FLAG_DETACHED,
  FLAG_LEASED,
  FLAG_VERSIONED,
  type KeySpace,
  type NodeSession,
} from '../pool/index.js';
import type { Lease } from './types.js';

const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

export interface StoreOptions {
  readonly metadata?: Uint8Array | undefined;
  readonly ttlMs?: number | undefined;
  readonly lease?: Lease | undefined;
  readonly from?: number | undefined;
  readonly until?: number | undefined;
}

export class Domain {
  readonly session: NodeSession;
  readonly keys: KeySpace;
  readonly space: number;

  /** `name` is unique among the pool's domains; `prefix` begins the key of each object, and of none of another domain. */
  constructor(session: NodeSession, name: string, prefix: Uint8Array) {
    session.check();
    this.session = session;
    this.space = session.parts.spaces.open(encoder.encode(name));
    this.keys = session.createKeySpace(prefix, this.space);
  }

  /** Fields of something to store under the key encoded last. */
  fields(size: number, flags: number, options: StoreOptions): DraftFields {
    const { spaces } = this.session.parts;
    const { lease } = options;
    const versioned = options.from !== undefined || options.until !== undefined;
    if (versioned) spaces.markVersioned(this.space);
    return this.keys.fields({
      size,
      flags: flags | (lease === undefined ? 0 : FLAG_LEASED) | (spaces.isVersioned(this.space) ? FLAG_VERSIONED : 0),
      metadata: options.metadata ?? NOTHING,
      expiry: options.ttlMs === undefined ? 0 : this.session.machine.nowMs() + options.ttlMs,
      spaceGeneration: lease?.spaceGeneration ?? spaces.generation(this.space),
      leaseCount: lease?.count ?? 0,
      from: options.from ?? 0,
      until: options.until ?? Number.POSITIVE_INFINITY,
    });
  }

  /** The lease of the key encoded last: taken before its source is read. */
  lease(): Lease {
    const { spaces } = this.session.parts;
    const { hashLow, hashHigh } = this.keys;
    // ORDER lease-1: the counts are read before the source is; pairs with seal, which compares them under the lock.
    const spaceGeneration = spaces.generation(this.space);
    return { hashLow, hashHigh, count: this.countOf(hashLow, hashHigh), space: this.space, spaceGeneration };
  }

  /** Whether a fill under the lease would still be taken. */
  isValid(lease: Lease): boolean {
    const { hashLow, hashHigh, count, space, spaceGeneration } = lease;
    return this.countOf(hashLow, hashHigh) === count && this.session.parts.spaces.isCurrent(space, spaceGeneration);
  }

  /** The invalidation count of the key's stripe. */
  private countOf(hashLow: number, hashHigh: number): number {
    const { shards, stripes } = this.session.parts;
    return stripes.count(stripes.wordOf(shards.ofHash(hashLow), hashHigh));
  }

  private checkLease(lease: Lease): void {
    const { hashLow, hashHigh } = this.keys;
    if (lease.hashLow === hashLow && lease.hashHigh === hashHigh && lease.space === this.space) return;
    throw new PoolError('OPTION_INVALID', 'lease: it was given out for another key.');
  }

  /**
   * Stores bytes under the key encoded last, superseding what is there. False: not stored. Then, unless a lease said
   * that the bytes may be stale, the page that was there is hidden all the same. Throws BUSY when that cannot be done.
   */
  store(bytes: Uint8Array, options: StoreOptions): boolean {
    const { session } = this;
    if (options.lease !== undefined) this.checkLease(options.lease);
    const fields = this.fields(bytes.length, FLAG_DETACHED, options);
    const place = this.tryCreate(fields);
    if (place !== undefined) {
      session.parts.segment.writeDraft(place.extent, 0, bytes);
      const outcome = session.writer.sealOnce(place);
      if (outcome === 'sealed') return true;
      if (outcome === 'stale') {
        session.count('staleFills');
        return false;
      }
    }
    session.count('unshared');
    if (options.lease === undefined) session.writer.remove(fields, options.from);
    return false;
  }

  /** A detached draft, or undefined when there is no room for it. */
  private tryCreate(fields: DraftFields): DraftPlace | undefined {
    try {
      const place = this.session.writer.create(fields);
      return place === 'full' || place === 'exists' ? undefined : place;
    } catch (error) {
      if (error instanceof PoolError && error.code === 'OBJECT_TOO_LARGE') return undefined;
      throw error;
    }
  }

  /** Hides what is under the key encoded last, and refuses fills under way. True when a live page was there. */
  remove(version?: number): boolean {
    if (version !== undefined) this.session.parts.spaces.markVersioned(this.space);
    return this.session.writer.remove(this.keys.fields({}), version);
  }

  /** Everything in the domain is a miss from now on. */
  drop(): void {
    this.session.check();
    this.session.parts.spaces.drop(this.space);
  }
}
