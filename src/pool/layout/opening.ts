/** What pools are made and opened with. Byte counts are bytes, times milliseconds. */

/** 'adaptive-2q' sizes its queues by what has hit of late: arXiv 2511.21958, docs/ARCHITECTURE.md. */
export type Eviction = 'adaptive-2q' | 's3-fifo' | 'sieve' | 'lru' | 'none';
export type Coherence = 'hardware' | 'software';

export interface FormatOptions {
  /** Of the whole file: bytes, or a string such as '512MiB' or '4GiB'. */
  size: number | string;
  /** Typical object size in bytes; sizes the slot table and the chunks. Default 8192. */
  pageSize?: number;
  /** A hard capacity in objects. Default: enough for objects of half of pageSize (1.9 * size / pageSize). */
  maxObjects?: number;
  /** Default: four to a processor, at least 64. */
  maxNodes?: number;
  /** Default 'hardware'; fixed at format. 'software': several hosts share memory that nobody keeps coherent, docs/COHERENCE.md. */
  coherence?: Coherence;
  /** With coherence 'software': how many hosts may share the pool, 1 to 7. Default 2. */
  hosts?: number;
  /** Default 'adaptive-2q'. */
  eviction?: Eviction;
  /** File mode, default 0o600. */
  mode?: number;
  /** Discard what is there; IN_USE while a live node is attached. */
  force?: boolean;
}

export interface PoolSizeOptions {
  /** Bytes of one object. */
  pageSize: number;
  /** How many are to be there at a time. */
  maxObjects: number;
  /** Default: four to a processor, at least 64. */
  maxNodes?: number;
  /** Default 'adaptive-2q'. */
  eviction?: Eviction;
}

export interface ConnectOptions {
  /** Attach (an existing pool's geometry wins), else format: of racing openers exactly one formats. */
  create?: FormatOptions;
  /**
   * What to do where a pool is there whose size, pageSize, maxObjects, maxNodes or eviction is not as `create` says. 'keep' takes
   * it as it is, 'error' throws OPTION_INVALID, 'replace' makes it anew, or throws IN_USE while a node is attached. By default it
   * is kept, and the process warned once (SEALPOOL_OPTIONS_DIFFER).
   */
  onMismatch?: 'keep' | 'error' | 'replace';
  /**
   * 'mismatch': a pool of another layout (info.layout), made by another version of sealpool, is replaced by one as `create` says
   * where no node of any version is attached; else IN_USE says who is. Without it: FORMAT_MISMATCH. What is no pool is never
   * replaced.
   */
  replace?: 'mismatch';
  /**
   * What to do when the path no longer leads to this node's pool, which upkeep notices within a second or two. 'warn' (the default)
   * warns the process, once (SEALPOOL_FILE_LOST); a function is called instead, once, in a run of its own: to connect anew, for
   * which docs/OPERATIONS.md has the lines. The node itself keeps its pool. A read-only node has no upkeep: its stats() tell.
   */
  onMoved?: 'warn' | ((lost: 'removed' | 'replaced') => unknown);
  /** The owner must be the caller, root, or one of these; never world-writable, never a symbolic link. */
  trustUids?: number[];
  /** 'software': the pool was formatted for memory that is not coherent. docs/COHERENCE.md has what such a pool can do. */
  coherence?: Coherence;
  /**
   * Software mode on ordinary memory: this node works on a private image of the lines, and only writebacks and invalidates move them to and from the
   * file, which is three times as large as the pool. For trials and tests on any machine; `info` and `stats()` name it.
   */
  emulate?: 'noncoherent';
  /** In software mode this host's number, of its own for ever: 0 formats, and declares others dead. An emulated one may leave it out. */
  host?: number;
  /** In software mode, of host 0: how long another may show no sign of life, in milliseconds, before it is declared dead. Default 10,000. */
  leaseMs?: number;
  /** Shown by nodes(); default host:pid. At most 47 bytes of UTF-8 are kept. */
  name?: string;
  /**
   * Maps nothing writable and cannot disturb the pool; pages it hands out are private copies. For that it takes no row:
   * `nodes()` does not show it, and `destroy` does not wait for it (it keeps what it has mapped).
   */
  readOnly?: boolean;
  /** Capacity of this node's lookup index, in entries. Default: the pool's maxObjects, at most 1,048,576. */
  nearEntries?: number;
  /**
   * Share of the pool's bytes that this node may have pinned at a time, over 0 to 1; more is TOO_MANY_PINS. What checkpoints
   * hold does not count, nor does a single page however large it is. Default 0.5.
   */
  maxPinShare?: number;
  /**
   * Touch the mapping's pages beforehand, as huge pages where the kernel makes them (Linux 6.1, a pool in memory): reads
   * spread over a large pool then take about a fifth less time, in every process. Default 'none'.
   */
  prefault?: 'none' | 'sync' | 'background';
  /** How long to wait for another process that is formatting. Default 10,000. */
  timeoutMs?: number;
  /**
   * How long a synchronous call waits for a lock of a node that is alive but does not run (stopped, frozen, in a debugger)
   * before it throws BUSY; once for each time such a node is met, later calls throw at once. Asynchronous calls wait as
   * long, but do not hold the event loop. 0 to 60,000; default 50.
   */
  syncWaitMs?: number;
  signal?: AbortSignal;
}

export interface CreateOptions {
  metadata?: Uint8Array;
  ttlMs?: number;
  /** Never evicted. */
  retain?: boolean;
}
