/** Faults in the space of a shard, and in the tables of the whole pool. */
import {
  ChunkEntry,
  ChunkUse,
  Control,
  HazardHead,
  LockLine,
  NodeCleaning,
  NodeRow,
  ShardHead,
  Slot,
  Space,
  STATE_FREE,
  STATE_RETIRED,
  TagCell,
} from '../../../src/pool/layout/layout.js';
import type { Fault } from './place.js';

const up = (value: number) => value + 1;
const slot = Slot.word;
const use = ChunkUse.word;
const entry = ChunkEntry.word;

const chunkFaults: Fault[] = [
  {
    code: 'EXTENT_MISPLACED',
    where: /^shard 0 slot \d+$/,
    what: "an extent in a chunk that is nobody's",
    make(at) {
      const one = at.of('key-1');
      at.set(at.slot(one, slot.extent), (extent) => extent + 3 * at.parts.extents.chunkGranules);
      at.parts.slots.stampCheck(one);
    },
  },
  {
    code: 'EXTENT_OVERLAP',
    where: /^shard 0 slot \d+$/,
    what: 'two pages in one extent',
    make(at) {
      const [one, other] = [at.of('key-1'), at.of('key-2')];
      at.set(at.slot(one, slot.extent), () => at.parts.slots.extent(other));
      at.parts.slots.stampCheck(one);
    },
  },
  {
    code: 'BITMAP_WRONG',
    where: /^chunk \d+$/,
    what: 'a bit cleared',
    make: (at) => at.set(at.word('bitmaps', at.chunkOf(at.of('key-1'))), (bits) => bits & (bits - 1)),
  },
  {
    code: 'CHUNK_USE_WRONG',
    where: /^chunk \d+$/,
    what: 'a shard that says its chunks have no room',
    make(at) {
      at.set(at.head(ShardHead.word.restLongest), () => 0);
      for (let i = 0; i < 6; i++) at.set(at.head(ShardHead.word.fresh) + i, () => 0);
    },
  },
  {
    code: 'CHUNK_USE_WRONG',
    where: /^chunk \d+$/,
    what: 'a chunk that counts one extent too many',
    make: (at) => at.set(at.word('chunkUses', at.chunkOf(at.of('key-1')), use.used), up),
  },
  {
    code: 'CHUNK_USE_WRONG',
    where: /^chunk \d+$/,
    what: 'a chunk that says it has less room than it has',
    make: (at) => at.set(at.word('chunkUses', at.chunkOf(at.of('key-1')), use.longest), () => 1),
  },
  {
    code: 'CHUNK_LIST_BROKEN',
    where: /^chunk \d+$/,
    what: 'a chunk that is not listed',
    make: (at) => at.set(at.head(ShardHead.word.chunkHead), () => 0),
  },
  {
    code: 'CHUNK_LIST_BROKEN',
    where: /^shard 0 chunk list$/,
    what: 'a list that goes round',
    make(at) {
      const chunk = at.chunkOf(at.of('key-1'));
      at.set(at.word('chunkUses', chunk, use.next), () => chunk + 1);
    },
  },
  {
    code: 'CHUNK_LIST_BROKEN',
    where: /^shard 0 chunk list$/,
    what: 'a list that begins outside',
    make: (at) => at.set(at.head(ShardHead.word.chunkHead), () => 99_999),
  },
  {
    code: 'CHUNK_UNUSED',
    where: /^chunk \d+$/,
    what: 'a chunk that the shard has and does not use',
    make: (at) => at.parts.chunks.takeFree(0),
  },
  {
    code: 'CHUNK_KIND_INVALID',
    where: /^chunk \d+$/,
    what: 'a kind that is none',
    make: (at) => at.set(at.word('chunkEntries', at.chunkOf(at.of('key-1')), entry.kind), () => 9),
  },
  {
    code: 'CHUNK_OWNER_INVALID',
    where: /^chunk \d+$/,
    what: 'a shard that is none',
    make: (at) => at.set(at.word('chunkEntries', at.chunkOf(at.of('key-1')), entry.shard), () => 1),
  },
  {
    code: 'RUN_BROKEN',
    where: /^chunk \d+$/,
    what: 'a run with a hole',
    make: (at) => at.set(at.word('chunkEntries', at.chunkOf(at.of('run')) + 1, entry.kind), () => 1),
  },
  {
    code: 'FREE_CHUNKS_WRONG',
    where: /^control freeChunks$/,
    what: 'a free chunk too many',
    make: (at) => at.set(at.control(Control.word.freeChunks), up),
  },
  {
    code: 'CLAIM_INVALID',
    where: /^chunk 2$/,
    what: 'a claim of a row that is none',
    make: (at) => at.set(at.word('chunkEntries', 2, entry.claim), () => 900),
  },
  {
    code: 'CLAIM_OF_DEAD',
    where: /^chunk 2$/,
    what: 'a claim of a node that left',
    repairable: true,
    make: (at) => at.set(at.word('chunkEntries', 2, entry.claim), () => 3),
  },
];

const nodeFaults: Fault[] = [
  {
    code: 'NODE_DEAD',
    where: /^node 2$/,
    what: 'a row that nobody holds',
    repairable: true,
    make(at) {
      at.set(at.word('nodeRows', 2, NodeRow.word.incarnation), () => 1);
      at.set(at.word('nodeRows', 2, NodeRow.word.state), () => 1);
      at.set(at.control(Control.word.rowsHigh), () => 3);
    },
  },
  {
    code: 'LIMBO_OF_DEAD',
    where: /^shard 0 slot \d+$/,
    what: 'a retired page that only a dead node pins',
    repairable: true,
    make(at) {
      const retired = at.inState(STATE_RETIRED);
      at.set(at.word('pins', 0), () => 0);
      at.set(at.word('nodeRows', 2, NodeRow.word.incarnation), () => 1);
      at.set(at.word('nodeRows', 2, NodeRow.word.state), () => 1);
      at.set(at.control(Control.word.rowsHigh), () => 3);
      at.set(at.word('hazardHeads', 2, HazardHead.word.pinHigh), () => 1);
      at.set(at.word('pins', 2), () => retired + 1);
    },
  },
  {
    code: 'NODE_ROW_DAMAGED',
    where: /^node 0$/,
    what: 'a row cleaned up beyond its incarnation',
    make: (at) => at.set(at.word('nodeCleanings', 0, NodeCleaning.word.cleanedUpTo), () => 77),
  },
  {
    code: 'NODE_ROW_DAMAGED',
    where: /^node 0$/,
    what: 'a state that is none',
    make: (at) => at.set(at.word('nodeRows', 0, NodeRow.word.state), () => 7),
  },
  {
    code: 'ROWS_HIGH_WRONG',
    where: /^control rowsHigh$/,
    what: 'more rows than there are',
    make: (at) => at.set(at.control(Control.word.rowsHigh), () => 5000),
  },
  {
    code: 'ROWS_HIGH_WRONG',
    where: /^node 0$/,
    what: 'a living node that nobody looks at',
    make: (at) => at.set(at.control(Control.word.rowsHigh), () => 0),
  },
  {
    code: 'HAZARD_DAMAGED',
    where: /^node 0$/,
    what: 'more pins than there is room for',
    make: (at) => at.set(at.word('hazardHeads', 0, HazardHead.word.pinHigh), () => 1_000_000),
  },
  {
    code: 'HAZARD_DAMAGED',
    where: /^node 0$/,
    what: 'a pin of a slot without a page',
    make: (at) => at.set(at.word('pins', 0), () => at.inState(STATE_FREE) + 1),
  },
];

const lockFaults: Fault[] = [
  {
    code: 'LOCK_OF_DEAD',
    where: /^lock 0$/,
    what: 'a lock of a node that left',
    repairable: true,
    make: (at) => at.set(at.word('locks', 0, LockLine.word.word), () => 3),
  },
  {
    code: 'LOCK_DIRTY',
    where: /^lock 1$/,
    what: 'a lock left half-done',
    repairable: true,
    make: (at) => at.set(at.word('locks', 1, LockLine.word.word), (word) => word | 0x800),
  },
  {
    code: 'LOCK_OWNER_INVALID',
    where: /^lock 2$/,
    what: 'a lock of a row that is none',
    make: (at) => at.set(at.word('locks', 2, LockLine.word.word), () => 1000),
  },
  {
    code: 'SPACE_DAMAGED',
    where: /^space 1$/,
    what: 'a name changed',
    make: (at) => at.set(at.word('spaces', 0, Space.word.name), up),
  },
  {
    code: 'SPACE_DAMAGED',
    where: /^space 2$/,
    what: 'a used space beyond the highest',
    make: (at) => at.set(at.control(Control.word.spacesHigh), () => 1),
  },
  {
    code: 'SPACE_UNFOUND',
    where: /^space 1$/,
    what: 'an index that does not lead to a space',
    make(at) {
      const { word, count } = at.parts.geometry.regions.spaceIndex;
      for (let i = 0; i < count; i++) {
        if (at.parts.words.read(word + i) === 1) at.set(word + i, () => 0);
      }
    },
  },
  {
    code: 'SPACE_TWICE',
    where: /^space 2$/,
    what: 'two spaces of one name',
    make(at) {
      for (let i = 0; i < Space.words; i++) {
        at.set(at.word('spaces', 1, i), () => at.parts.words.read(at.word('spaces', 0, i)));
      }
    },
  },
  {
    code: 'TAG_AHEAD',
    where: /^tag cell 3$/,
    what: 'a number of an invalidation that was never made',
    make: (at) => at.set(at.word('tagCells', 3, TagCell.word.last), () => 5),
  },
  {
    code: 'DROP_PENDING',
    where: /^control spacePending$/,
    what: 'a drop not finished',
    make: (at) => at.set(at.control(Control.word.spacePending), () => 1),
  },
  {
    code: 'CAPACITY_EXCEEDED',
    where: /^shard 0 liveCount$/,
    what: 'more live slots than the shard may hold',
    make(at) {
      for (let left = 36; left > 0; left--)
        at.set(at.slot(at.inState(STATE_FREE), slot.state), (word) => (word | 8) + 2);
    },
  },
];

export const tableFaults: readonly Fault[] = [...chunkFaults, ...nodeFaults, ...lockFaults];
