/**
 * The public surface of the object layer: one pool, its nodes and its objects. Byte counts are bytes, times milliseconds.
 */
import type { Coherence, CreateOptions, Eviction } from './opening.js';
import type { PoolEvent } from './poolevent.js';
import type { SpaceInfo, SpaceName } from './spaceinfo.js';

export type {
  Coherence,
  ConnectOptions,
  CreateOptions,
  Eviction,
  FormatOptions,
  PoolSizeOptions,
} from './opening.js';

export type { PoolEvent } from './poolevent.js';

/**
 * 1 to 65,535 bytes; a string is taken as UTF-8. One of up to 1,024 characters is found by what a node remembers; a longer one is looked
 * up in the pool each time, hashed and compared as a whole.
 */
export type Key = string | Uint8Array;
export interface Draft extends Disposable {
  readonly key: Key;
  /**
   * `size` zeroes, to be written until seal; detached after it, and after abort. Private memory, copied into the pool at the
   * seal: what writes to it later, a read under way or a filler that was given up, reaches no page. `put` saves a copy.
   */
  readonly bytes: Uint8Array;
  /**
   * Has the function fill `bytes`, and resolves when it has settled. Until then the draft is not sealed: NOT_FILLED. Where the
   * function fails the draft is aborted, and its error thrown. Throws ALREADY_SEALED, NOT_OWNER where the draft was aborted
   * meanwhile, OPTION_INVALID, SHORT_LOAD.
   */
  fill(fill: Filler): Promise<void>;
  /** Throws ALREADY_SEALED, NOT_OWNER, NOT_FILLED. */
  seal(): void;
  /** Idempotent, and nothing for a sealed one; dispose is abort. */
  abort(): void;
}

/**
 * Fills the target; what it leaves stays zero. Where it answers how many bytes it filled, a number or an object with `bytesRead`, as
 * reads of files do, fewer than all are SHORT_LOAD.
 */
export type Filler = (target: Uint8Array) => Promise<unknown> | unknown;

export type Freshness = 'fresh' | 'stale' | 'negative';

export interface Page extends Disposable {
  readonly key: Key;
  /**
   * A view of the pool, mapped read-only: writing to it ends the process (SIGSEGV). For this thread, until release: its `buffer` is
   * the whole pool, which structuredClone and postMessage would copy. Post `copy()`, or `descriptor()` for `pool.open` there;
   * to a stream that reads later give `readable()`. Throws RELEASED after release.
   */
  readonly bytes: Uint8Array;
  readonly metadata: Uint8Array;
  readonly size: number;
  readonly generation: number;
  /** 'stale': it has expired, and `fetch` was told that it may be so. 'negative': it stands for nothing, and has no bytes. */
  readonly freshness: Freshness;
  /** A private copy, safe to post or keep. */
  copy(): Uint8Array;
  /**
   * The bytes as a stream of private copies of up to 64 KiB, each made when it is asked for. Releases the page when the last one
   * was taken, or the stream is cancelled; a release before that errors it (RELEASED). In Node `Readable.fromWeb` makes a
   * Readable of it, and `pipeline` takes it as it is. Throws RELEASED.
   */
  readable(): ReadableStream<Uint8Array>;
  /**
   * Names this page for `pool.open` in another thread or process. A string, to be posted as it is; it holds nothing: release the page
   * when the other has opened it. Undefined where the page is private to this node (of a read-only one, or loaded without
   * room in the pool): post `copy()`. Throws RELEASED.
   */
  descriptor(): string | undefined;
  /** Idempotent. What is collected without it gives its pin back, with a warning (SEALPOOL_PAGE_NOT_RELEASED). */
  release(): void;
}

export interface ObjectInfo {
  key: string;
  keyBytes: Uint8Array;
  size: number;
  state: 'draft' | 'sealed';
  generation: number;
  metadataSize: number;
  retained: boolean;
  expiresAt?: Date;
}

export interface PoolInfo {
  path: string;
  poolId: string;
  size: number;
  pageSize: number;
  maxObjects: number;
  maxNodes: number;
  coherence: Coherence;
  /** There where the device is played by ordinary memory. */
  emulation?: 'noncoherent';
  eviction: Eviction;
  layout: string;
  createdAt: Date;
}

export interface NodeInfo {
  id: number;
  name: string;
  pid: number;
  bootId: string;
  state: 'alive' | 'dead' | 'fenced';
  connectedAt: Date;
  /** True of this node itself where it is read-only; such nodes take no row, so that no list shows one. */
  readOnly: boolean;
  /** Pages that it has pinned, each once. */
  pins: number;
  /** Bytes of those. */
  pinnedBytes: number;
  /** Objects that it is filling, claims included. */
  drafts: number;
  /** Of those, keys that it is loading (`fetch` and its kin), for which others wait. */
  claims: number;
}

/** What a node's row says of it, without what it holds. */
export type NodeRowInfo = Omit<NodeInfo, 'pinnedBytes' | 'drafts' | 'claims'>;

export interface PoolStats {
  /** Bytes of the data region. */
  bytesData: number;
  /** Bytes of it that extents of objects occupy, drafts and retired pages not yet reclaimed included. */
  bytesUsed: number;
  bytesFree: number;
  bytesMetadata: number;
  /** Sealed objects. What checkpoints consist of counts too, though no list shows it: the parts, and one object each. */
  objects: number;
  drafts: number;
  /** Objects retired but still held by a pin or a borrow, or not yet scanned for. */
  limbo: number;
  pins: number;
  hits: number;
  misses: number;
  evictions: number;
  /** Times the pool was restored after a restart of the machine. What was retired since the last sync may be back then. */
  restores: number;
  /** Slots dropped by those, because their page was not whole. */
  damaged: number;
  /** Names that lead to a checkpoint. */
  checkpoints: number;
  /** There where the device is played by ordinary memory. */
  emulation?: 'noncoherent';
  /**
   * There where the path no longer leads to this node's pool: its file was removed or renamed, or another one was put in its
   * place. The node goes on with the one it has, and with whoever else has it; who connects from now on finds another, or none.
   */
  lost?: 'removed' | 'replaced';
  /**
   * There where another object makes the pool evict one: for want of slots (`maxObjects` is reached, however few bytes are used: small
   * objects want a smaller `pageSize`, or a larger `maxObjects`), or of bytes. 'pins': so it is, and most objects are pinned. By
   * how things stand at the call.
   */
  limitedBy?: 'slots' | 'extents' | 'pins';
}

export interface PoolProblem {
  code: string;
  where: string;
  message: string;
  repairable: boolean;
}

/** ok is false only for corruption; what a death left behind is a repairable problem. */
export interface PoolReport {
  info: PoolInfo;
  ok: boolean;
  problems: PoolProblem[];
  stats: PoolStats;
  nodes: NodeInfo[];
}

/**
 * A checkpoint in the making: nobody sees anything of it before its commit. Part names are 1 to 1,024 bytes of UTF-8, each
 * once to a checkpoint: KEY_EXISTS. Calls after commit throw ALREADY_SEALED, after abort NOT_OWNER.
 */
export interface CheckpointWriter extends Disposable {
  /** To be filled in place. Sealed by commit at the latest. Throws KEY_EXISTS, POOL_FULL, OBJECT_TOO_LARGE. */
  create(part: string, size: number): Draft;
  put(part: string, bytes: Uint8Array): void;
  /** Carries a part of the last commit over, without copying it; false when there is none of this name. */
  reuse(part: string): boolean;
  /**
   * All or nothing, at whatever moment this node dies; replaces the last one. In a pool on a disk it has reached the disk
   * when this returns, so it may take as long as that. Throws NODE_FENCED when another node has taken the name over.
   */
  commit(metadata?: Uint8Array): CheckpointInfo;
  /** Idempotent; dispose is abort unless committed. */
  abort(): void;
}

/** A committed checkpoint, whole and unchanging until it is released, whatever is committed or forgotten meanwhile. */
export interface Checkpoint extends Disposable {
  readonly name: string;
  /** 1 for the first commit of the name. */
  readonly sequence: number;
  readonly committedAt: Date;
  readonly metadata: Uint8Array;
  /** In the order in which the writer added them. */
  parts(): string[];
  /** Pinned on its own: good beyond the release of the checkpoint. Throws PART_NOT_FOUND, RELEASED. */
  get(part: string): Page;
  /** Idempotent. */
  release(): void;
}

export interface CheckpointInfo {
  name: string;
  sequence: number;
  committedAt: Date;
  parts: number;
  /** Of all parts. */
  bytes: number;
  /** The node that took the name last. */
  owner: number;
}

export interface WaitOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface SubscribeOptions {
  /** Only events of keys that begin so. Of a key over 1,024 bytes the first 992 are looked at. */
  prefix?: Key;
  /** First tell of everything that is sealed at the time of the call, as 'sealed' events. Default false. */
  replay?: boolean;
  /** Its abort closes the subscription. */
  signal?: AbortSignal;
}

/** Iterated, by one or several loops that share its events. `close` ends them all; DISCONNECTED is thrown at `disconnect`. */
export interface Subscription extends AsyncIterable<PoolEvent>, Disposable {
  close(): void;
  /** Whether a loop that waits for the next event keeps the process alive: at first it does. */
  ref(): void;
  unref(): void;
}

export interface Pool extends AsyncDisposable {
  readonly path: string;
  readonly info: PoolInfo;
  readonly node: NodeInfo;
  /** Throws KEY_EXISTS, POOL_FULL, OBJECT_TOO_LARGE. */
  create(key: Key, size: number, options?: CreateOptions): Draft;
  /** create, fill and seal; false if the key is live. */
  put(key: Key, bytes: Uint8Array, options?: CreateOptions): boolean;
  /** Pinned until release, zero-copy. */
  get(key: Key): Page | undefined;
  getMany(keys: readonly Key[]): (Page | undefined)[];
  /**
   * The very page that another handle of the pool described, pinned, without a copy, under its key in the pool; undefined where it
   * is no longer there. While the other holds it, it is, unless it has expired or its space was dropped. Throws OPTION_INVALID
   * for what is no descriptor, or is one of another pool; BUSY; TOO_MANY_PINS.
   */
  open(descriptor: string): Page | undefined;
  waitForMany(keys: readonly Key[], options?: WaitOptions): Promise<Page[]>;
  waitFor(key: Key, options?: WaitOptions): Promise<Page>;
  has(key: Key): boolean;
  delete(key: Key): boolean;
  list(options?: { prefix?: Key }): IterableIterator<ObjectInfo>;
  /** As `list`, without holding the event loop: a pool of millions of objects is looked through some milliseconds at a time. */
  listAsync(options?: { prefix?: Key }): AsyncIterableIterator<ObjectInfo>;
  /** Events from this call on; see Subscription. Throws OPTION_INVALID. */
  subscribe(options?: SubscribeOptions): Subscription;
  evict(bytes: number): number;
  /**
   * For a pool in a file on a disk: every page sealed before this, by any node, survives a restart of the machine, unless
   * it is retired meanwhile. What is retired after it may be back then; see stats().restores. Elsewhere it does nothing.
   */
  sync(): Promise<void>;
  /**
   * Takes the name for this node, and begins its next checkpoint; a writer of the name elsewhere is fenced. Throws
   * NODE_FENCED where another node has taken the name since this one had it, until this one has looked by `restore`;
   * TOO_MANY_CHECKPOINTS; KEY_INVALID for a name of no or over 192 bytes.
   */
  checkpoint(name: string): CheckpointWriter;
  /** The last checkpoint committed under the name, pinned until release. */
  restore(name: string): Checkpoint | undefined;
  checkpoints(): CheckpointInfo[];
  /** The name leads to nothing; its writer, if any, is fenced. What readers have restored stays until they let go. */
  forget(name: string): boolean;
  /**
   * The namespaces and page spaces that have been opened and not dropped since, in no order, with what is in them: each true of
   * some moment of the call. Looks at every slot of the pool without a lock, some 0.2 s for a million, and holds the event loop for that.
   */
  spaces(): SpaceInfo[];
  /** As spaces, but the event loop turns every few milliseconds. Rejects with DISCONNECTED. */
  spacesAsync(): Promise<SpaceInfo[]>;
  /**
   * What `clear` of a cache and `drop` of a page space do, by name and in constant time: all of it is a miss on every node from now on, no
   * load under way publishes, and the name is free for another. Who has it open may go on, and takes a name anew with the
   * first thing he stores. False where no such name is in use. A string stands for the one space that is called so, whatever its
   * kind and namespace: OPTION_INVALID where there are several. Throws BUSY.
   */
  removeSpace(space: string | SpaceName): boolean;
  stats(): PoolStats;
  nodes(): NodeInfo[];
  disconnect(): Promise<void>;
}
