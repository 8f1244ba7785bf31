/**
 * What one host knows of all objects, from all logs: private memory, rebuilt at every join.
 *
 * | state | came by | ends by |
 * |---|---|---|
 * | claim | CLAIM | WON, ABORT, its host's death or BEGIN |
 * | draft | WON, DRAFT | PAGE, ABORT, its host's death or BEGIN |
 * | page | PAGE | DELETE of anybody |
 * | retired | DELETE | the tail of its host's log has passed its last record |
 *
 * (D1) a retired object stays known until no log can show it again: a copy of its PAGE that is read later does not revive it.
 */
import { ABORT, BEGIN, CLAIM, DELETE, DRAFT, EVICTED, type LogRecord, PAGE, WON } from './records.js';

export type State = 'claim' | 'draft' | 'page' | 'retired';

export interface Entry {
  readonly host: number;
  readonly id: number;
  key: string;
  state: State;
  incarnation: number;
  extent: number;
  byteLength: number;
  dataCheck: number;
  metadataLength: number;
  keyLine: number;
  expiresAtMs: number;
  flags: number;
  /** Of the last record of its own host that shows it; 0 where none was read. */
  lastPosition: number;
  /** The DELETE that was read first. */
  deletedBy: number;
  deletedAt: number;
  /** This host's own DELETE of it, where it last stands. */
  ownDelete: number;
  /** Its lines were dropped here since it was sealed, and agreed with their checksum. */
  isVerified: boolean;
  /** Handles of this host, and the place of its pin; -1 where there is none. */
  pins: number;
  pinPlace: number;
  /** Of a retired object of this host: its extent is free. */
  isFreed: boolean;
  /** A PAGE of it was read: what is read later are copies. */
  isShown: boolean;
}

const HOST_BITS = 3;

export function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}

export function bytesOf(name: string): Uint8Array {
  return Buffer.from(name, 'latin1');
}

export type Change = 'sealed' | 'deleted' | 'evicted';

function endOf({ flags }: Entry): Change {
  return (flags & EVICTED) === 0 ? 'deleted' : 'evicted';
}

export class Directory {
  private readonly self: number;
  private readonly objects = new Map<number, Entry>();
  private readonly keys = new Map<string, Entry[]>();
  /** Told of pages as they come to be known, and as they end: each once, the seal first. Those that were there at the join are not told. */
  onChange: ((what: Change, entry: Entry) => void) | undefined;

  constructor(self: number) {
    this.self = self;
  }

  entry(host: number, id: number): Entry | undefined {
    return this.objects.get(id * 2 ** HOST_BITS + host);
  }

  /** Of the key, whoever's; not what is retired. */
  entriesOf(name: string): readonly Entry[] {
    return this.keys.get(name) ?? [];
  }

  all(): Entry[] {
    return [...this.objects.values()];
  }

  /** What the record of the host's log says, of which it is the next. */
  note(host: number, record: LogRecord): void {
    const { kind, id, position } = record;
    if (kind === DELETE) {
      this.retire(host, record);
      return;
    }
    if (kind === BEGIN) {
      this.voidUnsealed(host, record.incarnation - 1);
      return;
    }
    const known = this.entry(host, id);
    if (kind === CLAIM || kind === DRAFT || kind === PAGE) {
      const entry = known ?? this.add(host, id);
      entry.lastPosition = position;
      entry.incarnation = record.incarnation;
      const isNew = kind === PAGE && !entry.isShown;
      entry.isShown ||= isNew;
      this.fill(entry, record);
      // Of what is retired too: its record may have to be copied forward.
      entry.key = nameOf(record.key);
      if (isNew) this.tell('sealed', entry);
      if (isNew && entry.state === 'retired') this.tell(endOf(entry), entry);
      if (entry.state === 'retired') return;
      entry.state = kind === CLAIM ? 'claim' : kind === DRAFT ? 'draft' : 'page';
      if (known === undefined) this.enter(entry);
    } else if (known !== undefined && kind === WON && known.state === 'claim') known.state = 'draft';
    else if (known !== undefined && kind === ABORT && known.state !== 'page' && known.state !== 'retired')
      this.forget(known);
  }

  private tell(what: Change, entry: Entry): void {
    this.onChange?.(what, entry);
  }

  private add(host: number, id: number): Entry {
    // One literal, all fields in order: objects of one hidden class, made without copies.
    const entry: Entry = {
      host,
      id,
      key: '',
      state: 'claim',
      incarnation: 0,
      extent: 0,
      byteLength: 0,
      dataCheck: 0,
      metadataLength: 0,
      keyLine: 0,
      expiresAtMs: 0,
      flags: 0,
      lastPosition: 0,
      deletedBy: -1,
      deletedAt: 0,
      ownDelete: 0,
      isVerified: false,
      pins: 0,
      pinPlace: -1,
      isFreed: false,
      isShown: false,
    };
    this.objects.set(id * 2 ** HOST_BITS + host, entry);
    return entry;
  }

  private fill(entry: Entry, record: LogRecord): void {
    entry.extent = record.extent;
    entry.byteLength = record.byteLength;
    entry.dataCheck = record.dataCheck;
    entry.metadataLength = record.metadataLength;
    entry.keyLine = record.keyLine;
    entry.expiresAtMs = record.expiresAtMs;
    // How it ended may have been read before.
    entry.flags |= record.flags;
  }

  private enter(entry: Entry): void {
    const others = this.keys.get(entry.key);
    if (others === undefined) this.keys.set(entry.key, [entry]);
    else others.push(entry);
  }

  private leaveKey(entry: Entry): void {
    const others = this.keys.get(entry.key)?.filter((other) => other !== entry) ?? [];
    if (others.length === 0) this.keys.delete(entry.key);
    else this.keys.set(entry.key, others);
  }

  private retire(by: number, { host, id, position, flags }: LogRecord): void {
    const entry = this.entry(host, id) ?? this.add(host, id);
    if (by === this.self) entry.ownDelete = position;
    if (entry.state === 'retired') return;
    entry.flags |= flags;
    if (entry.state === 'page') this.tell(endOf(entry), entry);
    this.leaveKey(entry);
    entry.state = 'retired';
    entry.deletedBy = by;
    entry.deletedAt = position;
  }

  private forget(entry: Entry): void {
    this.leaveKey(entry);
    this.objects.delete(entry.id * 2 ** HOST_BITS + entry.host);
  }

  /** Claims and drafts of a dead incarnation, and of those before it, are void. */
  voidUnsealed(host: number, incarnation: number): void {
    for (const entry of this.all()) {
      const isUnsealed = entry.state === 'claim' || entry.state === 'draft';
      if (entry.host === host && isUnsealed && entry.incarnation <= incarnation) this.forget(entry);
    }
  }

  /** What the host's log shows no more, as its tail has passed it. All of that log was read after the tail was. */
  forgetBelow(host: number, tail: number): void {
    for (const entry of this.all()) if (entry.host === host && entry.lastPosition < tail) this.forget(entry);
  }
}
