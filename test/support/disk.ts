/**
 * What a disk may hold of a pool when the machine stops. Every store that a node makes is recorded in order; an image is
 * then made in which each page of the file has the bytes of a moment of its own, no earlier than when it was last synced.
 *
 * Not recorded: counters, and what libc and the kernel write into the liveness mutexes. They are as at the beginning.
 */
import { readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Mapping, ownFolder } from '../../lib/linux/index.js';
import { STATE_MASK, STATE_RETIRED, STATE_SEALED } from '../../src/pool/layout/layout.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import type { Chance } from './chance.js';

const MEMORY_FILE_SYSTEMS = [0x01021994, 0x858458f6, 0x958458f6];

/** A folder of files that outlive the machine's memory; undefined where there is none. */
export function diskFolder(): string | undefined {
  return [tmpdir(), '/var/tmp', process.cwd()].find((path) => {
    try {
      return !MEMORY_FILE_SYSTEMS.includes(statfsSync(path).type);
    } catch {
      return false;
    }
  });
}

/** Folders for pools on a disk, gone when their claims are through. For use directly inside a `describe`. */
export function useDisk(folder: string): () => string {
  let made: string | undefined;
  let files = 0;
  after(() => {
    if (made !== undefined) rmSync(made, { recursive: true, force: true });
  });
  return () => {
    made ??= ownFolder(folder, 'disk');
    return join(made, `pool-${files++}`);
  };
}

/** One sealed page, and from which to which moment it was in the pool. */
export interface Sealing {
  readonly name: string;
  readonly key: Uint8Array;
  readonly space: number;
  readonly bytes: Uint8Array;
  readonly sealedAt: number;
  retiredAt: number;
}

interface Write {
  readonly at: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** `key@from` of the page in the slot. */
export function nameOf(pool: AttachedPool, slot: number): string {
  const { slots } = pool.session.parts;
  return `${Buffer.from(slots.keyBytes(slot)).toString('hex')}@${slots.from(slot)}`;
}

/** How many words a call of a method of Words stores; `argument` is what follows the index. */
export function wordsStoredBy(name: string, argument: unknown): number {
  if (name === 'fill') return argument as number;
  return name === 'copyIn' ? (argument as Int32Array).length : 1;
}

export class RecordedDisk {
  /** Number of stores so far: the moment. */
  now = 0;
  readonly sealings: Sealing[] = [];
  /** The moment when the last sync was through. */
  afterSync = 0;
  private readonly pool: AttachedPool;
  private readonly base: Buffer;
  private readonly writes = new Map<number, Write[]>();
  /** Every sync of a part of the file: which bytes, when it was asked for, and when it was through. */
  private readonly syncs: { from: number; to: number; at: number; doneAt: number }[] = [];
  private readonly unitBytes = 512;

  constructor(pool: AttachedPool) {
    this.pool = pool;
    this.base = readFileSync(pool.path);
    this.recordWords();
    this.recordData();
    this.recordSealings();
    this.recordSyncs();
  }

  private note(offset: number, bytes: Uint8Array): void {
    const at = ++this.now;
    for (let done = 0; done < bytes.length; ) {
      const unit = Math.floor((offset + done) / this.unitBytes);
      const length = Math.min(bytes.length - done, (unit + 1) * this.unitBytes - offset - done);
      const writes = this.writes.get(unit) ?? [];
      this.writes.set(unit, writes);
      writes.push({ at, offset: offset + done, bytes: bytes.slice(done, done + length) });
      done += length;
    }
  }

  private recordWords(): void {
    const { words } = this.pool.session.parts;
    const noted = (index: number, count = 1) => {
      const values = Int32Array.from({ length: count }, (_, i) => words.read(index + i));
      this.note(index * 4, new Uint8Array(values.buffer));
    };
    for (const name of [
      'write',
      'store',
      'storeInOrder',
      'exchange',
      'add',
      'compareExchange',
      'fill',
      'copyIn',
    ] as const) {
      const original = (words[name] as (...all: unknown[]) => number | undefined).bind(words);
      const recorded = (index: number, ...rest: unknown[]) => {
        const result = original(index, ...rest);
        noted(index, wordsStoredBy(name, rest[0]));
        return result;
      };
      Object.assign(words, { [name]: recorded });
    }
  }

  private recordData(): void {
    const { segment, geometry } = this.pool.session.parts;
    const writeDraft = segment.writeDraft.bind(segment);
    segment.writeDraft = (extent, offset, bytes) => {
      writeDraft(extent, offset, bytes);
      // In pieces: a copy is no single store.
      for (let at = 0; at < bytes.length; at += this.unitBytes) {
        const piece = bytes.subarray(at, at + this.unitBytes);
        this.note(geometry.dataOffset + extent * geometry.granuleBytes + offset + at, piece);
      }
    };
  }

  private recordSealings(): void {
    const { slots, segment, spaces } = this.pool.session.parts;
    const live = new Map<number, Sealing>();
    const note = (slot: number, state: number) => {
      const sealing = live.get(slot);
      if (state === STATE_SEALED) {
        const bytes = segment.sealedBytes(slots.extent(slot), 0, slots.size(slot)).slice();
        const page = { name: nameOf(this.pool, slot), key: slots.keyBytes(slot), space: slots.space(slot), bytes };
        const made = { ...page, sealedAt: this.now, retiredAt: Number.POSITIVE_INFINITY };
        live.set(slot, made);
        this.sealings.push(made);
      } else if (state === STATE_RETIRED && sealing !== undefined) {
        sealing.retiredAt = this.now;
        live.delete(slot);
      }
    };
    const { transition, force } = slots;
    slots.transition = (slot, from, to) => {
      transition.call(slots, slot, from, to);
      note(slot, to);
    };
    slots.force = (slot, read, to) => {
      force.call(slots, slot, read, to);
      note(slot, to);
    };
    const drop = spaces.drop.bind(spaces);
    spaces.drop = (name) => {
      const at = this.now;
      const space = spaces.find(name);
      const wasInUse = drop(name);
      for (const [slot, sealing] of live) {
        if (sealing.space !== space) continue;
        sealing.retiredAt = at;
        live.delete(slot);
      }
      return wasInUse;
    };
  }

  private recordSyncs(): void {
    const { segment, geometry } = this.pool.session.parts;
    const mappings = [segment.metadata, ...(segment as unknown as { drafts: Mapping[] }).drafts];
    mappings.forEach((mapping, i) => {
      const start = i === 0 ? 0 : geometry.dataOffset + (i - 1) * geometry.chunksPerWindow * geometry.chunkBytes;
      mapping.sync = async (offset, byteLength) => {
        const at = this.now;
        await Mapping.prototype.sync.call(mapping, offset, byteLength);
        this.syncs.push({ from: start + offset, to: start + offset + byteLength, at, doneAt: this.now });
        this.afterSync = this.now;
      };
    });
  }

  /** The moment at which the byte last went to the disk for certain; 0 where it never did. */
  private syncedAt(byte: number, stoppedAt: number): number {
    return this.syncs.reduce((last, { from, to, at, doneAt }) => {
      return from <= byte && byte < to && doneAt <= stoppedAt ? Math.max(last, at) : last;
    }, 0);
  }

  /**
   * The file as a machine that stopped at the moment may leave it. Units of 512 bytes, which a disk writes whole, go
   * together in pages of 4 KiB unless `torn`.
   */
  image(stoppedAt: number, chance: Chance, torn: boolean): Buffer {
    const image = Buffer.from(this.base);
    const unitsPerMoment = torn ? 1 : 4096 / this.unitBytes;
    // How old things are differs from image to image, and between slots, tables and bytes.
    const [old, fresh] = [chance.fraction(), chance.fraction()];
    const metadataBytes = this.pool.session.parts.geometry.dataOffset;
    const metadataLean = chance.below(3);
    const moments = new Map<number, number>();
    const momentOf = (unit: number) => {
      const group = Math.floor(unit / unitsPerMoment);
      const known = moments.get(group);
      if (known !== undefined) return known;
      const floor = this.syncedAt(unit * this.unitBytes, stoppedAt);
      const isMetadata = unit * this.unitBytes < metadataBytes;
      const lean = isMetadata ? metadataLean : 2 - metadataLean;
      let moment = floor + chance.below(stoppedAt - floor + 1);
      if (chance.fraction() < old && lean !== 2) moment = floor;
      else if (chance.fraction() < fresh && lean !== 0) moment = stoppedAt;
      moments.set(group, moment);
      return moment;
    };
    for (const [unit, writes] of this.writes) {
      const moment = momentOf(unit);
      for (const { at, offset, bytes } of writes) if (at <= moment) image.set(bytes, offset);
    }
    return image;
  }
}

/** The sealed slots of a pool: name and bytes of each. */
export function sealedPages(pool: AttachedPool): { slot: number; name: string; bytes: Uint8Array }[] {
  const { slots, segment } = pool.session.parts;
  const found: { slot: number; name: string; bytes: Uint8Array }[] = [];
  for (let slot = 0; slot < slots.total; slot++) {
    if ((slots.stateWord(slot) & STATE_MASK) !== STATE_SEALED) continue;
    const bytes = segment.sealedBytes(slots.extent(slot), 0, slots.size(slot));
    found.push({ slot, name: nameOf(pool, slot), bytes });
  }
  return found;
}
