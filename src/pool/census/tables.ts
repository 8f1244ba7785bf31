/** The tables that belong to the whole pool: chunks, node rows and their hazards, locks, spaces. */
import { KeyHash } from '../../../lib/hash.js';
import { isLater } from '../../../lib/sequence.js';
import type { Words } from '../../../lib/words.js';
import {
  BORROW_ENTRIES,
  BORROWS_ARE_LIGHT,
  borrowsIn,
  CHUNK_FREE,
  CHUNK_RUN,
  CHUNK_RUN_NEXT,
  CHUNK_SHARED,
  ChunkEntry,
  Control,
  type Geometry,
  HazardHead,
  lockCount,
  NAME_BYTES_MAX,
  NODE_ALIVE,
  NODE_LEFT,
  NodeRow,
  SPACE_NAME_BYTES_MAX,
  SPACE_UNUSED,
  SPACE_USED,
  Space,
  STATE_MASK,
  STATE_RETIRED,
  STATE_SEALED,
} from '../layout/index.js';
import { type Locks, type Nodes, PinPlaces } from '../nodes/index.js';
import type { Slots, Spaces, Tags } from '../objects/index.js';
import type { Chunks } from '../space/index.js';
import type { Findings } from './findings.js';

/** What of a node it works with. */
export interface TableParts {
  readonly geometry: Geometry;
  readonly words: Words;
  readonly nodes: Nodes;
  readonly locks: Locks;
  readonly slots: Slots;
  readonly chunks: Chunks;
  readonly spaces: Spaces;
  readonly tags: Tags;
}

/** `isLeftBehind`: whether the shard's lock was left by a dead node, or half-done. */
export function walkChunks(parts: TableParts, isLeftBehind: (shard: number) => boolean, findings: Findings): void {
  const { chunks, geometry, words } = parts;
  let free = 0;
  let runLeft = 0;
  let run = -1;
  for (let chunk = 0; chunk < geometry.chunks; chunk++) {
    const where = `chunk ${chunk}`;
    const kind = chunks.kind(chunk);
    const shard = chunks.shard(chunk);
    walkClaim(parts, chunk, findings);
    const continues = kind === CHUNK_RUN_NEXT;
    if (
      runLeft > 0 !== continues ||
      (continues && (chunks.shard(run) !== shard || chunks.size(chunk) !== chunk - run))
    ) {
      const message = runLeft > 0 ? `the run of chunk ${run} should go on here` : 'goes on a run that is not there';
      findings.add('RUN_BROKEN', where, message, isLeftBehind(shard) || (run >= 0 && isLeftBehind(chunks.shard(run))));
      runLeft = 0;
    } else if (continues) runLeft--;
    if (kind === CHUNK_FREE) {
      free++;
      continue;
    }
    if (kind !== CHUNK_SHARED && kind !== CHUNK_RUN && !continues) {
      findings.add('CHUNK_KIND_INVALID', where, `has kind ${kind}`);
      continue;
    }
    if (shard < 0 || shard >= geometry.shards) findings.add('CHUNK_OWNER_INVALID', where, `belongs to shard ${shard}`);
    if (kind !== CHUNK_RUN) continue;
    run = chunk;
    runLeft = runLengthAt(parts, chunk) - 1;
    if (runLeft < 0)
      findings.add('RUN_BROKEN', where, `begins a run of ${chunks.size(chunk)} chunks`, isLeftBehind(shard));
  }
  if (runLeft > 0) findings.add('RUN_BROKEN', `chunk ${run}`, 'its run goes beyond the last chunk');
  const counted = words.read(geometry.regions.control.word + Control.word.freeChunks);
  if (counted !== free) findings.add('FREE_CHUNKS_WRONG', 'control freeChunks', `${counted} instead of ${free}`);
}

/** 0 for a length that no run has: outside the table, or across two windows. */
function runLengthAt(parts: TableParts, chunk: number): number {
  const { chunks, geometry } = parts;
  const length = chunks.size(chunk);
  const window = (at: number) => Math.floor(at / geometry.chunksPerWindow);
  const fits = length >= 1 && chunk + length <= geometry.chunks && window(chunk) === window(chunk + length - 1);
  return fits ? length : 0;
}

function walkClaim(parts: TableParts, chunk: number, findings: Findings): void {
  const { geometry, nodes, words } = parts;
  const claim = words.load(geometry.regions.chunkEntries.word + chunk * ChunkEntry.words + ChunkEntry.word.claim);
  if (claim === 0) return;
  const where = `chunk ${chunk}`;
  if (claim < 0 || claim > geometry.maxNodes) findings.add('CLAIM_INVALID', where, `claimed by row ${claim - 1}`);
  else if (nodes.isDead(claim - 1, true)) findings.add('CLAIM_OF_DEAD', where, `claimed by the dead node ${claim - 1}`);
}

export function walkNodes(parts: TableParts, findings: Findings): void {
  const { geometry, nodes, words } = parts;
  const high = words.load(geometry.regions.control.word + Control.word.rowsHigh);
  if (high < 0 || high > geometry.maxNodes) findings.add('ROWS_HIGH_WRONG', 'control rowsHigh', `${high} rows`);
  for (let row = 0; row < geometry.maxNodes; row++) {
    const where = `node ${row}`;
    const incarnation = nodes.incarnationOf(row);
    const cleaned = nodes.cleanedUpTo(row);
    if (incarnation === 0 && cleaned === 0) continue;
    const at = geometry.regions.nodeRows.word + row * NodeRow.words;
    const state = words.load(at + NodeRow.word.state);
    const nameLength = words.read(at + NodeRow.word.nameLength);
    if (isLater(cleaned, incarnation) || incarnation === 0) {
      findings.add('NODE_ROW_DAMAGED', where, `cleaned up to ${cleaned}, but its incarnation is ${incarnation}`);
    } else if (state !== NODE_ALIVE && state !== NODE_LEFT) {
      findings.add('NODE_ROW_DAMAGED', where, `its state is ${state}`);
    } else if (nameLength < 0 || nameLength > NAME_BYTES_MAX) {
      findings.add('NODE_ROW_DAMAGED', where, `its name has ${nameLength} bytes`);
    }
    if (!nodes.isTaken(row)) continue;
    const dead = nodes.isDead(row, true);
    if (dead) findings.add('NODE_DEAD', where, 'died, and nobody has cleaned up after it');
    if (row >= high) findings.add('ROWS_HIGH_WRONG', where, `taken, but only ${high} rows are looked at`, dead);
    walkHazards(parts, row, dead, findings);
  }
}

/** The pins of a living node name pages that are there, or are retired and wait for it. */
function walkHazards(parts: TableParts, row: number, dead: boolean, findings: Findings): void {
  const { geometry, words, slots, nodes } = parts;
  const { hazardHeads } = geometry.regions;
  const places = new PinPlaces(words, geometry);
  const where = `node ${row}`;
  const head = hazardHeads.word + row * HazardHead.words;
  const borrowed = words.load(head + HazardHead.word.borrowCount) & ~BORROWS_ARE_LIGHT;
  const high = words.load(head + HazardHead.word.pinHigh);
  if (borrowed < 0 || borrowed > BORROW_ENTRIES) findings.add('HAZARD_DAMAGED', where, `borrows ${borrowed} pages`);
  if (high < 0 || high > geometry.pinsPerNode) findings.add('HAZARD_DAMAGED', where, `has ${high} pin entries`);
  if (dead) return;
  const entries = Math.min(Math.max(0, high), geometry.pinsPerNode);
  for (let index = 0; index < places.blocksFor(entries); index++) {
    const owner = places.ownerOfBlock(row, index);
    // A block that was given back meanwhile says nothing.
    if (owner === row || words.load(head + HazardHead.word.pinHigh) !== high) continue;
    findings.add('HAZARD_DAMAGED', where, `block ${index} of its pins belongs to node ${owner}`);
  }
  for (let i = 0; i < entries; i++) {
    const word = places.of(row, i);
    if (word < 0) {
      findings.add('HAZARD_DAMAGED', where, `has ${high} pin entries, and no block for entry ${i}`);
      break;
    }
    const slot = words.load(word) - 1;
    if (slot === -1) continue;
    const inside = slot >= 0 && slot < slots.total;
    if (!nodes.activity.isActive(row) && words.load(word) - 1 === slot)
      findings.add('HAZARD_DAMAGED', where, `pin entry ${i} is passed by by who looks for pins`);
    const state = inside ? slots.stateWord(slot) & STATE_MASK : 0;
    // A pin that was released meanwhile says nothing.
    if (state === STATE_SEALED || state === STATE_RETIRED || words.load(word) - 1 !== slot) continue;
    findings.add('HAZARD_DAMAGED', where, `pin entry ${i} names slot ${slot}, where no page is`);
  }
}

/** Slots of retired pages that only dead nodes hold. */
export function heldByDeadOnly(parts: TableParts): Set<number> {
  const { nodes, geometry } = parts;
  const [dead, living] = [new Set<number>(), new Set<number>()];
  for (let row = 0; row < geometry.maxNodes; row++) {
    if (nodes.isTaken(row)) collectHazards(parts, row, nodes.isDead(row, true) ? dead : living);
  }
  for (const slot of living) dead.delete(slot);
  return dead;
}

function collectHazards(parts: TableParts, row: number, into: Set<number>): void {
  const { geometry, words } = parts;
  const { hazardHeads, borrows } = geometry.regions;
  const places = new PinPlaces(words, geometry);
  const head = hazardHeads.word + row * HazardHead.words;
  const collect = (count: number, most: number, wordOf: (entry: number) => number) => {
    for (let i = 0; i < Math.min(count >>> 0, most); i++) if (wordOf(i) >= 0) into.add(words.load(wordOf(i)) - 1);
  };
  const ring = borrows.word + row * borrows.stride;
  collect(borrowsIn(words.load(head + HazardHead.word.borrowCount)), BORROW_ENTRIES, (entry) => ring + entry);
  collect(words.load(head + HazardHead.word.pinHigh), geometry.pinsPerNode, (entry) => places.of(row, entry));
}

export function walkLocks(parts: TableParts, findings: Findings): void {
  const { geometry, locks, nodes } = parts;
  for (let lock = 0; lock < lockCount(geometry); lock++) {
    const where = `lock ${lock}`;
    const owner = locks.ownerOf(lock);
    if (owner >= geometry.maxNodes) findings.add('LOCK_OWNER_INVALID', where, `held by row ${owner}, which is none`);
    else if (owner >= 0 && nodes.isDead(owner, true))
      findings.add('LOCK_OF_DEAD', where, `held by the dead node ${owner}`);
    if (owner < 0 && locks.isDirty(lock)) findings.add('LOCK_DIRTY', where, 'what it guards was left half-done');
  }
}

export function walkSpaces(parts: TableParts, findings: Findings): void {
  const { geometry, words, spaces } = parts;
  const hash = new KeyHash(SPACE_HASH_SEED);
  const names = new Map<string, number>();
  const high = words.load(geometry.regions.control.word + Control.word.spacesHigh);
  for (let space = 1; space <= geometry.spaces; space++) {
    const at = geometry.regions.spaces.word + (space - 1) * Space.words;
    const where = `space ${space}`;
    const state = words.load(at + Space.word.state);
    if (state !== SPACE_USED && state !== SPACE_UNUSED) findings.add('SPACE_DAMAGED', where, `its state is ${state}`);
    if (state !== SPACE_USED) continue;
    if (space > high) findings.add('SPACE_DAMAGED', where, `lies beyond space ${high}, where nobody looks`);
    else if (!spaces.isFound(space)) findings.add('SPACE_UNFOUND', where, 'the index does not lead to it');
    const name = spaceName(parts, at);
    if (name === undefined) {
      findings.add('SPACE_DAMAGED', where, `its name has ${words.read(at + Space.word.nameLength)} bytes`);
      continue;
    }
    hash.of(name, name.length);
    const versioned = words.load(at + Space.word.versioned);
    if (hash.low !== words.read(at + Space.word.nameHash))
      findings.add('SPACE_DAMAGED', where, 'its name has another hash');
    if (words.load(at + Space.word.generation) === 0) findings.add('SPACE_DAMAGED', where, 'its generation is zero');
    if (versioned !== 0 && versioned !== 1) findings.add('SPACE_DAMAGED', where, `versioned is ${versioned}`);
    const text = Buffer.from(name).toString('latin1');
    const twin = names.get(text);
    if (twin !== undefined) findings.add('SPACE_TWICE', where, `has the name of space ${twin}`);
    names.set(text, space);
  }
  const pending = words.read(geometry.regions.control.word + Control.word.spacePending);
  if (pending !== 0)
    findings.add('DROP_PENDING', 'control spacePending', `a drop of space ${pending} was not finished`);
}

export function walkTags({ tags }: TableParts, findings: Findings): void {
  const cell = tags.cellAhead();
  if (cell >= 0)
    findings.add('TAG_AHEAD', `tag cell ${cell}`, 'it has the number of an invalidation that there was none of');
}

const SPACE_HASH_SEED = 0x5eed;

function spaceName(parts: TableParts, at: number): Uint8Array | undefined {
  const length = parts.words.read(at + Space.word.nameLength);
  if (length < 0 || length > SPACE_NAME_BYTES_MAX) return undefined;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = parts.words.read(at + Space.word.name + (i >> 2)) >>> ((i & 3) * 8);
  return bytes;
}
