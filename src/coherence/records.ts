/**
 * Records of a host's log: what it did, in the order it did it. A position is never used twice; its place in the ring is.
 *
 * (R1) a record is valid when its check agrees and its position is the one that was looked for. The check covers pool, host and
 *      every word, and through `keyCheck` the key. So a record that is half in memory, of another lap or of another pool is none.
 * (R2) a record is in memory before the next one is begun: who finds one finds all before it.
 * (R3) a key over 64 bytes lies in lines of its own (K1), which whoever reads the record drops before, as he drops the record.
 *
 * | kind | says | has the key |
 * |---|---|---|
 * | CLAIM | this host wants the key, for an object whose id is the record's position | yes |
 * | WON | nobody else has it: the claim `id` is a draft | |
 * | DRAFT | the same, copied forward in the ring | yes |
 * | PAGE | the object `id` is sealed: extent, length, checksum | yes |
 * | ABORT | the claim or draft `id` is given up | |
 * | DELETE | the page (`host`, `id`) is no more | |
 * | BEGIN | claims and drafts of this host's former incarnations are void | |
 */
import { checkOfArray, checksumOfBytes } from '../../lib/hash.js';
import { LINE_WORDS } from '../../lib/struct.js';
import { KEY_BYTES_MAX, KEY_IN_RECORD_MAX, linesOf, type Plan, type PoolId, RecordHead } from './layout.js';
import type { Lines } from './lines.js';

export const CLAIM = 1;
export const WON = 2;
export const DRAFT = 3;
export const PAGE = 4;
export const ABORT = 5;
export const DELETE = 6;
export const BEGIN = 7;

/** Flags: never evicted; of DELETE: by its host, or as its time was over, and not by who asked for that. */
export const RETAINED = 1;
export const EVICTED = 2;

const at = RecordHead.word;

/** Of an object, besides its bytes. */
export interface More {
  readonly metadataLength: number;
  /** Where a key lies that does not fit the record; 0 where it fits. */
  readonly keyLine: number;
  /** By the clock of its host; 0 is never. */
  readonly expiresAtMs: number;
  readonly flags: number;
}

export const NO_MORE: More = { metadataLength: 0, keyLine: 0, expiresAtMs: 0, flags: 0 };

/** What a record says, without who wrote it and where. */
export interface Fields extends More {
  readonly kind: number;
  /** Whose object: of DELETE anybody's, else the writer's. */
  readonly host: number;
  readonly id: number;
  readonly extent: number;
  readonly byteLength: number;
  readonly dataCheck: number;
  /** Empty where the kind has none. */
  readonly key: Uint8Array;
}

export interface LogRecord extends Fields {
  readonly position: number;
  readonly incarnation: number;
}

export const NO_KEY = new Uint8Array(0);

function hasKey(kind: number): boolean {
  return kind === CLAIM || kind === DRAFT || kind === PAGE;
}

export class Records {
  private readonly lines: Lines;
  private readonly plan: Plan;
  private readonly pool: PoolId;
  private readonly head = new Int32Array(LINE_WORDS);

  constructor(lines: Lines, plan: Plan, pool: PoolId) {
    this.lines = lines;
    this.plan = plan;
    this.pool = pool;
  }

  private checkOf(host: number): number {
    return checkOfArray(this.head, 0, LINE_WORDS - 1, this.pool.low ^ Math.imul(this.pool.high, 31) ^ (host + 1));
  }

  /** Stores the record and begins to write it back; returns how many lines that are. */
  store(host: number, record: LogRecord): void {
    const { head, lines } = this;
    const line = this.plan.record(host, record.position);
    head.fill(0);
    head[at.position] = record.position;
    head[at.kind] = record.kind;
    head[at.incarnation] = record.incarnation;
    head[at.host] = record.host;
    head[at.id] = record.id;
    head[at.extent] = record.extent;
    head[at.byteLength] = record.byteLength;
    head[at.dataCheck] = record.dataCheck;
    head[at.keyLength] = record.key.length;
    head[at.keyCheck] = checksumOfBytes(record.key, 0);
    head[at.metadataLength] = record.metadataLength;
    head[at.keyLine] = record.keyLine;
    head[at.expiresAt] = record.expiresAtMs % 2 ** 32;
    head[at.expiresAt + 1] = record.expiresAtMs / 2 ** 32;
    head[at.flags] = record.flags;
    head[at.check] = this.checkOf(host);
    const isInside = record.key.length > 0 && record.key.length <= KEY_IN_RECORD_MAX;
    if (isInside) lines.copyIn(line + 1, record.key);
    for (let word = 0; word < LINE_WORDS; word++) lines.store(line * LINE_WORDS + word, head[word] as number);
    lines.writeback(line, isInside ? 2 : 1);
  }

  /** Begins to drop the head of the record at the position. */
  drop(host: number, position: number): void {
    this.lines.invalidate(this.plan.record(host, position), 1);
  }

  /** The record at the position, whose head was dropped; undefined where there is none yet. */
  load(host: number, position: number): LogRecord | undefined {
    const { head, lines } = this;
    const line = this.plan.record(host, position);
    for (let word = 0; word < LINE_WORDS; word++) head[word] = lines.load(line * LINE_WORDS + word);
    if (head[at.position] !== position || head[at.check] !== this.checkOf(host)) return undefined;
    const kind = head[at.kind] as number;
    const length = head[at.keyLength] as number;
    if (length < 0 || length > KEY_BYTES_MAX || length > 0 !== hasKey(kind)) return undefined;
    const keyCheck = head[at.keyCheck];
    const record = {
      position,
      kind,
      incarnation: head[at.incarnation] as number,
      host: head[at.host] as number,
      id: head[at.id] as number,
      extent: head[at.extent] as number,
      byteLength: head[at.byteLength] as number,
      dataCheck: head[at.dataCheck] as number,
      key: length === 0 ? NO_KEY : new Uint8Array(length),
      metadataLength: head[at.metadataLength] as number,
      keyLine: head[at.keyLine] as number,
      expiresAtMs: ((head[at.expiresAt] as number) >>> 0) + ((head[at.expiresAt + 1] as number) >>> 0) * 2 ** 32,
      flags: head[at.flags] as number,
    };
    if (length === 0) return record;
    const where = length <= KEY_IN_RECORD_MAX ? line + 1 : this.keyLineOf(host, record);
    if (where === undefined) return undefined;
    lines.invalidate(where, linesOf(length));
    lines.order();
    lines.copyOut(where, record.key);
    return checksumOfBytes(record.key, 0) === keyCheck ? record : undefined;
  }

  /** Undefined where it is none of the host's data. */
  private keyLineOf(host: number, { keyLine, key }: LogRecord): number | undefined {
    const first = this.plan.data(host);
    const isThere = keyLine >= first && keyLine + linesOf(key.length) <= first + this.plan.shape.dataLines;
    return isThere ? keyLine : undefined;
  }
}
