/**
 * The lines of a device that is not kept coherent, and who writes each: one host, for ever. So a line that leaves late, of
 * whatever process on that host, alive or dead, lies over a line of its own host only.
 *
 *   superblock · deaths | of each host: row · pins · log of records, two lines each · data
 *
 * (L1) host 0 writes superblock and deaths: it formats, and it is the *arbiter* who alone declares hosts dead. Registers that are
 *      only loaded and stored cannot decide between two hosts of which one may stop (Loui and Abu-Amara 1987, Herlihy 1991), so
 *      somebody has to be named.
 * (L2) what consists of several words, and is no record, is told by a word that is stored last.
 * (L3) it begins as every pool does ((V1) of residents.ts of the pool's layout), so pools of one kind are refused by the other by name.
 * (L4) rows, records and deaths belong to a pool id. Garbage, and what an older pool left, are never valid.
 */
import { assert } from '../../lib/assert.js';
import { fingerprint, LINE_BYTES, LINE_WORDS, struct } from '../../lib/struct.js';
import { SOFTWARE_VERSIONS } from '../pool/index.js';

export const HOSTS_MAX = 7;
/** The host that formats and declares others dead. */
export const ARBITER = 0;
export const KEY_BYTES_MAX = 65_535;
/** Longer ones have lines of their own, in their host's data. */
export const KEY_IN_RECORD_MAX = LINE_BYTES;
/** Of this protocol, among the layouts of all pools. */
export const VERSION = SOFTWARE_VERSIONS + 2;

export const Superblock = struct('DeviceSuperblock', [
  {
    writer: 'host 0',
    fields: {
      magicLow: 'u32',
      magicHigh: 'u32',
      version: 'u32',
      fingerprint: 'u32',
      poolLow: 'u32',
      poolHigh: 'u32',
      createdAt: 'u64',
      hosts: 'u32',
      logRecords: 'u32',
      pinLines: 'u32',
      dataLines: 'u32',
      pageSize: 'u32',
      check: 'u32',
      ready: 'sync32',
      reserved: 'u32',
    },
  },
]);

/** Of each host two words: the incarnation that is dead with a bit of whether its limit is still being found, and the limit. */
export const Deaths = struct('Deaths', [
  { writer: 'host 0', fields: { poolLow: 'u32', poolHigh: 'u32', deaths: ['u32', 2 * HOSTS_MAX] } },
]);

/** `acks`: of each host's log the position up to which its records are known here. Boot, process and since say who has the row. */
export const HostRow = struct('HostRow', [
  {
    writer: 'the host',
    fields: {
      poolLow: 'u32',
      poolHigh: 'u32',
      state: 'sync32',
      incarnation: 'u32',
      heartbeat: 'u32',
      tail: 'u32',
      acks: ['u32', HOSTS_MAX],
      boot: 'u32',
      process: 'u32',
      sinceSeconds: 'u32',
    },
  },
]);

/** A key, where the record has one, fills the line after it, or from `keyLine` on lines of data. Metadata follows the data, in lines of its own. */
export const RecordHead = struct('RecordHead', [
  {
    writer: 'the host',
    fields: {
      position: 'u32',
      kind: 'u32',
      incarnation: 'u32',
      host: 'u32',
      id: 'u32',
      extent: 'u32',
      byteLength: 'u32',
      dataCheck: 'u32',
      keyLength: 'u32',
      keyCheck: 'u32',
      metadataLength: 'u32',
      keyLine: 'u32',
      expiresAt: 'u64',
      flags: 'u32',
      check: 'u32',
    },
  },
]);

export const RECORD_LINES = 2;
/** Of a line of pins: [host + 1, id], where 0 is no pin. */
export const PINS_PER_LINE = LINE_WORDS / 2;

export const LAYOUT = fingerprint([Superblock, Deaths, HostRow, RecordHead], { RECORD_LINES, PINS_PER_LINE });

export interface Shape {
  /** 1 to 7. */
  readonly hosts: number;
  /** Records a host's log has room for. */
  readonly logRecords: number;
  /** Lines of eight pins each, a host. */
  readonly pinLines: number;
  /** Lines of data, a host. */
  readonly dataLines: number;
  /** Bytes of a typical page, which the shape was made for. */
  readonly pageSize?: number;
}

/** Where everything lies, in lines. */
export class Plan {
  readonly shape: Shape;
  readonly superblock = 0;
  readonly deaths = 1;

  constructor(shape: Shape) {
    assert(shape.hosts >= 1 && shape.hosts <= HOSTS_MAX, `${shape.hosts} hosts are not 1 to ${HOSTS_MAX}`);
    assert(shape.logRecords >= 8 && shape.pinLines >= 1 && shape.dataLines >= 1, 'a device too small to be of use');
    this.shape = shape;
  }

  get lineCount(): number {
    return this.row(this.shape.hosts);
  }

  /** Lines of one host's region before its data. */
  get metadataLines(): number {
    return 1 + this.shape.pinLines + RECORD_LINES * this.shape.logRecords;
  }

  row(host: number): number {
    return 2 + host * (this.metadataLines + this.shape.dataLines);
  }
  pins(host: number): number {
    return this.row(host) + 1;
  }
  record(host: number, position: number): number {
    return this.pins(host) + this.shape.pinLines + RECORD_LINES * (position % this.shape.logRecords);
  }
  data(host: number): number {
    return this.row(host) + this.metadataLines;
  }
}

/** The pool id, as two words, and the seed that the checks of a host's lines begin with; when it was made, by the clock of who formatted it. */
export interface PoolId {
  readonly low: number;
  readonly high: number;
  readonly createdAtMs?: number;
}

export function linesOf(byteLength: number): number {
  return Math.max(1, Math.ceil(byteLength / LINE_BYTES));
}

/** Lines of an object's data and metadata. */
export function extentLines({ byteLength, metadataLength }: { byteLength: number; metadataLength: number }): number {
  return linesOf(byteLength) + Math.ceil(metadataLength / LINE_BYTES);
}
