/**
 * A domain: one set of keys in the pool, with its space and its part of the near index, and what a cache does to one key
 * of it. SharedCache and PageSpace are made of this; they differ in what a key is.
 */
import { PoolError } from '../../lib/errors.js';
import {
  type DraftFields,
  type DraftPlace,
  expiryAfter,
  FLAG_DETACHED,
  FLAG_KEPT,
  FLAG_LEASED,
  FLAG_VERSIONED,
  fillAndSeal,
  type Held,
  hashTags,
  isKeepable,
  type KeySpace,
  marksOf,
  type NodeSession,
  pageNumberOf,
  SIZES_MIXED,
} from '../pool/index.js';
import { type Tally, tallyOf } from './tally.js';
import type { Lease } from './types.js';

/** It may be dropped and given away once more between any two looks. */
const HOLD_TRIES = 8;
/** The from-version of claims beside a page of a space without versions: no page has it. */
export const BESIDE = 1;
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

export interface LoadedAsOf {
  readonly asOf: number;
  /** Whether a page answers for it by now; leaves the key the one encoded last. */
  isThere(): boolean;
}

/** Tags of a load: none, these, or such as only the load will tell. */
export type KnownTags = readonly string[] | 'later' | undefined;

export interface StoreOptions {
  readonly metadata?: Uint8Array | undefined;
  readonly ttlMs?: number | undefined;
  /** In place of ttlMs: when it ends, in milliseconds of the machine's clock; 0 for never. */
  readonly expiry?: number | undefined;
  /** How long it is kept after it has expired, in milliseconds. */
  readonly keptMs?: number | undefined;
  readonly lease?: Lease | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Of tags, in place of the lease's: before the bytes were read. Default: now. */
  readonly moment?: number | undefined;
  /** A claim beside the page that is there: see (W7) of loading.ts. */
  readonly isBeside?: boolean | undefined;
  readonly from?: number | undefined;
  readonly until?: number | undefined;
  /** Of a load as of a version: see (Y2) of validity.ts. */
  readonly loaded?: LoadedAsOf | undefined;
}

/** What may be stored of a page without an end that was refused, the most first. */
function lessThan({ loaded, from = 0, until, ...options }: StoreOptions): StoreOptions[] {
  if (loaded === undefined || until !== Number.POSITIVE_INFINITY || loaded.isThere()) return [];
  const { asOf } = loaded;
  const upToAsked = { ...options, from, until: asOf + 1 };
  return from < asOf ? [{ ...options, from: asOf, until }, upToAsked] : [upToAsked];
}

export class Domain {
  readonly session: NodeSession;
  /** Namespace and space, between them U+0000. */
  readonly name: string;
  readonly keys: KeySpace;
  readonly tally: Tally;
  private readonly nameBytes: Uint8Array;
  /** Of each object, in bytes; SIZES_MIXED where they differ. */
  private readonly pageSize: number;
  private held: Held;

  /**
   * `name` is unique among the pool's domains; `prefix` begins the key of each object, and of none of another domain. Throws
   * OPTION_INVALID where the objects of the name have another size.
   */
  constructor(session: NodeSession, name: string, prefix: Uint8Array, pageSize = SIZES_MIXED) {
    session.check();
    this.session = session;
    this.name = name;
    this.nameBytes = encoder.encode(name);
    this.pageSize = pageSize;
    this.held = this.hold(true);
    this.keys = session.createKeySpace(prefix, this.held.space);
    this.tally = tallyOf(session, name);
    this.tally.held = this.held;
  }

  get space(): number {
    return this.held.space;
  }

  /** The key encoded last, as the name of a map's entry. */
  keyName(): string {
    const { bytes, length } = this.keys;
    return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
  }

  private hold(isOpening = false): Held {
    const { pageSize, nameBytes, session } = this;
    const held = session.parts.spaces.hold(nameBytes, pageSize, isOpening);
    if (held.pageSize === pageSize) return held;
    throw new PoolError(
      'OPTION_INVALID',
      `pageSize: ${pageSize}, but the pages of this space have ${held.pageSize} bytes. Drop the space to change it.`,
      { option: 'pageSize', pageSize: held.pageSize },
    );
  }

  /**
   * The generation of what is stored from now on. The space may have been dropped meanwhile, opened with another page size, or
   * have got another name: then it is opened anew. What is stored under the generation is refused when that happens later.
   * Throws OPTION_INVALID, BUSY, TOO_MANY_SPACES.
   */
  generation(): number {
    const { session, keys } = this;
    const { spaces } = session.parts;
    for (let tries = 0; tries < HOLD_TRIES; tries++) {
      // ORDER size-1: generation before page size; pairs with Spaces.finishDrop.
      // ORDER name-1: generation before tenure; pairs with Spaces.enter.
      const generation = spaces.generation(this.space);
      if (spaces.isHeld(this.held)) return generation;
      const held = this.hold();
      // Before it is known to be held: a call that was cut here moves them again.
      if (held.space !== keys.space) session.moveKeySpace(keys, held.space);
      this.held = held;
      this.tally.moveTo(held);
    }
    // Nobody's.
    return 0;
  }

  /** Fields of something to store under the key encoded last. */
  fields(size: number, flags: number, options: StoreOptions, lease = options.lease): DraftFields {
    const { keys, session } = this;
    const { spaces } = session.parts;
    const { from, until } = options;
    const expiry = options.expiry ?? this.expiryAfter(options.ttlMs);
    const keptMs = options.keptMs === undefined || !isKeepable(expiry) ? 0 : options.keptMs;
    const generation = this.generation();
    const { space } = this;
    if (from !== undefined || until !== undefined) spaces.markVersioned(space);
    const spaceGeneration = lease === undefined ? generation : this.generationOf(lease);
    return keys.fields({
      size,
      metadata: options.metadata ?? NOTHING,
      expiry,
      keptMs,
      marks: this.marks(options.tags, lease?.tagMoment ?? options.moment),
      flags:
        flags |
        (keptMs > 0 ? FLAG_KEPT : 0) |
        (lease === undefined ? 0 : FLAG_LEASED) |
        (spaces.isVersioned(space) ? FLAG_VERSIONED : 0),
      spaceGeneration,
      from: options.isBeside === true ? BESIDE : (from ?? 0),
      until: until ?? Number.POSITIVE_INFINITY,
      leaseCount: lease === undefined ? 0 : lease.count,
    });
  }

  /** What a page with the tags carries of them that was read from the moment on. */
  marks(names: readonly string[] | undefined, moment = this.tagMoment()): Int32Array | undefined {
    if (names === undefined || names.length === 0) return undefined;
    return marksOf(this.hashTags([...new Set(names)]), moment);
  }

  private hashTags(names: readonly string[]): Int32Array {
    return hashTags(this.session.seed, this.keys.prefix(), names);
  }

  tagMoment(): number {
    return this.session.parts.tags.moment();
  }

  /** Pages of the tags from before are not fresh any more, but may be served stale for so long. Throws BUSY. */
  invalidateTags(names: readonly string[], staleMs: number): void {
    const { machine, parts } = this.session;
    const nowMs = machine.nowMs();
    parts.tags.invalidate(this.hashTags(names), staleMs > 0 ? Math.floor(nowMs + staleMs) : undefined, nowMs);
  }

  /** Whether some page may be served stale because of its tags. A hint. */
  mayBeStale(): boolean {
    return this.session.parts.tags.mayBeStale(this.session.machine.nowMs());
  }

  /** Whether a load of a page with the tags that began under the lease is still of use for who asks now. */
  isUpToDate(names: KnownTags, { tagMoment }: Lease): boolean {
    const { tags } = this.session.parts;
    if (names === 'later') return tags.moment() === tagMoment;
    const marks = this.marks(names, tagMoment);
    return marks === undefined || tags.isFresh(tags.seek(marks));
  }

  /** When what is stored now ends, that lives so long; 0 for never. */
  expiryAfter(ttlMs: number | undefined): number {
    return ttlMs === undefined ? 0 : expiryAfter(this.session.machine.nowMs(), ttlMs);
  }

  /** Nobody's where its name has another space by now. */
  private generationOf({ space, spaceGeneration }: Lease): number {
    return space === this.space ? spaceGeneration : 0;
  }

  /** The lease of the key encoded last: taken before its source is read. */
  lease(): Lease {
    const { hashLow, hashHigh } = this.keys;
    // ORDER lease-1: the counts are read before the source is; pairs with seal, which compares them under the lock.
    const spaceGeneration = this.generation();
    const { space } = this;
    const count = this.countOf(hashLow, hashHigh);
    const tagMoment = this.tagMoment();
    return { hashLow, hashHigh, count, space, spaceGeneration, tagMoment };
  }

  /** Whether a fill under the lease would still be taken. */
  isValid(lease: Lease): boolean {
    const { hashLow, hashHigh, count, space, spaceGeneration } = lease;
    return this.countOf(hashLow, hashHigh) === count && this.session.parts.spaces.isCurrent(space, spaceGeneration);
  }

  /** The invalidation count of the stripe of the key encoded last. */
  count(): number {
    return this.countOf(this.keys.hashLow, this.keys.hashHigh);
  }

  /** The invalidation count of the key's stripe. */
  countOf(hashLow: number, hashHigh: number): number {
    const { shards, stripes } = this.session.parts;
    return stripes.count(stripes.wordOf(shards.ofHash(hashLow), hashHigh));
  }

  private checkLease(lease: Lease): void {
    const { hashLow, hashHigh } = this.keys;
    if (lease.hashLow === hashLow && lease.hashHigh === hashHigh) return;
    throw new PoolError('OPTION_INVALID', 'lease: it was given out for another key.');
  }

  /**
   * Stores bytes under the key encoded last, superseding what is there. False: not stored. Then, unless a lease said
   * that the bytes may be stale, the page that was there is hidden all the same. Throws BUSY when that cannot be done.
   */
  store(bytes: Uint8Array, options: StoreOptions): boolean {
    const outcome = this.tryStore(bytes, options);
    if (outcome === 'unshared' && options.lease === undefined) {
      this.session.writer.hideSuperseded(this.fields(bytes.length, FLAG_DETACHED, options));
    }
    return outcome === 'sealed';
  }

  /** As store, but says why not, and hides nothing. */
  tryStore(bytes: Uint8Array, options: StoreOptions): 'sealed' | 'stale' | 'unshared' {
    const { session } = this;
    const { lease } = options;
    if (lease !== undefined) this.checkLease(lease);
    let outcome = this.storeOnce(bytes, options);
    if (outcome === 'stale' && lease !== undefined) {
      for (const less of lessThan(options)) {
        if (outcome === 'stale' && this.isValid(lease)) outcome = this.storeOnce(bytes, less);
      }
    }
    if (outcome === 'stale') session.count('staleFills');
    if (outcome === 'unshared') session.count('unshared');
    return outcome;
  }

  private storeOnce(bytes: Uint8Array, options: StoreOptions): 'sealed' | 'stale' | 'unshared' {
    const { session } = this;
    const place = this.tryCreate(this.fields(bytes.length, FLAG_DETACHED, options));
    if (place === undefined) return 'unshared';
    const outcome = fillAndSeal(session.parts.segment, session.writer, place, bytes);
    return outcome === 'sealed' || outcome === 'stale' ? outcome : 'unshared';
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
    const { writer, parts } = this.session;
    if (version === undefined) return writer.remove(this.keys.fields({}));
    const spaceGeneration = this.generation();
    parts.spaces.markVersioned(this.space);
    return writer.remove(this.keys.fields({ spaceGeneration }), version);
  }

  /** Gives back what `PageSpace.retire` says, of the key encoded last. */
  retireEnded(inUse: readonly number[]): number {
    return inUse.length === 0 ? 0 : this.session.writer.retireEnded(this.keys.fields({}), inUse);
  }

  /** As remove, for all pages with numbers from `first` to before `end`. */
  removePages(first: number, end: number): void {
    const prefix = this.keys.prefix().length;
    this.generation();
    this.session.writer.removeWhere(this.space, (key) => {
      const pageNo = pageNumberOf(key, prefix);
      return pageNo >= first && pageNo < end;
    });
  }

  /** Everything in the domain is a miss from now on. */
  drop(): void {
    this.session.check();
    this.session.parts.spaces.drop(this.nameBytes);
  }
}
