/**
 * What writer and readers of a database share in the pool, besides its pages: the head, and a log of what each LSN changed.
 *
 * (H1) the head is one value under the file's device and inode, superseded by one store: LSN, size, first page and what the
 *      writer is doing, of one moment. Who holds the pages of a snapshot needs no more than its head of then.
 * (H2) the log of an LSN is in the pool before the head that speaks of it, and lists at least every page of the file that is
 *      written for it, before it is written. The first page is never listed: it stands in the head.
 * (H3) both are a cache's entries. The writer pins its head and the newest logs against eviction; whoever misses one has no
 *      proof of anything, and says so.
 */
import { type Page, type Pool, SharedCache } from '../../src/index.js';
import type { FileStatus } from './files.js';

/**
 * quiet: the file is at the LSN. writing: pages of the next one may be in the file, and a journal takes them back. sealing: all
 * of them are, and the journal is about to go, which commits. cutting: the file is at the LSN, and what lies beyond its size is
 * being cut off. ended: the file was changed by somebody else.
 */
export type HeadState = 'quiet' | 'writing' | 'sealing' | 'cutting' | 'ended';

export interface Head {
  /** The running system, or the pool may be from before a restart. */
  readonly boot: string;
  readonly epoch: number;
  /** Of which this epoch goes on, by the same writer: with another page size. */
  readonly parent: number;
  readonly lsn: number;
  readonly state: HeadState;
  /** Bytes of a page; 0 for an empty file. */
  readonly pageSize: number;
  /** Bytes of the file. */
  readonly size: number;
  /** The writer's. */
  readonly term: number;
  /** Of the file when this was published. */
  readonly file: FileStatus;
  /** Of the journal, while it is live: see identityOfJournal. */
  readonly journal?: string | undefined;
  /** When the LSN was published, as Date.now. */
  readonly publishedMs: number;
  /** As it is at the LSN; empty for an empty file. */
  readonly page1: Uint8Array;
}

/** What one LSN changed in the file. */
export interface LogEntry {
  /** Pages beyond so many bytes were cut off, or may have been. */
  readonly sizeMin: number;
  /** Numbers, from 2 on. */
  readonly pages: Uint32Array;
}

const NAMESPACE = 'sealpool-sqlite';
/** Spaces that the databases of a pool share: each needs one of the pool's names. */
const SPACES = 32;
const LOGS_PINNED_MAX = 256;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Length of the text, the term once more, the text, the first page. */
const TERM_OFFSET = 4;
const TEXT_OFFSET = 8;

function encodeHead({ page1, ...rest }: Head): Uint8Array {
  const text = encoder.encode(JSON.stringify(rest));
  const bytes = new Uint8Array(TEXT_OFFSET + text.length + page1.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, text.length);
  view.setUint32(TERM_OFFSET, rest.term);
  bytes.set(text, TEXT_OFFSET);
  bytes.set(page1, TEXT_OFFSET + text.length);
  return bytes;
}

/** The first page is a view of the bytes. */
function decodeHead(bytes: Uint8Array): Head {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const end = TEXT_OFFSET + length;
  return { ...JSON.parse(decoder.decode(bytes.subarray(TEXT_OFFSET, end))), page1: bytes.subarray(end) };
}

export function openSharedCache(pool: Pool): SharedCache {
  return new SharedCache(pool, { namespace: NAMESPACE });
}

export class SharedState {
  readonly cache: SharedCache;
  private readonly headKey: string;
  private readonly inode: string;
  private headPin: Page | undefined;
  /** The head read last, and its bytes up to the first page: they tell it from any other. */
  private last: { readonly bytes: Uint8Array; readonly head: Head } | undefined;
  private readonly logPins: Page[] = [];

  constructor(pool: Pool, file: FileStatus) {
    this.cache = openSharedCache(pool);
    this.inode = file.inode;
    this.headKey = `head/${file.device}.${file.inode}`;
  }

  /** What `use` makes of the bytes. Not borrowed: a run without end would keep every head that it has seen. */
  private with<T>(key: string, use: (bytes: Uint8Array) => T): T | undefined {
    const page = this.cache.get(key);
    if (page === undefined) return undefined;
    try {
      return use(page.bytes);
    } finally {
      page.release();
    }
  }

  /** The head, if it is of this life of the machine. */
  read(boot: string): Head | undefined {
    const head = this.with(this.headKey, (bytes) => this.decode(bytes));
    return head?.boot === boot ? head : undefined;
  }

  /** A reader asks for it at each page that it takes from the file. */
  private decode(bytes: Uint8Array): Head {
    const { last } = this;
    if (last !== undefined && Buffer.compare(bytes.subarray(0, last.bytes.length), last.bytes) === 0) return last.head;
    const { page1, ...rest } = decodeHead(bytes);
    const head = { ...rest, page1: page1.slice() };
    this.last = { bytes: bytes.slice(0, bytes.length - page1.length), head };
    return head;
  }

  /** Whose head it is, if there is one. */
  term(): number | undefined {
    return this.with(this.headKey, ({ buffer, byteOffset }) => new DataView(buffer, byteOffset).getUint32(TERM_OFFSET));
  }

  /** For a writer. Where there is no room the old head is gone as well (H3). Throws BUSY: the old one stands. */
  publish(head: Head): void {
    this.cache.set(this.headKey, encodeHead(head));
    const pin = this.cache.get(this.headKey);
    this.headPin?.release();
    this.headPin = pin;
  }

  private logKey(epoch: number, lsn: number): string {
    return `log/${epoch}/${lsn}`;
  }

  log(epoch: number, lsn: number): LogEntry | undefined {
    return this.with(this.logKey(epoch, lsn), (bytes) => {
      const copy = bytes.slice();
      return { sizeMin: new DataView(copy.buffer).getFloat64(0), pages: new Uint32Array(copy.buffer, 8) };
    });
  }

  putLog(epoch: number, lsn: number, { sizeMin, pages }: LogEntry): void {
    const bytes = new Uint8Array(8 + 4 * pages.length);
    new DataView(bytes.buffer).setFloat64(0, sizeMin);
    new Uint32Array(bytes.buffer, 8).set(pages);
    const key = this.logKey(epoch, lsn);
    this.cache.set(key, bytes);
    const pin = this.cache.get(key);
    if (pin !== undefined) this.logPins.push(pin);
    if (this.logPins.length > LOGS_PINNED_MAX) this.logPins.shift()?.release();
  }

  pages(pageSize: number) {
    return this.cache.pages(`pages/${Number(BigInt(this.inode) % BigInt(SPACES))}/${pageSize}`, { pageSize });
  }

  close(): void {
    this.headPin?.release();
    this.headPin = undefined;
    for (const pin of this.logPins.splice(0)) pin.release();
  }
}
