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
  /** True on a hit. */
  access(id: number): boolean;
  shared(): Shared;
  close(): Promise<void>;
}

/** lru-cache as a user would take it, but for one thing: the buffer of the evicted page takes the next one. */
export class PrivateLruCache implements ReplayCache {
  page: Uint8Array;
  private readonly source: PageSource;
  private readonly pageSize: number;
  private readonly cache: LRUCache<number, Uint8Array>;
  private spare: Uint8Array | undefined;

  constructor(options: { capacity: number; pageSize: number; source: PageSource }) {
    this.source = options.source;
    this.pageSize = options.pageSize;
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
    const page = this.spare ?? new Uint8Array(this.pageSize);
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
  page: Uint8Array;
  private readonly source: PageSource;
  private readonly pageSize: number;
  private readonly policy: CachePolicy;
  private readonly pages: Uint8Array[] = [];

  constructor(options: { policy: CachePolicy; pageSize: number; source: PageSource }) {
    this.source = options.source;
    this.pageSize = options.pageSize;
    this.policy = options.policy;
    this.page = new Uint8Array(0);
  }

  access(id: number): boolean {
    const hit = this.policy.access(id);
    const slot = this.policy.slotOf(id);
    const page = this.pages[slot] ?? new Uint8Array(this.pageSize);
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
