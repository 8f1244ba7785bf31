/**
 * The space of one shard against its slots: every granule of a chunk it owns belongs to at most one slot, the bitmaps
 * and counts say which, and the shard's list holds the chunks that its objects share.
 */
import { CHUNK_RUN, CHUNK_RUN_NEXT, CHUNK_SHARED, type Geometry, NO_EXTENT, STATE_FREE } from '../layout/index.js';
import type { Shards, Slots } from '../objects/index.js';
import type { Chunks, Extents } from '../space/index.js';
import type { Findings } from './findings.js';

/** What of a node it works with. */
export interface ExtentParts {
  readonly geometry: Geometry;
  readonly shards: Shards;
  readonly slots: Slots;
  readonly chunks: Chunks;
  readonly extents: Extents;
}

export class ExtentWalk {
  private readonly parts: ExtentParts;
  private readonly shard: number;
  private readonly states: Uint8Array;
  private readonly findings: Findings;
  /** What the slots take of each chunk of the shard, one byte a granule. */
  private readonly taken = new Map<number, Uint8Array>();
  private granules = 0;

  /** `states`: of the shard's slots, as ShardWalk read them. */
  constructor(parts: ExtentParts, shard: number, states: Uint8Array, findings: Findings) {
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
    this.checkList();
    const found = shards.granules(this.shard);
    if (found === this.granules) return;
    this.findings.add('COUNT_WRONG', `shard ${this.shard} granulesUsed`, `${found} instead of ${this.granules}`);
  }

  private isOwned(chunk: number): boolean {
    const { chunks } = this.parts;
    const kind = chunks.kind(chunk);
    const owned = kind === CHUNK_SHARED || kind === CHUNK_RUN || kind === CHUNK_RUN_NEXT;
    return owned && chunks.shard(chunk) === this.shard;
  }

  /** Marks what the slot takes. Returns what is wrong with its extent. */
  private place(local: number): string | undefined {
    const { slots, extents, chunks, geometry } = this.parts;
    const slot = this.shard * geometry.slotsPerShard + local;
    const extent = slots.extent(slot);
    if (!slots.isInRange(slot) || extent === NO_EXTENT) return undefined;
    const bytes = slots.extentBytes(slot);
    const chunk = extents.chunkOf(extent);
    if (chunk < 0 || chunk >= geometry.chunks) return 'lies in no chunk';
    if (!this.isOwned(chunk)) return `lies in chunk ${chunk}, which is not the shard's`;
    if (extents.isRun(bytes)) return this.placeRun(local, extent, chunk, extents.runLengthOf(bytes));
    if (chunks.kind(chunk) !== CHUNK_SHARED) return `lies in chunk ${chunk}, which is part of a run`;
    const first = extent - chunk * extents.chunkGranules;
    const count = extents.granulesOf(bytes);
    if (first + count > extents.chunkGranules) return `leaves chunk ${chunk}`;
    this.takeGranules(local, chunk, first, count);
    this.granules += count;
    return undefined;
  }

  private placeRun(local: number, extent: number, first: number, length: number): string | undefined {
    const { chunks, extents } = this.parts;
    const begins = extent === first * extents.chunkGranules && chunks.kind(first) === CHUNK_RUN;
    if (!begins || chunks.size(first) !== length) return `is not the run of ${length} chunks that it takes`;
    for (let chunk = first; chunk < first + length; chunk++) this.takeGranules(local, chunk, 0, extents.chunkGranules);
    this.granules += length * extents.chunkGranules;
    return undefined;
  }

  private takeGranules(local: number, chunk: number, first: number, count: number): void {
    let taken = this.taken.get(chunk);
    if (taken === undefined) {
      taken = new Uint8Array(this.parts.extents.chunkGranules);
      this.taken.set(chunk, taken);
    }
    const shared = taken.subarray(first, first + count).indexOf(1);
    if (shared >= 0) {
      const where = `shard ${this.shard} slot ${local}`;
      this.findings.add('EXTENT_OVERLAP', where, `shares granule ${first + shared} of chunk ${chunk}`);
    }
    taken.fill(1, first, first + count);
  }

  private checkChunk(chunk: number): void {
    const { chunks, extents } = this.parts;
    const where = `chunk ${chunk}`;
    const taken = this.taken.get(chunk);
    const used = taken?.reduce((sum, one) => sum + one, 0) ?? 0;
    if (used === 0) this.findings.add('CHUNK_UNUSED', where, `shard ${this.shard} owns it and has nothing in it`);
    const counted = extents.usedOf(chunk);
    if (counted !== used) {
      this.findings.add('CHUNK_USE_WRONG', where, `counts ${counted} granules in use instead of ${used}`);
    }
    if (chunks.kind(chunk) !== CHUNK_SHARED) return;
    this.checkBitmap(where, chunk, taken);
    this.checkHints(where, chunk, taken);
  }

  private checkBitmap(where: string, chunk: number, taken: Uint8Array | undefined): void {
    const { extents, geometry } = this.parts;
    let wrong = 0;
    for (let i = 0; i < geometry.bitmapWords; i++) {
      let wanted = 0;
      for (let bit = 0; bit < 32; bit++) if (taken?.[i * 32 + bit] === 1) wanted |= 1 << bit;
      if (!extents.hasBits(chunk, i, wanted)) wrong++;
    }
    if (wrong > 0) this.findings.add('BITMAP_WRONG', where, `${wrong} words of its bitmap do not agree with the slots`);
  }

  /** (X3) What a search may skip by: no free run is longer, and nothing is free below. */
  private checkHints(where: string, chunk: number, taken: Uint8Array | undefined): void {
    const { extents } = this.parts;
    let longest = 0;
    let run = 0;
    let lowest = -1;
    for (let granule = 0; granule < extents.chunkGranules; granule++) {
      run = taken?.[granule] === 1 ? 0 : run + 1;
      if (run > 0 && lowest < 0) lowest = granule;
      longest = Math.max(longest, run);
    }
    const hints = extents.hintsOf(chunk);
    const isLow = hints.lowest <= (lowest < 0 ? extents.chunkGranules : lowest);
    if (!extents.hints.isFresh(this.shard, chunk) && extents.hints.restLongest(this.shard) < longest) {
      const most = extents.hints.restLongest(this.shard);
      this.findings.add(
        'CHUNK_USE_WRONG',
        where,
        `shard ${this.shard} says no chunk but its fresh ones has ${most + 1} free granules; here are ${longest}`,
      );
    }
    if (hints.longest >= longest && isLow) return;
    const said = `room for ${hints.longest} granules, none below ${hints.lowest}`;
    this.findings.add('CHUNK_USE_WRONG', where, `says ${said}; there is room for ${longest} from ${lowest} on`);
  }

  /** Each chunk that the shard's objects share is on its list, once, linked both ways. */
  private checkList(): void {
    const { extents, chunks, geometry } = this.parts;
    const met = new Uint8Array(geometry.chunks);
    let previous = 0;
    let link = extents.headOf(this.shard);
    while (link !== 0) {
      const chunk = link - 1;
      const fault = this.linkFault(chunk, previous, met);
      if (fault !== undefined) {
        this.findings.add('CHUNK_LIST_BROKEN', `shard ${this.shard} chunk list`, fault);
        break;
      }
      met[chunk] = 1;
      previous = link;
      link = extents.nextOf(chunk);
    }
    for (let chunk = 0; chunk < geometry.chunks; chunk++) {
      if (met[chunk] === 1 || chunks.kind(chunk) !== CHUNK_SHARED || !this.isOwned(chunk)) continue;
      this.findings.add('CHUNK_LIST_BROKEN', `chunk ${chunk}`, "is not on its shard's list");
    }
  }

  private linkFault(chunk: number, previous: number, met: Uint8Array): string | undefined {
    const { extents, chunks, geometry } = this.parts;
    if (chunk < 0 || chunk >= geometry.chunks) return `leads to chunk ${chunk} of ${geometry.chunks}`;
    if (met[chunk] === 1) return `leads to chunk ${chunk} a second time`;
    if (chunks.kind(chunk) !== CHUNK_SHARED || !this.isOwned(chunk))
      return `leads to chunk ${chunk}, not of this shard`;
    return extents.previousOf(chunk) === previous ? undefined : `chunk ${chunk} does not link back`;
  }
}
