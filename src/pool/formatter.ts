/**
 * Format: the first state of every region, and the ready word last.
 *
 * A crash leaves magic without ready (or an empty file): seen as an interrupted format and redone by whoever may create.
 */
import { PoolError } from '../../lib/errors.js';
import { LinuxMachine, OS_PAGE_BYTES, type PoolFile, shortageAtFormat } from '../../lib/linux/index.js';
import type { Pace, Steps } from '../../lib/steps.js';
import type { Words } from '../../lib/words.js';
import { formatEvents } from './events/index.js';
import {
  CHECKPOINT_UNUSED,
  CHUNK_FREE,
  type CheckedFormat,
  CheckpointEntry,
  ChunkEntry,
  Control,
  type Geometry,
  geometryOf,
  makeReady,
  mapMetadata,
  markInterrupted,
  type Segment,
  Slot,
  SPACE_UNUSED,
  Space,
  STATE_FREE,
  Superblock,
  superblockOf,
} from './layout/index.js';
import { makePolicies, Shards } from './objects/index.js';
import { markWhole } from './recovery/index.js';

const SLOTS_A_STEP = 2048;
const CHUNKS_A_STEP = 1024;
const ZEROED_WORDS_A_STEP = 2 ** 20;

/** The first state of every region of memory that is all zero: a step is a shard at most. */
export function* fillRegions(segment: Segment, geometry: Geometry): Steps {
  const { words } = segment;
  const { regions } = geometry;
  const shards = new Shards(words, geometry);
  for (let shard = 0; shard < geometry.shards; shard++) {
    yield;
    for (let local = geometry.slotsPerShard - 1; local >= 0; local--) {
      if (local % SLOTS_A_STEP === 0) yield;
      words.write(regions.slots.word + (shard * geometry.slotsPerShard + local) * Slot.words, STATE_FREE);
      shards.pushFree(shard, local);
    }
  }
  formatEvents(words, geometry);
  for (const policy of makePolicies(words, geometry)) {
    yield;
    policy.reset();
  }
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
    if (chunk % CHUNKS_A_STEP === 0) yield;
    words.write(regions.chunkEntries.word + chunk * ChunkEntry.words + ChunkEntry.word.kind, CHUNK_FREE);
  }
  words.write(regions.control.word + Control.word.freeChunks, geometry.chunks);
}

/** Zeroes the words behind the superblock, a piece a step. */
function* zero(words: Words): Steps {
  for (let word = Superblock.words; word < words.length; word += ZEROED_WORDS_A_STEP) {
    yield;
    words.fill(word, Math.min(ZEROED_WORDS_A_STEP, words.length - word), 0);
  }
}

/** Before the kernel says it in its way. */
export function warnOfShortage(shortage: string | undefined): void {
  if (shortage !== undefined) new LinuxMachine().warn('SEALPOOL_MEMORY_SHORT', shortage);
}

/** Throws OPTION_INVALID where it is larger than the device. */
function refuseTooLarge(file: PoolFile, size: number): void {
  if (file.isMappable(size)) return;
  const byteLength = file.device?.byteLength;
  const most = byteLength === undefined ? 'cannot be mapped so far' : `has ${byteLength} bytes`;
  throw new PoolError('OPTION_INVALID', `size: ${size}, but the device ${file.path} ${most}.`, {
    option: 'size',
    path: file.path,
    byteLength,
  });
}

/** Makes a pool of the file. The caller holds its membership lock. Throws NO_SPACE, OPTION_INVALID. */
export async function formatFile(file: PoolFile, options: CheckedFormat, pace: Pace): Promise<void> {
  const geometry = geometryOf(options.plan);
  refuseTooLarge(file, options.plan.size);
  const isFile = file.device === undefined;
  const isBlank = isFile && file.stats().size === 0;
  // What an interrupted format left must not show through, nor its size.
  if (isFile) file.truncate(0);
  file.writeStart(markInterrupted());
  if (isFile) {
    file.setMode(options.mode);
    warnOfShortage(file.isVolatile() ? shortageAtFormat(file.path, options.plan.size) : undefined);
    try {
      await file.reserve(options.plan.size);
    } catch (error) {
      file.unlink();
      throw error;
    }
  }
  const segment = mapMetadata(file, geometry, true);
  const { words } = segment;
  // Device memory is not zeroed, nor what an interrupted format left; a new file is. The mark of the interruption stays.
  if (!isBlank) await pace.run(zero(words));
  await pace.run(fillRegions(segment, geometry));
  const machine = new LinuxMachine(segment.metadata.address);
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
  await segment.unmapUnsharedInBackground();
}

/** Throws OPTION_INVALID when the options do not give a pool. */
export function checkPlan(options: CheckedFormat): void {
  geometryOf(options.plan);
}
