/** The pool as its users see it: the object API of one node. */
import { takeBytes } from '../../lib/bytes.js';
import { PoolError } from '../../lib/errors.js';
import { type Shown, showAs } from '../../lib/shown.js';
import { atOnce, Pace } from '../../lib/steps.js';
import {
  bytesOfPrefix,
  fillAndSeal,
  type KeySpace,
  keyOfBytes,
  type Listing,
  listObjects,
  listObjectsAsync,
  listSpaces,
  poolFull,
  removeSpace,
  statsOf,
  withHoldings,
} from './access/index.js';
import { Checkpoints } from './checkpoints/index.js';
import {
  type Checkpoint,
  type CheckpointInfo,
  type CheckpointWriter,
  type CreateOptions,
  checkCreate,
  checkSpaceName,
  checkSubscribe,
  checkWait,
  type Draft,
  expiryAfter,
  FLAG_RETAINED,
  type Key,
  type NodeInfo,
  type ObjectInfo,
  type Page,
  type Pool,
  type PoolInfo,
  type PoolStats,
  type SpaceInfo,
  type SpaceName,
  type SubscribeOptions,
  type Subscription,
  type WaitOptions,
} from './layout/index.js';
import type { DraftFields } from './objects/index.js';
import { Upkeep } from './recovery/index.js';
import {
  describeKey,
  type NodeSession,
  OpenDraft,
  OpenSubscription,
  PinnedPage,
  pagesWhenSealed,
  pinMany,
  pinningHost,
  placeOf,
} from './session/index.js';

const NO_PREFIX = new Uint8Array(0);

export class AttachedPool implements Pool, Shown {
  /** For the cache layer. First: see UNCLONEABLE. */
  readonly session: NodeSession;
  readonly path: string;
  readonly info: PoolInfo;
  private readonly upkeep: Upkeep;
  private readonly keys: KeySpace;
  private readonly named: Checkpoints;

  constructor(session: NodeSession, info: PoolInfo) {
    this.path = session.path;
    this.info = info;
    this.session = session;
    this.keys = session.createKeySpace(NO_PREFIX, 0);
    this.named = new Checkpoints(session);
    this.upkeep = new Upkeep(session, this.named);
    this.upkeep.start();
  }

  get node(): NodeInfo {
    this.session.check();
    const { parts } = this.session;
    const { nodes } = parts;
    return withHoldings(parts, [nodes.info(nodes.self, false)])[0] as NodeInfo;
  }

  private fieldsOf(key: Key, size: number, options: CreateOptions): DraftFields {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new PoolError('OPTION_INVALID', `size: ${size} is no number of bytes.`);
    return this.keys.encode(key).fields({
      size,
      metadata: options.metadata ?? NO_PREFIX,
      expiry: expiryAfter(this.session.machine.nowMs(), options.ttlMs),
      flags: options.retain === true ? FLAG_RETAINED : 0,
    });
  }

  create(key: Key, size: number, options?: CreateOptions): Draft {
    this.session.check();
    const place = this.session.writer.create(this.fieldsOf(key, size, checkCreate(options)));
    if (place === 'exists') throw new PoolError('KEY_EXISTS', `The key ${describeKey(key)} is in the pool.`, { key });
    if (place === 'full') throw poolFull(this.path, size);
    return new OpenDraft(this.session, key, place, size);
  }

  put(key: Key, bytes: Uint8Array, options?: CreateOptions): boolean {
    this.session.check();
    const { writer, parts } = this.session;
    const checked = checkCreate(options);
    // After the options: looking at them may run code of the caller's.
    const content = takeBytes(bytes, 'bytes');
    const place = writer.create(this.fieldsOf(key, content.length, checked));
    if (place === 'exists') return false;
    if (place === 'full') throw poolFull(this.path, content.length);
    const outcome = fillAndSeal(parts.segment, writer, place, content);
    if (outcome === 'full') throw poolFull(this.path, content.length);
    if (outcome !== 'sealed') throw new PoolError('NOT_OWNER', 'The draft is gone.');
    return true;
  }

  get(key: Key): Page | undefined {
    const entry = this.session.find(this.keys, key);
    return entry === undefined ? undefined : new PinnedPage(this.session, key, entry);
  }

  open(descriptor: string): Page | undefined {
    const { session } = this;
    session.check();
    const { slots } = session.parts;
    const { slot, generation } = placeOf(descriptor, this.info.poolId, slots.total);
    const entry = session.reader.open(slot, generation);
    return entry === undefined ? undefined : new PinnedPage(session, keyOfBytes(slots.keyBytes(slot)), entry);
  }

  getMany(keys: readonly Key[]): (Page | undefined)[] {
    const pages = pinMany(this.session, keys, (key) => this.get(key));
    this.session.inHand.length = 0;
    return pages;
  }

  async waitFor(key: Key, options?: WaitOptions): Promise<Page> {
    const [page] = await this.waitForMany([key], options);
    return page as Page;
  }

  /** Each page is pinned as it appears; none stays pinned when the wait fails. */
  async waitForMany(keys: readonly Key[], options?: WaitOptions): Promise<Page[]> {
    return pagesWhenSealed(pinningHost(this.session, this.keys), this.keys, [...keys], checkWait(options));
  }

  has(key: Key): boolean {
    return this.session.glance(this.keys, key) !== undefined;
  }

  delete(key: Key): boolean {
    this.session.check();
    return this.session.writer.remove(this.keys.encode(key).fields({}));
  }

  list(options?: { prefix?: Key }): IterableIterator<ObjectInfo> {
    return listObjects(this.listing(options));
  }

  listAsync(options?: { prefix?: Key }): AsyncIterableIterator<ObjectInfo> {
    return listObjectsAsync(this.listing(options));
  }

  /** A listing that is still open when the pool is disconnected says so instead of reading memory that is gone. */
  private listing(options?: { prefix?: Key }): Listing {
    this.session.check();
    const prefix = options?.prefix === undefined ? undefined : bytesOfPrefix(options.prefix);
    return { parts: this.session.parts, prefix, check: () => this.session.check() };
  }

  subscribe(options?: SubscribeOptions): Subscription {
    this.session.check();
    const { prefix, replay, signal } = checkSubscribe(options);
    const { parts, waits } = this.session;
    return new OpenSubscription({
      parts,
      waits,
      check: () => this.session.check(),
      prefix: prefix === undefined ? undefined : bytesOfPrefix(prefix).slice(),
      replay: replay === true,
      signal,
    });
  }

  evict(bytes: number): number {
    this.session.check();
    if (!(bytes >= 0)) throw new PoolError('OPTION_INVALID', `bytes: ${bytes} is no number of bytes.`);
    return this.session.writer.evict(bytes);
  }

  checkpoint(name: string): CheckpointWriter {
    return this.named.open(name);
  }

  restore(name: string): Checkpoint | undefined {
    return this.named.restore(name);
  }

  checkpoints(): CheckpointInfo[] {
    return this.named.list();
  }

  forget(name: string): boolean {
    return this.named.forget(name);
  }

  async sync(): Promise<void> {
    this.session.check();
    const { segment } = this.session.parts;
    // A device has nothing to write back to.
    if (segment.survivesRestart && segment.file.device === undefined) await segment.sync();
  }

  spaces(): SpaceInfo[] {
    this.session.check();
    this.session.tell();
    return atOnce(listSpaces(this.session.parts, () => {}));
  }

  async spacesAsync(): Promise<SpaceInfo[]> {
    const { session } = this;
    session.check();
    session.tell();
    return new Pace(session.machine).run(listSpaces(session.parts, () => session.check()));
  }

  removeSpace(space: string | SpaceName): boolean {
    this.session.check();
    return removeSpace(this.session.parts, checkSpaceName(space));
  }

  stats(): PoolStats {
    this.session.check();
    return { ...statsOf(this.session.parts), ...this.session.parts.segment.lost() };
  }

  nodes(): NodeInfo[] {
    this.session.check();
    const { parts } = this.session;
    return withHoldings(parts, parts.nodes.list(true));
  }

  async disconnect(): Promise<void> {
    try {
      this.named.close();
    } finally {
      this.session.close();
      // Last: it goes on with an end that was cut.
      this.upkeep.stop();
    }
  }

  toJSON(): object {
    const { path, info, session } = this;
    const state = session.isOpen ? 'connected' : 'disconnected';
    return { path, poolId: info.poolId, node: session.parts.nodes.self, state };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }
}

/** Why a pool serves no cache, as which `what` stands. */
export function noWriter(pool: Pool, what: string): PoolError {
  if (pool.info.coherence === 'hardware') return new PoolError('READ_ONLY', `${what} needs a node that may write.`);
  return new PoolError('UNSUPPORTED', `${what} over a pool with coherence 'software' is not in this version.`);
}

showAs(AttachedPool, 'Pool');
