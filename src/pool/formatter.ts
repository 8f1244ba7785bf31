/**
 * Format: the first state of every region, and the ready word last.
 *
 * A crash leaves magic without ready (or an empty file): seen as an interrupted format and redone by whoever may create.
 */
import { LinuxMachine, OS_PAGE_BYTES, type PoolFile } from '../../lib/linux/index.js';
import { formatEvents } from './eventlog.js';
import { type Geometry, geometryOf } from './geometry.js';
import {
  CHECKPOINT_UNUSED,
  CHUNK_FREE,
  CheckpointEntry,
  ChunkEntry,
  Control,
  Slot,
  SPACE_UNUSED,
  Space,
  STATE_FREE,
  Superblock,
} from './layout.js';
import type { CheckedFormat } from './options.js';
import { markWhole } from './restore.js';
import { mapSegment, type Segment } from './segment.js';
import { makePolicies } from './shardpolicy.js';
import { Shards } from './shards.js';
import { makeReady, markInterrupted, superblockOf } from './superblock.js';

/** The first state of every region of memory that is all zero. */
export function fillRegions(segment: Segment, geometry: Geometry): void {
  const { words } = segment;
  const { regions } = geometry;
  const shards = new Shards(words, geometry);
  for (let shard = 0; shard < geometry.shards; shard++) {
    for (let local = geometry.slotsPerShard - 1; local >= 0; local--) {
      words.write(regions.slots.word + (shard * geometry.slotsPerShard + local) * Slot.words, STATE_FREE);
      shards.pushFree(shard, local);
    }
  }
  formatEvents(words, geometry);
  for (const policy of makePolicies(words, geometry)) policy.reset();
  for (let space = 0; space < geometry.spaces; space++) {
    words.write(regions.spaces.word + space * Space.words + Space.word.state, SPACE_UNUSED);
  }
  for (let entry = 0; entry < geometry.checkpoints; entry++) {
    words.write(
      regions.checkpoints.word + entry * CheckpointEntry.words + CheckpointEntry.word.state,
      CHECKPOINT_UNUSED,
    );
  }
  for (let chunk = 0; chunk < geometry.chunks; chunk++) {
    words.write(regions.chunkEntries.word + chunk * ChunkEntry.words + ChunkEntry.word.kind, CHUNK_FREE);
  }
  words.write(regions.control.word + Control.word.freeChunks, geometry.chunks);
}

/** Makes a pool of the file. The caller holds its membership lock. Throws NO_SPACE, OPTION_INVALID. */
export async function formatFile(file: PoolFile, options: CheckedFormat): Promise<void> {
  const geometry = geometryOf(options.plan);
  const isFile = file.stats().isFile();
  const isBlank = isFile && file.stats().size === 0;
  // What an interrupted format left must not show through, nor its size.
  if (isFile) file.truncate(0);
  file.writeStart(markInterrupted());
  if (isFile) {
    file.setMode(options.mode);
    try {
      await file.reserve(options.plan.size);
    } catch (error) {
      file.unlink();
      throw error;
    }
  }
  const segment = mapSegment(file, geometry, true);
  const machine = new LinuxMachine(segment.metadata.address);
  const { words } = segment;
  // Device memory is not zeroed, nor what an interrupted format left; a new file is. The mark of the interruption stays.
  if (!isBlank) words.fill(Superblock.words, words.length - Superblock.words, 0);
  fillRegions(segment, geometry);
  const poolId = [0, 1, 2, 3].map(() => machine.randomWord());
  const identity = { plan: options.plan, seed: machine.randomWord(), poolId, createdAtMs: machine.nowMs() };
  file.writeStart(superblockOf(identity));
  markWhole(segment, machine);
  // (K1) holds on the disk too: everything is there before the word that says so.
  if (isFile && segment.survivesRestart) await segment.metadata.sync(0, segment.metadata.byteLength);
  makeReady(words);
  if (isFile && segment.survivesRestart) {
    await segment.metadata.sync(0, OS_PAGE_BYTES);
    file.syncFolder();
  }
  segment.unmapUnshared();
}

/** Throws OPTION_INVALID when the options do not give a pool. */
export function checkPlan(options: CheckedFormat): void {
  geometryOf(options.plan);
}
