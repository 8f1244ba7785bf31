/**
 * AccessSpool: where a reader puts the accesses it finds. Renumbers their pages and writes them to files, so that a
 * trace of any length is read in the memory of its distinct pages.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { PoolError } from '../../../lib/errors.js';
import { type AccessFiles, CHUNK_ACCESSES } from './accesses.js';
import { IdTable } from './id-table.js';
import { PageKey } from './page-key.js';

/** One line that asks for more than this is taken for a line of another format. */
export const RUN_MAX = 2 ** 20;
const CHUNK_BYTES = CHUNK_ACCESSES / 8;

export class AccessSpool {
  private readonly table = new IdTable();
  private readonly ids = new Uint32Array(CHUNK_ACCESSES);
  private readonly starts = new Uint8Array(CHUNK_BYTES);
  private readonly page = new PageKey();
  private readonly files: { ids: string; starts: string };
  private readonly idsFile: number;
  private startsFile: number | undefined;
  /** In the chunk that is being filled. */
  private filled = 0;
  private chunks = 0;
  private hasRequests = false;
  private isOpen = true;

  constructor(directory: string) {
    this.files = { ids: join(directory, 'ids.u32'), starts: join(directory, 'starts.bits') };
    this.idsFile = openSync(this.files.ids, 'w', 0o600);
  }

  get accesses(): number {
    return this.chunks * CHUNK_ACCESSES + this.filled;
  }

  get pages(): number {
    return this.table.count;
  }

  /** One access. `beginsRequest`: false when it goes where the access before it went. */
  add(key: PageKey, beginsRequest = true): void {
    this.put(this.table.numberOf(key), beginsRequest);
  }

  /** `times` accesses to one page, each a request of its own. */
  repeat(key: PageKey, times: number): void {
    // A page that nobody accesses is none.
    if (times === 0) return;
    const number = this.table.numberOf(key);
    for (let count = 0; count < times; count += 1) this.put(number, true);
  }

  /** One request for `count` pages from the one whose number `first` is, within `outer` where there is one. */
  run(first: PageKey, count: number, outer?: PageKey): void {
    let { high, low } = first;
    for (let index = 0; index < count; index += 1) {
      this.page.setHalves(high, low);
      if (outer !== undefined) this.page.within(outer);
      this.add(this.page, index === 0);
      low = (low + 1) | 0;
      if (low === 0) high = (high + 1) | 0;
    }
  }

  /** The files of the accesses. Nothing may be added afterwards. */
  finish(): AccessFiles {
    const { accesses } = this;
    this.flush();
    const { ids, starts } = this.files;
    const hasStarts = this.startsFile !== undefined;
    this.close();
    return hasStarts ? { accesses, ids, starts } : { accesses, ids };
  }

  /** Idempotent. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    closeSync(this.idsFile);
    if (this.startsFile !== undefined) closeSync(this.startsFile);
  }

  private put(number: number, beginsRequest: boolean): void {
    const at = this.filled;
    this.ids[at] = number;
    if (beginsRequest) this.starts[at >>> 3]! |= 1 << (at & 7);
    else this.hasRequests = true;
    this.filled = at + 1;
    if (this.filled === CHUNK_ACCESSES) this.flush();
  }

  private flush(): void {
    write(this.idsFile, new Uint8Array(this.ids.buffer, 0, this.filled * 4));
    if (this.hasRequests) {
      if (this.startsFile === undefined) this.openStarts();
      write(this.startsFile!, this.starts.subarray(0, Math.ceil(this.filled / 8)));
    }
    this.starts.fill(0);
    if (this.filled === CHUNK_ACCESSES) {
      this.chunks += 1;
      this.filled = 0;
    }
  }

  /** Until now every access began a request, and nobody wrote that down. */
  private openStarts(): void {
    this.startsFile = openSync(this.files.starts, 'w', 0o600);
    const all = new Uint8Array(CHUNK_BYTES).fill(0xff);
    for (let chunk = 0; chunk < this.chunks; chunk += 1) write(this.startsFile, all);
  }
}

function write(file: number, bytes: Uint8Array): void {
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
    const what = 'no room for the renumbered trace, 4 bytes for each access';
    throw new PoolError('OPTION_INVALID', `There is ${what}: set TMPDIR to a folder that has it.`, {}, cause);
  }
}
