/**
 * pages: where a page comes from on a miss, and whether the page served for an id is that id's.
 *
 * (G1) The contents depend on the id alone, so every process can check every page.
 * (G2) A check reads a few words of the page, spread over it; it never reads storage for a page it knows. A glance reads
 *      the first word alone: enough to tell a page from every other where no other process writes it.
 * (G3) Made-up pages are made of those words; what lies between them is whatever was there. Where no other process writes
 *      a page it can not be torn, and two words do: so the time an arm takes is its own and not that of filling memory.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { PoolError } from '../../../lib/errors.js';

export interface PageSource {
  fill(id: number, target: Uint8Array): void;
  /** True when `page` is the page of `id`. */
  check(id: number, page: Uint8Array): boolean;
  /** The same by the first word alone. */
  glance(id: number, page: Uint8Array): boolean;
  close(): void;
}

export const PAGE_SIZE_MIN = 64;
const STAMP_STRIDE = 512;
const PROBES = 8;

/** A bijection of 32-bit numbers (the finalizer of MurmurHash3): close ids give unlike words. */
function mix(value: number): number {
  let word = value | 0;
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}

function wordAt(page: Uint8Array, offset: number): number {
  return page[offset]! | (page[offset + 1]! << 8) | (page[offset + 2]! << 16) | (page[offset + 3]! << 24);
}

function putWord(page: Uint8Array, offset: number, word: number): void {
  page[offset] = word;
  page[offset + 1] = word >>> 8;
  page[offset + 2] = word >>> 16;
  page[offset + 3] = word >>> 24;
}

/** Made-up pages: every `stride` bytes, and at the end, a word mixed from the id and the place. */
export class PatternPages implements PageSource {
  private readonly stride: number;

  constructor(stride: number = STAMP_STRIDE) {
    this.stride = stride;
  }

  fill(id: number, target: Uint8Array): void {
    const mixed = mix(id);
    const end = target.length - 4;
    for (let offset = 0; offset <= end; offset += this.stride) putWord(target, offset, mixed ^ offset);
    putWord(target, end, mixed ^ end);
  }

  check(id: number, page: Uint8Array): boolean {
    const mixed = mix(id);
    const end = page.length - 4;
    for (let offset = 0; offset <= end; offset += this.stride) {
      if (wordAt(page, offset) !== (mixed ^ offset)) return false;
    }
    return wordAt(page, end) === (mixed ^ end);
  }

  glance(id: number, page: Uint8Array): boolean {
    return wordAt(page, 0) === mix(id);
  }

  close(): void {}
}

/**
 * Pages of a storage file: page (id mod pages). The expected words of a page are remembered when it is first read, or
 * probed from the file when a page that another process read is first served here; the probes are no storage reads of
 * the cache and are not counted.
 */
export class StoragePages implements PageSource {
  private readonly fd: number;
  private readonly pageSize: number;
  private readonly pages: number;
  private readonly known: Uint8Array;
  private readonly expected: Int32Array;
  private readonly probe = new Uint8Array(4);

  constructor(path: string, pageSize: number, unique: number) {
    this.pageSize = pageSize;
    try {
      this.fd = openSync(path, 'r');
    } catch (cause) {
      throw new PoolError('OPTION_INVALID', `Storage ${path} cannot be opened.`, { path }, cause);
    }
    this.pages = Math.floor(fstatSync(this.fd).size / pageSize);
    if (this.pages === 0) {
      throw new PoolError('OPTION_INVALID', `Storage ${path} does not hold a whole page of ${pageSize} bytes.`, {
        path,
      });
    }
    this.known = new Uint8Array(Math.min(unique, this.pages));
    this.expected = new Int32Array(this.known.length * PROBES);
  }

  fill(id: number, target: Uint8Array): void {
    const page = id % this.pages;
    this.readAt(page * this.pageSize, target);
    if (this.known[page] === 1) return;
    for (let probe = 0; probe < PROBES; probe += 1) {
      this.expected[page * PROBES + probe] = wordAt(target, this.probeOffset(probe));
    }
    this.known[page] = 1;
  }

  check(id: number, page: Uint8Array): boolean {
    const number = id % this.pages;
    if (this.known[number] === 0) this.learn(number);
    for (let probe = 0; probe < PROBES; probe += 1) {
      if (wordAt(page, this.probeOffset(probe)) !== this.expected[number * PROBES + probe]) return false;
    }
    return true;
  }

  /** Pages of a file may begin alike: all of the words are compared. */
  glance(id: number, page: Uint8Array): boolean {
    return this.check(id, page);
  }

  close(): void {
    closeSync(this.fd);
  }

  private learn(page: number): void {
    for (let probe = 0; probe < PROBES; probe += 1) {
      this.readAt(page * this.pageSize + this.probeOffset(probe), this.probe);
      this.expected[page * PROBES + probe] = wordAt(this.probe, 0);
    }
    this.known[page] = 1;
  }

  /** Spread over the page, the last one at its end. */
  private probeOffset(probe: number): number {
    return Math.floor(((this.pageSize - 4) * probe) / (PROBES - 1));
  }

  private readAt(position: number, target: Uint8Array): void {
    let done = 0;
    while (done < target.length) {
      const count = readSync(this.fd, target, done, target.length - done, position + done);
      if (count === 0) throw new PoolError('OPTION_INVALID', `The storage file ended at byte ${position + done}.`);
      done += count;
    }
  }
}
