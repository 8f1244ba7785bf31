/**
 * A pool for memory that is not coherent, as its users see it: the part of the object API that one host has. What it has not throws UNSUPPORTED.
 *
 * (S1) *signs of life*. A timer of the event loop beats every BEAT_MS, and so does any call that finds the last beat older than that. No thread does it: a beat says how
 *      far this host has read and what it has pinned, and others wait for just that before they use room again. A thread that beats for an event loop
 *      that stands still for good would hold all of them up for ever. So a host whose loop neither turns nor uses the pool for a whole lease is taken for dead; it finds
 *      out by NODE_FENCED, and nothing that was acknowledged is lost (M2).
 * (S2) a call that is BUSY, as another host has not read this one's log yet, waits for that up to `waitMs`, and beats meanwhile: two that wait for each other both go on.
 * (S3) the row's lock is given back last, when no line of this host is stored to any more.
 */
import { isBytes, takeBytes } from '../../../lib/bytes.js';
import { PoolError } from '../../../lib/errors.js';
import type { Ticker } from '../../../lib/machine.js';
import { type Shown, showAs, UNCLONEABLE } from '../../../lib/shown.js';
import {
  bytesOfPrefix,
  type CreateOptions,
  checkCreate,
  checkSubscribe,
  checkWait,
  type Draft,
  describeKey,
  displayKey,
  type Key,
  type NodeInfo,
  type ObjectInfo,
  type Page,
  type Pool,
  type PoolInfo,
  type PoolStats,
  type SubscribeOptions,
  type Subscription,
  startsWith,
  type WaitOptions,
} from '../../pool/index.js';
import { bytesOf, type Change, type Entry } from '../directory.js';
import { checkKey, type HeldPage, type Draft as HostDraftFields } from '../objects.js';
import { HostFeed } from './feed.js';
import { type HandleOwner, type Held, HostDraft, HostPage } from './handles.js';
import { MissingCalls, refuse } from './missing.js';
import type { SoftwarePoolParts } from './parts.js';
import { nodesOf, objectOf, statsOf } from './report.js';

const BEAT_MS = 50;
/** Of beats, between those that forget and free. */
const BEATS_A_ROUND = 4;
const POLL_MS = 5;

export class SoftwarePool extends MissingCalls implements Pool, HandleOwner, Shown {
  readonly uncloneable = UNCLONEABLE;
  readonly path: string;
  readonly info: PoolInfo;
  /** For tests. */
  readonly parts: SoftwarePoolParts;
  isOpen = true;
  hits = 0;
  misses = 0;
  private readonly ticker: Ticker;
  private readonly feeds = new Set<HostFeed>();
  private readonly uncollected: { watch(object: object, given: Held): void };
  private beats = 0;
  private beatMs: number;
  private sequence = 0;
  private isPolling = false;
  private hasWarned = false;

  constructor(parts: SoftwarePoolParts) {
    super();
    const { machine, info, host } = parts;
    this.parts = parts;
    this.path = info.path;
    this.info = info;
    this.beatMs = machine.elapsedMs();
    this.ticker = machine.every(BEAT_MS, () => this.upkeep());
    this.uncollected = machine.watchCollected((given: Held) => this.takeBack(given));
    host.parts.directory.onChange = (what, entry) => this.tell(what, entry);
    this.judge();
  }

  /** Throws DISCONNECTED, NODE_FENCED. */
  check(): void {
    if (!this.isOpen) throw new PoolError('DISCONNECTED', `The pool ${this.path} was disconnected.`);
    this.parts.host.parts.members.assertLive();
  }

  /** Before each call that uses the pool (S1). */
  private enter(): void {
    this.check();
    if (this.parts.machine.elapsedMs() - this.beatMs >= BEAT_MS) this.upkeep();
  }

  /** A beat, after which host 0 judges; every few of them this host forgets and frees. What cannot be done now is left for the next one. */
  private upkeep(): void {
    if (!this.isOpen || this.parts.host.parts.members.isFenced) return;
    const { host } = this.parts;
    this.beatMs = this.parts.machine.elapsedMs();
    this.beats++;
    this.attempt(() => host.beat());
    this.judge();
    if (this.beats % BEATS_A_ROUND !== 0) return;
    this.attempt(() => host.forget());
    this.attempt(() => host.reclaim());
  }

  private judge(): void {
    this.attempt(() => this.parts.arbiter?.judge());
  }

  private attempt(work: () => unknown): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      if (error.code === 'NODE_FENCED') this.endFeeds(error);
    }
  }

  private endFeeds(error: PoolError): void {
    for (const feed of [...this.feeds]) feed.end(error);
  }

  /** (S2) */
  private patiently<T>(work: () => T): T {
    const { machine, host, waitMs } = this.parts;
    const until = machine.elapsedMs() + waitMs;
    for (;;) {
      try {
        return work();
      } catch (error) {
        const isBusy = error instanceof PoolError && error.code === 'BUSY';
        if (!isBusy || machine.elapsedMs() > until) throw error;
      }
      this.upkeep();
      host.parts.surroundings.pause();
    }
  }

  create(key: Key, size: number, options?: CreateOptions): Draft {
    this.enter();
    const more = checkCreate(options);
    if (!Number.isSafeInteger(size) || size < 0)
      throw new PoolError('OPTION_INVALID', `size: ${size} is no number of bytes.`);
    const draft = this.patiently(() => this.parts.host.createDraft(key, size, more));
    return new HostDraft(this, isBytes(key) ? key.slice() : key, draft);
  }

  put(key: Key, bytes: Uint8Array, options?: CreateOptions): boolean {
    this.enter();
    // Before the bytes are looked at: what reads options may change them.
    const more = checkCreate(options);
    const content = takeBytes(bytes, 'bytes');
    const { host } = this.parts;
    let draft: HostDraftFields;
    try {
      draft = this.patiently(() => host.createDraft(key, content.length, more));
    } catch (error) {
      if (error instanceof PoolError && error.code === 'KEY_EXISTS') return false;
      throw error;
    }
    try {
      this.seal(draft, content);
    } catch (error) {
      // Of no use to anybody else. What cannot be given up now ends with this host.
      this.attempt(() => this.abort(draft));
      throw error;
    }
    return true;
  }

  seal(draft: HostDraftFields, bytes: Uint8Array): void {
    this.patiently(() => this.parts.host.sealDraft(draft, bytes));
  }

  abort(draft: HostDraftFields): void {
    if (this.parts.host.parts.members.isFenced) return;
    this.patiently(() => this.parts.host.abortDraft(draft));
  }

  get(key: Key): Page | undefined {
    this.enter();
    const page = this.patiently(() => this.parts.host.findPage(key));
    if (page === undefined) {
      this.misses++;
      return undefined;
    }
    this.hits++;
    const held: Held = { page, key: isBytes(key) ? key.slice() : key };
    const handle = new HostPage(this, held);
    this.uncollected.watch(handle, held);
    return handle;
  }

  bytesOf(page: HeldPage): Uint8Array {
    const { device, host } = this.parts;
    return device.bytesAt(page.entry.extent, page.byteLength) ?? host.copyPage(page);
  }

  copyOf(page: HeldPage): Uint8Array {
    return this.parts.host.copyPage(page);
  }

  metadataOf(page: HeldPage): Uint8Array {
    return this.parts.host.copyMetadata(page);
  }

  release(page: HeldPage): void {
    this.parts.host.releasePage(page);
  }

  private takeBack({ page, key }: Held): void {
    if (page === undefined || !this.isOpen) return;
    this.parts.host.releasePage(page);
    if (this.hasWarned) return;
    this.hasWarned = true;
    this.parts.machine.warn(
      'SEALPOOL_PAGE_NOT_RELEASED',
      `The page ${describeKey(key)} was collected before it was released.`,
    );
  }

  getMany(keys: readonly Key[]): (Page | undefined)[] {
    const pages: (Page | undefined)[] = [];
    try {
      for (const key of keys) pages.push(this.get(key));
      return pages;
    } catch (error) {
      for (const page of pages) page?.release();
      throw error;
    }
  }

  async waitFor(key: Key, options?: WaitOptions): Promise<Page> {
    const [page] = await this.waitForMany([key], options);
    return page as Page;
  }

  async waitForMany(keys: readonly Key[], options?: WaitOptions): Promise<Page[]> {
    const { timeoutMs, signal } = checkWait(options);
    const { machine } = this.parts;
    const startedMs = machine.elapsedMs();
    const found: (Page | undefined)[] = [...keys].map(() => undefined);
    try {
      for (;;) {
        if (signal?.aborted === true) {
          throw new PoolError('ABORTED', 'The wait was aborted.', undefined, signal.reason);
        }
        keys.forEach((key, i) => {
          found[i] ??= this.get(key);
        });
        if (found.every((page) => page !== undefined)) return found as Page[];
        if (timeoutMs !== undefined && machine.elapsedMs() - startedMs >= timeoutMs)
          throw new PoolError('TIMEOUT', `Not all of ${keys.length} keys had a page within ${timeoutMs} ms.`);
        await machine.sleep(POLL_MS);
      }
    } catch (error) {
      for (const page of found) page?.release();
      throw error;
    }
  }

  private pageEntry(key: Key): Entry | undefined {
    const { host } = this.parts;
    const name = checkKey(key);
    this.patiently(() => host.parts.look.look());
    return host.pageOf(name);
  }

  has(key: Key): boolean {
    this.enter();
    return this.pageEntry(key) !== undefined;
  }

  delete(key: Key): boolean {
    this.enter();
    return this.patiently(() => this.parts.host.deletePage(key));
  }

  *list(options?: { prefix?: Key }): IterableIterator<ObjectInfo> {
    this.enter();
    const prefix = options?.prefix === undefined ? undefined : bytesOfPrefix(options.prefix);
    const { look, directory } = this.parts.host.parts;
    this.patiently(() => look.look());
    for (const entry of directory.all()) {
      this.check();
      if ((entry.state !== 'draft' && entry.state !== 'page') || this.parts.host.isExpired(entry)) continue;
      const keyBytes = Uint8Array.from(bytesOf(entry.key));
      if (prefix !== undefined && !startsWith(keyBytes, prefix)) continue;
      yield objectOf(entry, keyBytes);
    }
  }

  async *listAsync(options?: { prefix?: Key }): AsyncIterableIterator<ObjectInfo> {
    yield* this.list(options);
  }

  subscribe(options?: SubscribeOptions): Subscription {
    this.enter();
    const { prefix, replay, signal } = checkSubscribe(options);
    const bytes = prefix === undefined ? undefined : bytesOfPrefix(prefix).slice();
    const { look, directory } = this.parts.host.parts;
    this.patiently(() => look.look());
    const feed = new HostFeed(
      {
        check: () => this.check(),
        look: () => look.look(),
        rearm: () => this.rearm(),
        close: (one) => this.feeds.delete(one),
      },
      (keyBytes) => bytes === undefined || startsWith(keyBytes, bytes),
      signal,
    );
    this.feeds.add(feed);
    if (replay === true)
      for (const entry of directory.all()) if (entry.state === 'page') feed.push(this.eventOf('sealed', entry));
    return feed;
  }

  private eventOf(type: Change, entry: Entry) {
    const keyBytes = Uint8Array.from(bytesOf(entry.key));
    const { byteLength: size } = entry;
    const keyLength = keyBytes.length;
    return { type, key: displayKey(keyBytes), keyBytes, keyLength, size, sequence: this.sequence };
  }

  private tell(type: Change, entry: Entry): void {
    this.sequence++;
    if (this.feeds.size === 0) return;
    const event = this.eventOf(type, entry);
    for (const feed of [...this.feeds]) feed.push(event);
  }

  /** Looks every few milliseconds while somebody waits for an event who keeps the process alive; else beats do. */
  private rearm(): void {
    if (this.isPolling || ![...this.feeds].some((feed) => feed.keepsAlive)) return;
    this.isPolling = true;
    void this.parts.machine.sleep(POLL_MS).then(() => {
      this.isPolling = false;
      if (!this.isOpen) return;
      this.attempt(() => this.parts.host.parts.look.look());
      this.rearm();
    });
  }

  get node(): NodeInfo {
    this.check();
    return nodesOf(this.parts, true)[0] as NodeInfo;
  }

  nodes(): NodeInfo[] {
    this.enter();
    return nodesOf(this.parts, false);
  }

  stats(): PoolStats {
    this.enter();
    this.patiently(() => this.parts.host.parts.look.look());
    return statsOf(this.parts, { hits: this.hits, misses: this.misses });
  }

  /** What is sealed is in memory. Throws UNSUPPORTED for a file on a disk, of which nothing is promised after a restart of the machine. */
  async sync(): Promise<void> {
    this.check();
    const { file } = this.parts;
    if (file.device === undefined && !file.isVolatile()) refuse('a state on the disk that survives a restart');
  }

  async disconnect(): Promise<void> {
    if (!this.isOpen) return;
    const { host, device, file } = this.parts;
    try {
      // One that cannot give up its drafts now goes as the dead go: they are void when it comes again, or is declared dead.
      if (!host.parts.members.isFenced) this.attempt(() => this.patiently(() => host.leave()));
    } finally {
      this.isOpen = false;
      this.ticker.stop();
      host.parts.directory.onChange = undefined;
      this.endFeeds(new PoolError('DISCONNECTED', `The pool ${this.path} was disconnected.`));
      device.close();
      // (S3)
      file.close();
    }
  }

  toJSON(): object {
    const { path, info, parts } = this;
    const state = this.isOpen ? 'connected' : 'disconnected';
    const { coherence, emulation } = info;
    return { path, poolId: info.poolId, node: parts.host.parts.members.self, state, coherence, emulation };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }
}

showAs(SoftwarePool, 'Pool');
