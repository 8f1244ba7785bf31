/**
 * The space of one shard against its slots: every granule of a chunk it owns belongs to at most one slot, the bitmaps
 * and counts say which, and the class lists hold the chunks with room.
 */
import { CHUNK_CLASS, CHUNK_RUN, CHUNK_RUN_NEXT, CLASS_HEADS, NO_EXTENT, STATE_FREE } from '../layout.js';
import type { Parts } from '../parts.js';
import type { SizeClass } from '../sizeclasses.js';
import type { Findings } from './findings.js';

export class ExtentWalk {
  private readonly parts: Parts;
  private readonly shard: number;
  private readonly states: Uint8Array;
  private readonly findings: Findings;
  /** What the slots take of each chunk of the shard, one byte an extent. */
  private readonly taken = new Map<number, Uint8Array>();
  private granules = 0;

  /** `states`: of the shard's slots, as ShardWalk read them. */
  constructor(parts: Parts, shard: number, states: Uint8Array, findings: Findings) {
    this.parts = parts;
    this.shard = shard;
    this.states = states;
    this.findings = findings;
  }

  walk(): void {
    const { geometry, shards } = this.parts;
    for (let local = 0; local < this.states.length; local++) {
      const state = this.states[local] as number;
      const fault = state === 0 || state === STATE_FREE ? undefined : this.place(local);
      if (fault === undefined) continue;
      this.findings.add('EXTENT_MISPLACED', `shard ${this.shard} slot ${local}`, `its extent ${fault}`);
    }
    for (let chunk = 0; chunk < geometry.chunks; chunk++) if (this.isOwned(chunk)) this.checkChunk(chunk);
    this.checkLists();
    const found = shards.granules(this.shard);
    if (found === this.granules) return;
    this.findings.add('COUNT_WRONG', `shard ${this.shard} grainsUsed`, `${found} instead of ${this.granules}`);
  }

  private isOwned(chunk: number): boolean {
    const { chunks } = this.parts;
    const kind = chunks.kind(chunk);
    const owned = kind === CHUNK_CLASS || kind === CHUNK_RUN || kind === CHUNK_RUN_NEXT;
    return owned && chunks.shard(chunk) === this.shard;
  }

  private takenOf(chunk: number, extents: number): Uint8Array {
    let taken = this.taken.get(chunk);
    if (taken === undefined) {
      taken = new Uint8Array(extents);
      this.taken.set(chunk, taken);
    }
    return taken;
  }

  /** Marks what the slot takes. Returns what is wrong with its extent. */
  private place(local: number): string | undefined {
    const { slots, extents, chunks, geometry } = this.parts;
    const slot = this.shard * geometry.slotsPerShard + local;
    const extent = slots.extent(slot);
    if (!slots.isInRange(slot) || extent === NO_EXTENT) return undefined;
    const bytes = slots.extentBytes(slot);
    const sizeClass = extents.classes.classFor(extents.granulesOf(bytes));
    const chunk = extents.chunkOf(extent);
    if (chunk < 0 || chunk >= geometry.chunks) return 'lies in no chunk';
    if (!this.isOwned(chunk)) return `lies in chunk ${chunk}, which is not the shard's`;
    if (sizeClass === undefined) return this.placeRun(local, extent, chunk, extents.runLengthOf(bytes));
    if (chunks.kind(chunk) !== CHUNK_CLASS || chunks.size(chunk) !== sizeClass.granules) {
      return `lies in chunk ${chunk}, which is not of its class`;
    }
    const index = (extent - chunk * extents.chunkGranules) / sizeClass.granules;
    if (!Number.isInteger(index) || index >= sizeClass.perChunk) return 'begins between two extents';
    this.take(local, chunk, index, sizeClass.perChunk);
    this.granules += sizeClass.granules;
    return undefined;
  }

  private placeRun(local: number, extent: number, first: number, length: number): string | undefined {
    const { chunks, extents } = this.parts;
    const begins = extent === first * extents.chunkGranules && chunks.kind(first) === CHUNK_RUN;
    if (!begins || chunks.size(first) !== length) return `is not the run of ${length} chunks that it takes`;
    for (let chunk = first; chunk < first + length; chunk++) this.take(local, chunk, 0, 1);
    this.granules += length * extents.chunkGranules;
    return undefined;
  }

  private take(local: number, chunk: number, index: number, extents: number): void {
    const taken = this.takenOf(chunk, extents);
    if (taken[index] === 1) {
      const where = `shard ${this.shard} slot ${local}`;
      this.findings.add('EXTENT_OVERLAP', where, `shares extent ${index} of chunk ${chunk}`);
    }
    taken[index] = 1;
  }

  private checkChunk(chunk: number): void {
    const { chunks, extents } = this.parts;
    const where = `chunk ${chunk}`;
    const taken = this.taken.get(chunk);
    const used = taken?.reduce((sum, one) => sum + one, 0) ?? 0;
    if (used === 0) this.findings.add('CHUNK_UNUSED', where, `shard ${this.shard} owns it and has nothing in it`);
    const counted = extents.usedOf(chunk);
    if (counted !== used) {
      this.findings.add('CHUNK_USE_WRONG', where, `counts ${counted} extents in use instead of ${used}`);
    }
    if (chunks.kind(chunk) !== CHUNK_CLASS) return;
    const sizeClass = extents.classes.exactly(chunks.size(chunk));
    if (sizeClass === undefined) return;
    this.checkBitmap(where, chunk, sizeClass, taken);
    const listed = extents.isListed(chunk);
    if (listed !== used < sizeClass.perChunk) {
      const message = listed ? 'is listed as having room, but is full' : 'has room, but is not listed';
      this.findings.add('CLASS_LIST_BROKEN', where, message);
    }
  }

  private checkBitmap(where: string, chunk: number, sizeClass: SizeClass, taken: Uint8Array | undefined): void {
    const { extents, geometry } = this.parts;
    let wrong = 0;
    for (let i = 0; i < geometry.bitmapWords; i++) {
      let wanted = 0;
      for (let bit = 0; bit < 32; bit++) {
        const index = i * 32 + bit;
        if (index < sizeClass.perChunk && taken?.[index] === 1) wanted |= 1 << bit;
      }
      if (!extents.hasBits(chunk, i, wanted)) wrong++;
    }
    if (wrong > 0) this.findings.add('BITMAP_WRONG', where, `${wrong} words of its bitmap do not agree with the slots`);
  }

  /** Each listed chunk of the shard is on the list of its class, once, linked both ways. */
  private checkLists(): void {
    const { extents, chunks, geometry } = this.parts;
    const met = new Uint8Array(geometry.chunks);
    for (let index = 0; index < CLASS_HEADS; index++) {
      const where = `shard ${this.shard} class ${index}`;
      let previous = 0;
      let link = extents.headOf(this.shard, index);
      while (link !== 0) {
        const chunk = link - 1;
        const fault = this.linkFault(chunk, index, previous, met);
        if (fault !== undefined) {
          this.findings.add('CLASS_LIST_BROKEN', where, fault);
          break;
        }
        met[chunk] = 1;
        previous = link;
        link = extents.nextOf(chunk);
      }
    }
    for (let chunk = 0; chunk < geometry.chunks; chunk++) {
      if (met[chunk] === 1 || chunks.kind(chunk) !== CHUNK_CLASS || !this.isOwned(chunk)) continue;
      if (extents.isListed(chunk)) this.findings.add('CLASS_LIST_BROKEN', `chunk ${chunk}`, 'is listed on no list');
    }
  }

  private linkFault(chunk: number, index: number, previous: number, met: Uint8Array): string | undefined {
    const { extents, chunks, geometry } = this.parts;
    if (chunk < 0 || chunk >= geometry.chunks) return `leads to chunk ${chunk} of ${geometry.chunks}`;
    if (met[chunk] === 1) return `leads to chunk ${chunk} a second time`;
    if (chunks.kind(chunk) !== CHUNK_CLASS || !this.isOwned(chunk)) return `leads to chunk ${chunk}, not of this shard`;
    if (extents.classes.exactly(chunks.size(chunk))?.index !== index) return `leads to chunk ${chunk} of another class`;
    if (!extents.isListed(chunk)) return `leads to chunk ${chunk}, which is not marked as listed`;
    return extents.previousOf(chunk) === previous ? undefined : `chunk ${chunk} does not link back`;
  }
}
