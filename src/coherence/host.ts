/**
 * One host of a device that is not kept coherent. In this version one process is the host; a second one of the same machine has to be
 * kept out (a lock of its kernel).
 *
 * What each operation stores, in order, and what a crash after it leaves:
 *
 * | operation | stores | a crash leaves |
 * |---|---|---|
 * | create | CLAIM; a look at all logs; WON, or ABORT | a claim, void from its host's death or next life on |
 * | seal | data; PAGE; a look at the deaths | a draft, or a page that is there and was not acknowledged |
 * | get | a pin, not written back | a pin of the dead, which does not count |
 * | delete | DELETE; a look at the deaths | a page, or an end that was not acknowledged |
 * | beat | pins; acknowledgements | old ones: space comes back later |
 * | reclaim | nothing | nothing |
 *
 * (H1) *one key, one owner*. A claim is in memory before its host looks at the others' logs, so of two claims of one key at least one
 *      is seen by the other's host. Who sees an object, a draft, or the claim of a lower host, gives up. Who sees the claim of a
 *      higher host waits until that one has won or given up: the lower cannot know whether it was seen. Nobody waits for a lower
 *      host, so nobody waits in a ring, and the lowest of those who contend gives up only to a page or a draft.
 * (H2) *data before its record*: written back and ordered.
 * (H3) *freed last*: the extent of a retired page is used again when every host that counts has acknowledged the DELETE and has no
 *      pin of the page. Such a host has dropped the page from its directory, so it makes no further pin.
 * (H4) who was taken for dead and reads on may see bytes change under a page that it holds. `copy` looks at the deaths afterwards.
 */

import { isBytes, lengthOfBytes, takeBytes } from '../../lib/bytes.js';
import { PoolError } from '../../lib/errors.js';
import { checksumOfBytes } from '../../lib/hash.js';
import type { Directory, Entry } from './directory.js';
import { bytesOf, nameOf } from './directory.js';
import type { Extents } from './extents.js';
import { KEY_BYTES_MAX, linesOf } from './layout.js';
import type { Lines } from './lines.js';
import { fieldsOf, type OwnLog } from './log.js';
import type { Look, Surroundings } from './look.js';
import { LEFT, type Members } from './members.js';
import type { Pins } from './pins.js';
import { ABORT, CLAIM, DELETE, NO_KEY, PAGE, WON } from './records.js';

export interface HostParts {
  readonly lines: Lines;
  readonly members: Members;
  readonly directory: Directory;
  readonly log: OwnLog;
  readonly look: Look;
  readonly pins: Pins;
  readonly extents: Extents;
  readonly surroundings: Surroundings;
}

/** A key that this host has alone, and room for its bytes. */
export interface Draft {
  readonly key: string;
  readonly id: number;
  readonly extent: number;
  readonly byteLength: number;
}

/** A sealed page; it stays until it is released. */
export interface HeldPage {
  readonly entry: Entry;
  readonly byteLength: number;
}

/** Of such a string the UTF-8 bytes are its characters. */
const PLAIN = /^[\0-\x7f]+$/;

/** The key as its bytes, one a character. Throws KEY_INVALID. */
export function checkKey(key: string | Uint8Array): string {
  if (typeof key === 'string' && key.length <= KEY_BYTES_MAX && PLAIN.test(key)) return key;
  const invalid = (why: string) => new PoolError('KEY_INVALID', `The key ${why}.`);
  if (typeof key !== 'string' && !isBytes(key)) throw invalid('is neither a string nor a Uint8Array');
  if (typeof key === 'string' && !key.isWellFormed()) throw invalid('holds half of a surrogate pair');
  // One whose buffer was transferred has no bytes either.
  if (typeof key !== 'string' && lengthOfBytes(key) === 0) throw invalid('has no bytes');
  const bytes = typeof key === 'string' ? Buffer.from(key, 'utf8') : takeBytes(key, 'key');
  if (bytes.length >= 1 && bytes.length <= KEY_BYTES_MAX) return nameOf(bytes);
  throw new PoolError(
    'KEY_INVALID',
    `A key of ${bytes.length} bytes: with memory that is not coherent 1 to ${KEY_BYTES_MAX}.`,
  );
}

export function dataCheckOf(key: string, bytes: Uint8Array): number {
  return checksumOfBytes(bytes, checksumOfBytes(bytesOf(key), 0));
}

/** Retired, and its extent is not free; of an object that only a DELETE still names no record says where it was. */
function isHeldRetired({ state, isFreed, lastPosition }: Entry): boolean {
  return state === 'retired' && !isFreed && lastPosition > 0;
}

export class CoherenceHost {
  readonly parts: HostParts;
  private readonly waitMs: number;

  constructor(parts: HostParts, options: { readonly waitMs: number }) {
    this.parts = parts;
    this.waitMs = options.waitMs;
  }

  get incarnation(): number {
    return this.parts.members.incarnation;
  }

  /**
   * Claims the key and room for the bytes. Throws KEY_EXISTS, BUSY (a higher host has claimed it and says nothing further, or the process that has
   * it has ended, and host 0 has not said so yet),
   * POOL_FULL (this host's own region), OBJECT_TOO_LARGE, KEY_INVALID, NODE_FENCED.
   */
  createDraft(key: string | Uint8Array, byteLength: number): Draft {
    const { members, log, look, directory } = this.parts;
    members.assertLive();
    const name = checkKey(key);
    if (directory.entriesOf(name).length > 0) {
      look.look();
      if (directory.entriesOf(name).some(({ state }) => state !== 'claim')) this.refuse(name);
    }
    // For the claim and for how it ends, so that it does not end by being forgotten.
    log.makeRoomForObject(2);
    const extent = this.takeExtent(byteLength);
    const id = log.head;
    const fields = { kind: CLAIM, host: members.self, id, extent, byteLength, dataCheck: 0, key: bytesOf(name) };
    log.append(fields);
    const verdict = this.tryContend(name, id);
    log.append({ ...fields, kind: verdict === 'alone' ? WON : ABORT, key: NO_KEY });
    if (verdict === 'alone') return { key: name, id, extent, byteLength };
    this.parts.extents.give(extent, linesOf(byteLength));
    if (verdict === 'exists') this.refuse(name);
    throw new PoolError('BUSY', `Another host has claimed '${name}', and neither won nor gave up.`);
  }

  private refuse(name: string): never {
    const { directory, members, surroundings } = this.parts;
    const isHeldByGone = ({ host, state }: Entry) =>
      state !== 'page' && host !== members.self && surroundings.isGone?.(host, members.readRow(host)) === true;
    // Its drafts are void once host 0 has declared it dead.
    if (directory.entriesOf(name).every(isHeldByGone)) {
      throw new PoolError(
        'BUSY',
        `The process that has a draft of '${name}' has ended; host 0 has not declared it dead yet.`,
      );
    }
    throw new PoolError('KEY_EXISTS', `'${name}' has a page, a draft or an earlier claim.`);
  }

  private tryContend(name: string, id: number): 'alone' | 'exists' | 'busy' {
    try {
      return this.contend(name, id);
    } catch (error) {
      if (error instanceof PoolError && error.code === 'BUSY') return 'busy';
      throw error;
    }
  }

  private contend(name: string, id: number): 'alone' | 'exists' | 'busy' {
    const { members, look, directory, surroundings } = this.parts;
    const until = surroundings.elapsedMs() + this.waitMs;
    for (;;) {
      look.look();
      const others = directory.entriesOf(name).filter((entry) => entry.host !== members.self || entry.id !== id);
      if (others.some(({ host, state }) => state !== 'claim' || host < members.self)) return 'exists';
      if (others.length === 0) return 'alone';
      if (surroundings.elapsedMs() > until) return 'busy';
      surroundings.pause();
    }
  }

  private takeExtent(byteLength: number): number {
    const { extents, members } = this.parts;
    const count = linesOf(byteLength);
    if (count > members.plan.shape.dataLines) {
      throw new PoolError(
        'OBJECT_TOO_LARGE',
        `${byteLength} bytes in a host's region of ${members.plan.shape.dataLines} lines.`,
      );
    }
    const extent = extents.tryTake(count);
    if (extent !== undefined) return extent;
    this.reclaim();
    const second = extents.tryTake(count);
    if (second !== undefined) return second;
    throw new PoolError(
      'POOL_FULL',
      `Host ${members.self} has no ${count} lines in one piece. Nothing is evicted here.`,
    );
  }

  /** Throws NODE_FENCED, where the page may or may not be there. */
  sealDraft(draft: Draft, bytes: Uint8Array): void {
    const { members, log, lines, directory } = this.parts;
    members.assertLive();
    const entry = directory.entry(members.self, draft.id);
    if (entry?.state !== 'draft' || bytes.length !== draft.byteLength) {
      throw new PoolError('NOT_OWNER', `The draft of '${draft.key}' is no more, or is not of ${bytes.length} bytes.`);
    }
    log.makeRoom(1);
    // (H2): who reads the record drops the lines after that, and finds them.
    lines.copyIn(draft.extent, bytes);
    lines.writeback(draft.extent, linesOf(bytes.length));
    lines.order();
    const dataCheck = dataCheckOf(draft.key, bytes);
    log.append({ ...fieldsOf(PAGE, entry), extent: draft.extent, byteLength: bytes.length, dataCheck });
    members.readDeaths();
  }

  abortDraft(draft: Draft): void {
    const { members, log, directory, extents } = this.parts;
    members.assertLive();
    const entry = directory.entry(members.self, draft.id);
    if (entry?.state !== 'draft') return;
    log.makeRoomForEnd();
    log.append({ ...fieldsOf(ABORT, entry), key: NO_KEY });
    extents.give(draft.extent, linesOf(draft.byteLength));
  }

  private pageOf(name: string): Entry | undefined {
    return this.parts.directory.entriesOf(name).find(({ state }) => state === 'page');
  }

  /**
   * The page of the key, pinned; undefined where there is none. Of a page that was found before, and `isKnown`, no line is looked
   * at: what others did since the last look is not seen. Throws TOO_MANY_PINS, POOL_CORRUPT, NODE_FENCED, BUSY.
   */
  findPage(key: string | Uint8Array, options: { readonly isKnown?: boolean } = {}): HeldPage | undefined {
    const { members, look } = this.parts;
    members.assertLive();
    const name = checkKey(key);
    if (options.isKnown !== true) look.look();
    const entry = this.pageOf(name);
    if (entry === undefined) return undefined;
    if (entry.pins === 0) entry.pinPlace = this.parts.pins.pin(entry.host, entry.id);
    entry.pins++;
    try {
      if (!entry.isVerified) this.verify(entry);
    } catch (error) {
      this.unpin(entry);
      throw error;
    }
    return { entry, byteLength: entry.byteLength };
  }

  /** Drops the page's lines, once since it was sealed, and compares them with their checksum. */
  private verify(entry: Entry): void {
    const { lines, members } = this.parts;
    // After the record was read (H2): what was fetched before may be what lay there before.
    if (entry.host !== members.self) {
      lines.invalidate(entry.extent, linesOf(entry.byteLength));
      lines.order();
    }
    const bytes = new Uint8Array(entry.byteLength);
    lines.copyOut(entry.extent, bytes);
    if (dataCheckOf(entry.key, bytes) !== entry.dataCheck) {
      members.readDeaths();
      throw new PoolError(
        'POOL_CORRUPT',
        `The page '${entry.key}' of host ${entry.host} does not agree with its checksum.`,
      );
    }
    entry.isVerified = true;
  }

  /** The bytes of a page, private. Throws NODE_FENCED where they may not be the page's any more (H4). */
  copyPage(page: HeldPage): Uint8Array {
    const bytes = new Uint8Array(page.byteLength);
    this.parts.lines.copyOut(page.entry.extent, bytes);
    this.parts.members.readDeaths();
    return bytes;
  }

  releasePage({ entry }: HeldPage): void {
    this.unpin(entry);
  }

  private unpin(entry: Entry): void {
    if (--entry.pins > 0) return;
    this.parts.pins.unpin(entry.pinPlace);
    entry.pinPlace = -1;
  }

  /** Whether there was a page. Two hosts that delete one page at the same moment may both be told so. */
  deletePage(key: string | Uint8Array): boolean {
    const { members, log, look } = this.parts;
    const name = checkKey(key);
    look.look();
    if (this.pageOf(name) === undefined) return false;
    log.makeRoomForEnd();
    const entry = this.pageOf(name);
    if (entry === undefined) return false;
    log.append(fieldsOf(DELETE, entry));
    members.readDeaths();
    return true;
  }

  /** A sign of life, and how far this host has read. To be called several times a lease, outside of what uses pages without pins. */
  beat(): void {
    const { members, look, pins, log } = this.parts;
    look.look();
    members.beat(pins, log.head);
  }

  /** Forgets what no log shows any more, and moves its own log on. To be called now and then. Throws BUSY, NODE_FENCED. */
  forget(): void {
    const { members, look, directory, log } = this.parts;
    const rows = members.readRows();
    look.look();
    for (const host of members.others) directory.forgetBelow(host, rows[host]?.tail ?? 0);
    log.rotate();
  }

  /** Frees what was retired of this host's pages and nobody needs (H3). Returns how many. */
  reclaim(): number {
    const { members, look, directory, extents, pins, lines } = this.parts;
    look.look();
    const retired = directory
      .all()
      .filter((entry) => entry.host === members.self && isHeldRetired(entry) && entry.pins === 0);
    if (retired.length === 0) return 0;
    const rows = members.readRows();
    const counting = members.others.filter((host) => {
      const view = rows[host];
      return view !== undefined && members.counts(host, view);
    });
    const known = retired.filter((entry) =>
      counting.every((host) => (rows[host]?.acks[entry.deletedBy] ?? 0) > entry.deletedAt),
    );
    if (known.length === 0) return 0;
    // After the acknowledgements were read (M4).
    const pinned = new Set<number>();
    for (const host of counting) pins.drop(host);
    lines.order();
    for (const host of counting) pins.addPinned(host, members.self, pinned);
    const free = known.filter(({ id }) => !pinned.has(id));
    for (const entry of free) {
      entry.isFreed = true;
      extents.give(entry.extent, linesOf(entry.byteLength));
    }
    return free.length;
  }

  /** Gives up the drafts and goes; pages stay. */
  leave(): void {
    const { members, directory, log, pins } = this.parts;
    for (const entry of directory.all()) {
      if (entry.host !== members.self || entry.state !== 'draft') continue;
      log.makeRoomForEnd();
      log.append({ ...fieldsOf(ABORT, entry), key: NO_KEY });
    }
    members.beat(pins, log.head);
    members.become(LEFT);
    members.isFenced = true;
  }
}
