/** Pages of one file, table or relation, by number. */
import { PoolError } from '../../lib/errors.js';
import { alignedBuffer } from '../../lib/linux/index.js';
import { type NearEntry, type NearMap, type Page, PinnedPage, PrivatePage, type Reader } from '../pool/index.js';
import type { Domain } from './domain.js';
import { Loading, SYNC_WAIT_MS } from './loading.js';
import { checkBytes, checkPut, type PutOptions } from './options.js';
import type { Lease, PageSpace } from './types.js';

type LoadSync = (pageNo: number, target: Uint8Array) => void;
type Load = (pageNo: number, target: Uint8Array) => Promise<void> | void;

export class SharedPageSpace implements PageSpace {
  readonly pageSize: number;
  private readonly domain: Domain;
  private readonly loading: Loading;
  private readonly near: NearMap;
  private readonly reader: Reader;
  /** Page-aligned buffers to load into: direct I/O wants that. One a nested or concurrent load. */
  private readonly scratches: Uint8Array[] = [];

  constructor(domain: Domain, pageSize: number) {
    this.domain = domain;
    this.pageSize = pageSize;
    this.loading = new Loading(domain);
    this.near = domain.keys.pages;
    this.reader = domain.session.reader;
  }

  private find(pageNo: number, asOf: number | undefined): NearEntry | undefined {
    return this.domain.session.findPage(this.domain.keys, pageNo, asOf);
  }

  borrow(pageNo: number, asOf?: number): Uint8Array | undefined {
    // The hot path: the newest version, remembered.
    const near = asOf === undefined ? this.near.atShortcut(pageNo) : undefined;
    if (near !== undefined && this.reader.hit(near)) {
      this.reader.hazards.keep();
      return near.bytes;
    }
    const entry = this.find(pageNo, asOf);
    if (entry === undefined) return undefined;
    this.reader.hazards.keep();
    return entry.bytes;
  }

  get(pageNo: number, asOf?: number): Page | undefined {
    const entry = this.find(pageNo, asOf);
    return entry === undefined ? undefined : this.pin(pageNo, entry);
  }

  private pin(pageNo: number, entry: NearEntry): Page {
    return new PinnedPage(this.domain.session, this.domain.keys.pageKey(pageNo), entry);
  }

  read(pageNo: number, target: Uint8Array, targetOffset = 0, asOf?: number): boolean {
    const entry = this.find(pageNo, asOf);
    if (entry === undefined) return false;
    copyInto(target, targetOffset, entry.bytes);
    return true;
  }

  lease(pageNo: number): Lease {
    this.domain.session.check();
    this.domain.keys.encodePage(pageNo);
    return this.domain.lease();
  }

  put(pageNo: number, bytes: Uint8Array, options?: PutOptions): boolean {
    this.domain.session.check();
    checkBytes(bytes);
    const checked = checkPut(options);
    if (bytes.length !== this.pageSize) {
      throw new PoolError(
        'OPTION_INVALID',
        `bytes: ${bytes.length}, but the pages of this space have ${this.pageSize}.`,
      );
    }
    this.domain.keys.encodePage(pageNo);
    return this.domain.store(bytes, checked);
  }

  private takeScratch(): Uint8Array {
    return this.scratches.pop() ?? alignedBuffer(this.pageSize);
  }

  /** One that a loader transferred away has no bytes any more. */
  private giveBack(scratch: Uint8Array): void {
    if (scratch.length === this.pageSize) this.scratches.push(scratch);
  }

  private checkLoaded(scratch: Uint8Array): void {
    if (scratch.length === this.pageSize) return;
    throw new PoolError('OPTION_INVALID', 'load: it transferred its target away, and with it the page.');
  }

  fetchSync(pageNo: number, load: LoadSync): Uint8Array {
    const entry = this.find(pageNo, undefined);
    if (entry !== undefined) return this.borrowed(entry);
    const scratch = this.takeScratch();
    try {
      const shared = this.loadOrWait(pageNo, scratch, load);
      return shared === undefined ? scratch.slice() : this.borrowed(shared);
    } finally {
      this.giveBack(scratch);
    }
  }

  private borrowed(entry: NearEntry): Uint8Array {
    this.domain.session.reader.hazards.keep();
    return entry.bytes;
  }

  readThrough(pageNo: number, target: Uint8Array, load: LoadSync): boolean {
    const entry = this.find(pageNo, undefined);
    if (entry !== undefined) {
      copyInto(target, 0, entry.bytes);
      return true;
    }
    checkRoom(target, 0, this.pageSize);
    const scratch = this.takeScratch();
    try {
      const waited = this.loadOrWait(pageNo, scratch, load);
      copyInto(target, 0, waited === undefined ? scratch : waited.bytes);
      return this.metAnothers;
    } finally {
      this.giveBack(scratch);
    }
  }

  /** Whether the last loadOrWait to return was answered by another node's load. A loader may call this space again. */
  private metAnothers = false;

  /** Loads the page into the scratch and shares it, or waits for who does. Undefined: the bytes are in the scratch only. */
  private loadOrWait(pageNo: number, scratch: Uint8Array, load: LoadSync): NearEntry | undefined {
    const { session, keys } = this.domain;
    const startedMs = session.machine.nowMs();
    for (let waits = 0; ; waits++) {
      keys.encodePage(pageNo);
      const claim = this.loading.claim(this.pageSize, {});
      if (claim.kind === 'won') {
        this.run(pageNo, scratch, load, () => this.loading.abandon(claim.place));
        // The loader may have read other pages through this space.
        this.metAnothers = false;
        keys.encodePage(pageNo);
        return this.loading.publish(claim.place, scratch) ? session.glancePage(keys, pageNo, undefined) : undefined;
      }
      const entry = session.glancePage(keys, pageNo, undefined);
      if (entry !== undefined) {
        session.reader.touch(entry);
        this.metAnothers = true;
        return entry;
      }
      if (claim.kind === 'others' && waits === 0) session.count('waits');
      if (claim.kind !== 'others' || session.machine.nowMs() - startedMs >= SYNC_WAIT_MS) {
        session.count('unshared');
        this.run(pageNo, scratch, load, () => {});
        this.metAnothers = false;
        return undefined;
      }
      this.loading.blockBriefly();
    }
  }

  private run(pageNo: number, scratch: Uint8Array, load: LoadSync, onFailure: () => void): void {
    const startedMs = this.domain.session.machine.nowMs();
    try {
      load(pageNo, scratch);
      this.checkLoaded(scratch);
    } catch (error) {
      this.loading.loaded(startedMs, true);
      onFailure();
      throw error;
    }
    this.loading.loaded(startedMs, false);
    // The loader may have disconnected the node: its draft is undone and its memory perhaps somebody else's by now.
    this.domain.session.check();
  }

  async fetch(pageNo: number, load: Load): Promise<Page> {
    const entry = this.find(pageNo, undefined);
    if (entry !== undefined) return this.pin(pageNo, entry);
    const { session, keys } = this.domain;
    for (let round = 0; ; round++) {
      session.check();
      keys.encodePage(pageNo);
      const claim = this.loading.claim(this.pageSize, {});
      if (claim.kind === 'won') return this.loadShared(pageNo, load, claim.place);
      const found = session.glancePage(keys, pageNo, undefined);
      if (found !== undefined) {
        session.reader.touch(found);
        return this.pin(pageNo, found);
      }
      if (claim.kind !== 'others' && claim.kind !== 'own') return this.loadShared(pageNo, load, undefined);
      if (round === 0) session.count('waits');
      await this.loading.ended(claim, () => keys.encodePage(pageNo));
    }
  }

  private async loadShared(
    pageNo: number,
    load: Load,
    place: Parameters<Loading['publish']>[0] | undefined,
  ): Promise<Page> {
    const { session, keys } = this.domain;
    const scratch = this.takeScratch();
    const startedMs = session.machine.nowMs();
    let loaded = false;
    try {
      await load(pageNo, scratch);
      this.checkLoaded(scratch);
      loaded = true;
      this.loading.loaded(startedMs, false);
      session.check();
      keys.encodePage(pageNo);
      if (place === undefined) session.count('unshared');
      else if (this.loading.publish(place, scratch)) {
        const entry = session.glancePage(keys, pageNo, undefined);
        if (entry !== undefined) return this.pin(pageNo, entry);
      }
      return new PrivatePage(keys.pageKey(pageNo), scratch.slice());
    } catch (error) {
      if (!loaded) this.loading.loaded(startedMs, true);
      if (place !== undefined) this.loading.abandon(place);
      throw error;
    } finally {
      this.giveBack(scratch);
    }
  }

  invalidate(pageNo: number, version?: number): void {
    this.domain.session.check();
    if (version !== undefined) checkPut({ from: version });
    this.domain.keys.encodePage(pageNo);
    this.domain.remove(version);
  }

  invalidateRange(first: number, count: number): void {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new PoolError('OPTION_INVALID', `count: ${count} is no number of pages.`);
    }
    for (let pageNo = first; pageNo < first + count; pageNo++) this.invalidate(pageNo);
  }

  drop(): void {
    this.domain.drop();
  }
}

/** Throws OPTION_INVALID when the target has no room for the bytes. */
export function copyInto(target: Uint8Array, offset: number, bytes: Uint8Array): void {
  checkRoom(target, offset, bytes.length);
  target.set(bytes, offset);
}

function checkRoom(target: Uint8Array, offset: number, length: number): void {
  if (offset >= 0 && offset + length <= target.length) return;
  throw new PoolError('OPTION_INVALID', `target: ${length} bytes do not fit its ${target.length} from ${offset} on.`);
}
