/**
 * How the pieces of the benchmark `shuffle` get from map tasks to reduce tasks: the arms.
 *
 * A map task makes one piece for each partition. Map tasks and partitions are dealt out to the nodes in turn, so that most
 * pieces are made on one node and wanted on another.
 */
import { deserialize, serialize } from 'node:v8';
import { connect, type Draft, type Page, type Pool } from '../src/index.js';
import { PARTITIONS, RECORD_BYTES } from './shuffle.records.js';
import { ObjectStore } from './shuffle.store.js';

export const NODES = 4;
const KEY_BYTES = 10;

export type ArmName = 'shared pool' | 'raw buffers' | 'v8, typed arrays' | 'v8, records';

/** What one node is told at its start. */
export interface Setting {
  readonly arm: ArmName;
  readonly node: number;
  readonly tasks: number;
  readonly splitBytes: number;
  readonly inputPath: string;
  readonly poolPath: string;
  readonly spillPath: string;
  /** Of one node's store. */
  readonly storeBytes: number;
}

/** What the nodes tell each other between map and exchange: by piece, how many bytes there are to fetch. */
export interface Offers {
  readonly sizes: Readonly<Record<number, number>>;
  readonly ports: readonly number[];
}

export interface Usage {
  readonly spilledBytes: number;
  readonly peakBytes: number;
}

export interface Medium {
  readonly port: number;
  /** Memory for the pieces of one map task, so many bytes for each partition. */
  open(task: number, bytes: readonly number[]): Int32Array[];
  /** The pieces are filled. Adds their sizes as they are to be fetched. */
  close(sizes: Record<number, number>): Promise<void>;
  /** Brings all pieces of this node's partitions within its reach. */
  exchange(offers: Offers): Promise<void>;
  gather(partition: number): Promise<Int32Array[]>;
  /** The partition is sorted. */
  drop(partition: number): void;
  usage(): Usage;
  end(): Promise<void>;
}

export function homeOf(taskOrPartition: number): number {
  return taskOrPartition % NODES;
}

/** Of all map tasks or partitions, those of the node. */
export function ownOf(node: number, count: number): number[] {
  return Array.from({ length: count }, (_, number) => number).filter((number) => homeOf(number) === node);
}

function pieceOf(task: number, partition: number): number {
  return task * PARTITIONS + partition;
}

function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** Pieces are objects of the pool: written where they stay, read where they lie. */
class PoolMedium implements Medium {
  readonly port = 0;
  private readonly pool: Pool;
  private readonly setting: Setting;
  private drafts: Draft[] = [];
  private readonly pages = new Map<number, Page[]>();

  constructor(pool: Pool, setting: Setting) {
    this.pool = pool;
    this.setting = setting;
  }

  open(task: number, bytes: readonly number[]): Int32Array[] {
    this.drafts = bytes.map((size, partition) => this.pool.create(`piece/${pieceOf(task, partition)}`, size));
    return this.drafts.map((draft) => wordsOf(draft.bytes));
  }

  async close(): Promise<void> {
    for (const draft of this.drafts) draft.seal();
  }

  async exchange(): Promise<void> {
    const { node, tasks } = this.setting;
    for (const partition of ownOf(node, PARTITIONS)) {
      const keys = Array.from({ length: tasks }, (_, task) => `piece/${pieceOf(task, partition)}`);
      this.pages.set(partition, await this.pool.waitForMany(keys));
    }
  }

  async gather(partition: number): Promise<Int32Array[]> {
    return (this.pages.get(partition) ?? []).map((page) => wordsOf(page.bytes));
  }

  drop(partition: number): void {
    for (const page of this.pages.get(partition) ?? []) page.release();
  }

  usage(): Usage {
    return { spilledBytes: 0, peakBytes: this.pool.stats().bytesUsed };
  }

  end(): Promise<void> {
    return this.pool.disconnect();
  }
}

/** How a store's objects are made of pieces, and pieces of objects. */
interface Encoding {
  /** Whether the object is the piece's own memory. */
  readonly isRaw: boolean;
  encode(words: Int32Array): Uint8Array;
  decode(bytes: Uint8Array): Int32Array;
}

interface Row {
  key: string;
  value: string;
}

/** Records as a program has them that works on them one by one. Strings of one byte a character serialize fastest. */
function rowsOf(words: Int32Array): Row[] {
  const bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
  const rows: Row[] = new Array(words.byteLength / RECORD_BYTES);
  for (let i = 0, start = 0; i < rows.length; i++, start += RECORD_BYTES) {
    rows[i] = {
      key: bytes.toString('latin1', start, start + KEY_BYTES),
      value: bytes.toString('latin1', start + KEY_BYTES, start + RECORD_BYTES),
    };
  }
  return rows;
}

function wordsOfRows(rows: readonly Row[]): Int32Array {
  const bytes = Buffer.allocUnsafeSlow(rows.length * RECORD_BYTES);
  rows.forEach(({ key, value }, i) => {
    bytes.write(key, i * RECORD_BYTES, 'latin1');
    bytes.write(value, i * RECORD_BYTES + KEY_BYTES, 'latin1');
  });
  return wordsOf(bytes);
}

const ENCODINGS: Readonly<Record<Exclude<ArmName, 'shared pool'>, Encoding>> = {
  'raw buffers': {
    isRaw: true,
    encode: (words) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength),
    decode: wordsOf,
  },
  'v8, typed arrays': {
    isRaw: false,
    encode: (words) => serialize(words),
    decode: (bytes) => deserialize(bytes) as Int32Array,
  },
  'v8, records': {
    isRaw: false,
    encode: (words) => serialize(rowsOf(words)),
    decode: (bytes) => wordsOfRows(deserialize(bytes) as Row[]),
  },
};

/** Pieces are objects of their node's store, and fetched from there. */
class StoreMedium implements Medium {
  private readonly store: ObjectStore;
  private readonly setting: Setting;
  private readonly encoding: Encoding;
  private task = 0;
  private pieces: Int32Array[] = [];
  private scratch = new ArrayBuffer(0);
  private sizes: Offers['sizes'] = {};

  constructor(store: ObjectStore, setting: Setting, encoding: Encoding) {
    this.store = store;
    this.setting = setting;
    this.encoding = encoding;
  }

  get port(): number {
    return this.store.port;
  }

  open(task: number, bytes: readonly number[]): Int32Array[] {
    this.task = task;
    if (this.encoding.isRaw) {
      this.pieces = bytes.map((size) => wordsOf(Buffer.allocUnsafeSlow(size)));
      return this.pieces;
    }
    // What is serialized is not kept, so its memory serves every task.
    const total = bytes.reduce((sum, size) => sum + size, 0);
    if (this.scratch.byteLength < total) this.scratch = new ArrayBuffer(total);
    let start = 0;
    this.pieces = bytes.map((size) => {
      const piece = new Int32Array(this.scratch, start, size / 4);
      start += size;
      return piece;
    });
    return this.pieces;
  }

  async close(sizes: Record<number, number>): Promise<void> {
    for (const [partition, words] of this.pieces.entries()) {
      const bytes = this.encoding.encode(words);
      const piece = pieceOf(this.task, partition);
      sizes[piece] = bytes.length;
      await this.store.put(piece, bytes);
    }
  }

  /** From all other nodes at once. */
  async exchange({ sizes, ports }: Offers): Promise<void> {
    const { node, tasks } = this.setting;
    this.sizes = sizes;
    const fetchFrom = (home: number) => {
      const ids = ownOf(node, PARTITIONS).flatMap((partition) =>
        ownOf(home, tasks).map((task) => pieceOf(task, partition)),
      );
      return this.store.fetch(
        ports[home] as number,
        ids.map((id) => ({ id, size: sizes[id] as number })),
      );
    };
    await Promise.all(
      ports
        .map((_, home) => home)
        .filter((home) => home !== node)
        .map(fetchFrom),
    );
  }

  async gather(partition: number): Promise<Int32Array[]> {
    const pieces: Int32Array[] = [];
    for (let task = 0; task < this.setting.tasks; task++) {
      const piece = pieceOf(task, partition);
      if (this.sizes[piece] === 0) continue;
      pieces.push(this.encoding.decode(await this.store.read(piece)));
    }
    return pieces;
  }

  /** The copies that were fetched make room; what this node made itself stays, as the pool's pieces do. */
  drop(partition: number): void {
    for (let task = 0; task < this.setting.tasks; task++) {
      if (homeOf(task) !== this.setting.node) this.store.drop(pieceOf(task, partition));
    }
  }

  usage(): Usage {
    return { spilledBytes: this.store.spilledBytes, peakBytes: this.store.peak };
  }

  end(): Promise<void> {
    return this.store.close();
  }
}

export async function openMedium(setting: Setting): Promise<Medium> {
  const { arm } = setting;
  if (arm === 'shared pool') return new PoolMedium(await connect(setting.poolPath, { prefault: 'sync' }), setting);
  return new StoreMedium(await ObjectStore.open(setting.storeBytes, setting.spillPath), setting, ENCODINGS[arm]);
}
