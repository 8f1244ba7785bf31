/** The pool as its users see it: the object API of one node. */
import { PoolError } from '../../lib/errors.js';
import { Checkpoints } from './checkpoints.js';
import { bytesOfKey, type KeySpace } from './keys.js';
import { FLAG_RETAINED } from './layout.js';
import { listObjects, statsOf } from './listing.js';
import type { NodeSession } from './node.js';
import { checkCreate, checkSubscribe, checkWait } from './options.js';
import { OpenDraft, PinnedPage } from './page.js';
import { poolFull } from './runs.js';
import type { DraftFields } from './slots.js';
import { OpenSubscription } from './subscription.js';
import type {
  Checkpoint,
  CheckpointInfo,
  CheckpointWriter,
  CreateOptions,
  Draft,
  Key,
  NodeInfo,
  ObjectInfo,
  Page,
  Pool,
  PoolInfo,
  PoolStats,
  SubscribeOptions,
  Subscription,
  WaitOptions,
} from './types.js';
import { Upkeep } from './upkeep.js';
import { pagesWhenSealed } from './waiting.js';

const NO_PREFIX = new Uint8Array(0);

export class AttachedPool implements Pool {
  readonly path: string;
  readonly info: PoolInfo;
  /** For the cache layer. */
  readonly session: NodeSession;
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
    const { nodes } = this.session.parts;
    return nodes.info(nodes.self, false);
  }

  private fieldsOf(key: Key, size: number, options: CreateOptions): DraftFields {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new PoolError('OPTION_INVALID', `size: ${size} is no number of bytes.`);
    return this.keys.encode(key).fields({
      size,
      metadata: options.metadata ?? NO_PREFIX,
      expiry: options.ttlMs === undefined ? 0 : this.session.machine.nowMs() + options.ttlMs,
      flags: options.retain === true ? FLAG_RETAINED : 0,
    });
  }

  create(key: Key, size: number, options?: CreateOptions): Draft {
    this.session.check();
    const place = this.session.writer.create(this.fieldsOf(key, size, checkCreate(options)));
    if (place === 'exists')
      throw new PoolError('KEY_EXISTS', `The key ${JSON.stringify(key)} is in the pool.`, { key });
    if (place === 'full') throw poolFull(this.path, size);
    return new OpenDraft(this.session, key, place, size);
  }

  put(key: Key, bytes: Uint8Array, options?: CreateOptions): boolean {
    this.session.check();
    const { writer, parts } = this.session;
    const place = writer.create(this.fieldsOf(key, bytes.length, checkCreate(options)));
    if (place === 'exists') return false;
    if (place === 'full') throw poolFull(this.path, bytes.length);
    parts.segment.writeDraft(place.extent, 0, bytes);
    const outcome = writer.sealOnce(place);
    if (outcome === 'full') throw poolFull(this.path, bytes.length);
    if (outcome !== 'sealed') throw new PoolError('NOT_OWNER', 'The draft is gone.');
    return true;
  }

  get(key: Key): Page | undefined {
    const entry = this.session.find(this.keys, key);
    return entry === undefined ? undefined : new PinnedPage(this.session, key, entry);
  }

  getMany(keys: readonly Key[]): (Page | undefined)[] {
    const pages: (Page | undefined)[] = [];
    try {
      for (const key of keys) pages.push(this.get(key));
    } catch (error) {
      for (const page of pages) page?.release();
      throw error;
    }
    return pages;
  }

  async waitFor(key: Key, options?: WaitOptions): Promise<Page> {
    const [page] = await this.waitForMany([key], options);
    return page as Page;
  }

  /** Each page is pinned as it appears; none stays pinned when the wait fails. */
  async waitForMany(keys: readonly Key[], options?: WaitOptions): Promise<Page[]> {
    return pagesWhenSealed(this.session, this.keys, [...keys], checkWait(options));
  }

  has(key: Key): boolean {
    return this.session.glance(this.keys, key) !== undefined;
  }

  delete(key: Key): boolean {
    this.session.check();
    return this.session.writer.remove(this.keys.encode(key).fields({}));
  }

  list(options?: { prefix?: Key }): IterableIterator<ObjectInfo> {
    this.session.check();
    const prefix = options?.prefix === undefined ? undefined : bytesOfKey(options.prefix);
    return this.guardedList(listObjects(this.session.parts, prefix));
  }

  /** A listing that is still open when the pool is disconnected says so instead of reading memory that is gone. */
  private *guardedList(objects: IterableIterator<ObjectInfo>): IterableIterator<ObjectInfo> {
    for (;;) {
      this.session.check();
      const next = objects.next();
      if (next.done === true) return;
      yield next.value;
    }
  }

  subscribe(options?: SubscribeOptions): Subscription {
    this.session.check();
    const { prefix, replay, signal } = checkSubscribe(options);
    const { parts, waits } = this.session;
    return new OpenSubscription({
      parts,
      waits,
      check: () => this.session.check(),
      prefix: prefix === undefined ? undefined : bytesOfKey(prefix).slice(),
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
    if (segment.survivesRestart && segment.file.stats().isFile()) await segment.sync();
  }

  stats(): PoolStats {
    this.session.check();
    return statsOf(this.session.parts);
  }

  nodes(): NodeInfo[] {
    this.session.check();
    return this.session.parts.nodes.list(true);
  }

  async disconnect(): Promise<void> {
    this.upkeep.stop();
    try {
      this.named.close();
    } finally {
      this.session.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }
}
