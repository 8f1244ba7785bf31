/**
 * replay-cache: what a node of the replay asks for its pages, and the private caches that hold real page buffers.
 *
 * (C1) access(id) leaves the page of id in `page`, valid until the next access.
 * (C2) A cache calls its page source once for each miss, never for a hit.
 */
import { LRUCache } from 'lru-cache';
import type { PageSource } from './pages.js';
import type { CachePolicy } from './simulate.js';

/** What all nodes hold together, counted once; nothing for a private cache. */
export interface Shared {
  readonly bytes: number;
  readonly objects: number;
}

const NOTHING_SHARED: Shared = { bytes: 0, objects: 0 };

export interface ReplayCache {
  /** The page of the last access. */
  readonly page: Uint8Array;
  /** Whether other processes write its pages too. */
  readonly isShared: boolean;
  /** True on a hit. */
  access(id: number): boolean;
  shared(): Shared;
  close(): Promise<void>;
}

const SLAB_PAGES = 64;

/**
 * Page buffers, cut from larger ones: one for each page would cost more to make and to collect than a replay does
 * otherwise. As many as the cache may hold, no more.
 */
class PageBuffers {
  private readonly pageSize: number;
  private left: number;
  private slab = new Uint8Array(0);
  private offset = 0;

  constructor(pageSize: number, capacity: number) {
    this.pageSize = pageSize;
    this.left = capacity;
  }

  take(): Uint8Array {
    const { pageSize } = this;
    if (this.offset === this.slab.length) {
      const pages = Math.max(1, Math.min(SLAB_PAGES, this.left));
      this.left -= pages;
      this.slab = new Uint8Array(pages * pageSize);
      this.offset = 0;
    }
    const page = this.slab.subarray(this.offset, this.offset + pageSize);
    this.offset += pageSize;
    return page;
  }
}

/** lru-cache as a user would take it, but for one thing: the buffer of the evicted page takes the next one. */
export class PrivateLruCache implements ReplayCache {
  readonly isShared = false;
  page: Uint8Array;
  private readonly source: PageSource;
  private readonly buffers: PageBuffers;
  private readonly cache: LRUCache<number, Uint8Array>;
  private spare: Uint8Array | undefined;

  constructor(options: { capacity: number; pageSize: number; source: PageSource }) {
    this.source = options.source;
    this.buffers = new PageBuffers(options.pageSize, options.capacity);
    this.page = new Uint8Array(0);
    this.cache = new LRUCache<number, Uint8Array>({
      max: options.capacity,
      dispose: (page) => {
        this.spare = page;
      },
    });
  }

  access(id: number): boolean {
    const resident = this.cache.get(id);
    if (resident !== undefined) {
      this.page = resident;
      return true;
    }
    const page = this.spare ?? this.buffers.take();
    this.spare = undefined;
    this.source.fill(id, page);
    this.cache.set(id, page);
    this.page = page;
    return false;
  }

  shared(): Shared {
    return NOTHING_SHARED;
  }

  async close(): Promise<void> {}
}

/** The pool's own policy, private to one node: the exact class of the simulation, a page buffer in each of its slots. */
export class PrivatePolicyCache implements ReplayCache {
  readonly isShared = false;
  page: Uint8Array;
  private readonly source: PageSource;
  private readonly buffers: PageBuffers;
  private readonly policy: CachePolicy;
  private readonly pages: Uint8Array[] = [];

  constructor(options: { policy: CachePolicy; pageSize: number; source: PageSource }) {
    this.source = options.source;
    this.buffers = new PageBuffers(options.pageSize, options.policy.capacity);
    this.policy = options.policy;
    this.page = new Uint8Array(0);
  }

  access(id: number): boolean {
    const hit = this.policy.access(id);
    const slot = this.policy.slotOf(id);
    const page = this.pages[slot] ?? this.buffers.take();
    this.pages[slot] = page;
    if (!hit) this.source.fill(id, page);
    this.page = page;
    return hit;
  }

  shared(): Shared {
    return NOTHING_SHARED;
  }

  async close(): Promise<void> {}
}
