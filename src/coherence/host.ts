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

import { takeBytes } from '../../lib/bytes.js';
import { PoolError } from '../../lib/errors.js';
import type { Directory, Entry } from './directory.js';
import { bytesOf } from './directory.js';
import type { Extents } from './extents.js';
import { extentLines, linesOf } from './layout.js';
import type { Lines } from './lines.js';
import { fieldsOf, type OwnLog } from './log.js';
import { linesOfKey } from './longkeys.js';
import type { Look, Surroundings } from './look.js';
import { LEFT, type Members } from './members.js';
import { checkKey, type Draft, type DraftOptions, dataCheckOf, type HeldPage } from './objects.js';
import type { Pins } from './pins.js';
import { ABORT, CLAIM, DELETE, EVICTED, NO_KEY, NO_MORE, PAGE, RETAINED, WON } from './records.js';

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
  createDraft(key: string | Uint8Array, byteLength: number, options: DraftOptions = {}): Draft {
    const { members, log, look, directory, extents } = this.parts;
    members.assertLive();
    const name = checkKey(key);
    const metadata = options.metadata === undefined ? NO_KEY : takeBytes(options.metadata, 'metadata').slice();
    this.endExpired(directory.entriesOf(name));
    if (directory.entriesOf(name).length > 0) {
      look.look();
      if (directory.entriesOf(name).some(({ state }) => state !== 'claim')) this.refuse(name);
    }
    // For the claim and for how it ends, so that it does not end by being forgotten.
    log.makeRoomForObject(2);
    const size = { byteLength, metadataLength: metadata.length };
    const extent = this.takeExtent(extentLines(size), linesOfKey(name.length));
    const id = log.head;
    const keyLine = this.writeKey(name);
    const { ttlMs, retain } = options;
    const expiresAtMs = ttlMs === undefined ? 0 : Math.ceil(this.nowMs() + ttlMs);
    const fields = {
      ...{ kind: CLAIM, host: members.self, id, extent, ...size, dataCheck: 0, key: bytesOf(name) },
      ...{ keyLine, expiresAtMs, flags: retain === true ? RETAINED : 0 },
    };
    log.append(fields);
    const verdict = this.tryContend(name, id);
    log.append({ ...fields, ...NO_MORE, kind: verdict === 'alone' ? WON : ABORT, key: NO_KEY });
    if (verdict === 'alone') return { key: name, id, extent, byteLength, metadata };
    extents.give(extent, extentLines(size));
    if (verdict === 'exists') this.refuse(name);
    throw new PoolError('BUSY', `Another host has claimed '${name}', and neither won nor gave up.`);
  }

  private nowMs(): number {
    return this.parts.surroundings.nowMs?.() ?? 0;
  }

  /** Its time is over, by this host's clock. */
  isExpired({ expiresAtMs }: Entry): boolean {
    return expiresAtMs > 0 && expiresAtMs <= this.nowMs();
  }

  /** Ends those pages whose time is over, whoever made them. Nothing is told to a caller, so no look at the deaths is needed. */
  private endExpired(entries: readonly Entry[]): void {
    for (const entry of [...entries]) if (entry.state === 'page' && this.isExpired(entry)) this.endAsEvicted(entry);
  }

  private endAsEvicted(entry: Entry): void {
    const { log } = this.parts;
    log.makeRoomForEnd();
    log.append({ ...fieldsOf(DELETE, entry), flags: EVICTED });
  }

  /** Lays a key down that does not fit its record (K2); 0 where it does. There is room for it. */
  private writeKey(name: string): number {
    const { extents, lines } = this.parts;
    const count = linesOfKey(name.length);
    if (count === 0) return 0;
    const line = extents.tryTake(count) as number;
    lines.copyIn(line, bytesOf(name));
    lines.writeback(line, count);
    return line;
  }

  /** Whether the process that made it has ended, where a kernel can say so. */
  private isGone({ host }: Entry): boolean {
    const { members, surroundings } = this.parts;
    if (host === members.self || surroundings.isGone === undefined) return false;
    const row = members.readRows()[host];
    return row !== undefined && surroundings.isGone(host, row);
  }

  private refuse(name: string): never {
    // Drafts of who is gone are void once host 0 has declared it dead, and a page whose time is over is ended by the next try.
    const isVoid = (entry: Entry) => (entry.state === 'page' ? this.isExpired(entry) : this.isGone(entry));
    if (this.parts.directory.entriesOf(name).every(isVoid)) {
      throw new PoolError('BUSY', `What '${name}' has is void, and that was not told to all yet.`);
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

  /** Room for so many lines; as many as the key takes are free besides. */
  private takeExtent(count: number, keyCount: number): number {
    const { members } = this.parts;
    if (count + keyCount > members.plan.shape.dataLines) {
      throw new PoolError(
        'OBJECT_TOO_LARGE',
        `${count + keyCount} lines of 64 bytes in a host's region of ${members.plan.shape.dataLines}.`,
      );
    }
    const extent = this.tryTakeExtent(count, keyCount);
    if (extent !== undefined) return extent;
    this.reclaim();
    const second = this.tryTakeExtent(count, keyCount);
    if (second !== undefined) return second;
    throw new PoolError(
      'POOL_FULL',
      `Host ${members.self} has no ${count} lines in one piece. Nothing is evicted here.`,
    );
  }

  private tryTakeExtent(count: number, keyCount: number): number | undefined {
    const { extents } = this.parts;
    const extent = extents.tryTake(count);
    if (extent === undefined || extents.longest >= keyCount) return extent;
    extents.give(extent, count);
    return undefined;
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
    const { metadata } = draft;
    const behind = draft.extent + linesOf(bytes.length);
    if (metadata.length > 0) {
      lines.copyIn(behind, metadata);
      lines.writeback(behind, linesOf(metadata.length));
    }
    lines.copyIn(draft.extent, bytes);
    lines.writeback(draft.extent, linesOf(bytes.length));
    lines.order();
    const dataCheck = dataCheckOf(draft.key, bytes, metadata);
    log.append({ ...fieldsOf(PAGE, entry), extent: draft.extent, byteLength: bytes.length, dataCheck });
    members.readDeaths();
  }

  abortDraft(draft: Draft): void {
    const { members, log, directory, extents } = this.parts;
    members.assertLive();
    const entry = directory.entry(members.self, draft.id);
    if (entry?.state !== 'draft') return;
    log.makeRoomForEnd();
    log.append({ ...fieldsOf(ABORT, entry), ...NO_MORE, key: NO_KEY });
    extents.give(draft.extent, extentLines(entry));
  }

  /** As of the last look; none whose time is over. */
  pageOf(name: string): Entry | undefined {
    return this.parts.directory.entriesOf(name).find((entry) => entry.state === 'page' && !this.isExpired(entry));
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
      lines.invalidate(entry.extent, extentLines(entry));
      lines.order();
    }
    const bytes = new Uint8Array(entry.byteLength);
    lines.copyOut(entry.extent, bytes);
    if (dataCheckOf(entry.key, bytes, this.metadataIn(entry)) !== entry.dataCheck) {
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

  private metadataIn(entry: Entry): Uint8Array {
    const bytes = new Uint8Array(entry.metadataLength);
    if (bytes.length > 0) this.parts.lines.copyOut(entry.extent + linesOf(entry.byteLength), bytes);
    return bytes;
  }

  /** As copyPage. */
  copyMetadata({ entry }: HeldPage): Uint8Array {
    const bytes = this.metadataIn(entry);
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
    log.freeKeys(rows);
    look.look();
    for (const host of members.others) directory.forgetBelow(host, rows[host]?.tail ?? 0);
    this.endExpired(directory.all().filter(({ host }) => host === members.self));
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
      extents.give(entry.extent, extentLines(entry));
    }
    return free.length;
  }

  /** Gives up the drafts and goes; pages stay. */
  leave(): void {
    const { members, directory, log, pins } = this.parts;
    for (const entry of directory.all()) {
      if (entry.host !== members.self || entry.state !== 'draft') continue;
      log.makeRoomForEnd();
      log.append({ ...fieldsOf(ABORT, entry), ...NO_MORE, key: NO_KEY });
    }
    members.beat(pins, log.head);
    members.become(LEFT);
    members.isFenced = true;
  }
}
