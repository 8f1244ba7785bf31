/** Mixes of operations, each with the question that its journal answers. */
import { sizeOf } from '../content.js';
import { CHUNK_BYTES, type Shape, SMALL } from '../world.js';

export type Act =
  | 'put'
  | 'putLarge'
  | 'create'
  | 'set'
  | 'delete'
  | 'clear'
  | 'get'
  | 'borrow'
  | 'read'
  | 'release'
  | 'tick'
  | 'evict'
  | 'write'
  | 'fill'
  | 'writePage'
  | 'fetchPage'
  | 'borrowPage'
  | 'putVersion'
  | 'endVersions'
  | 'getVersion'
  | 'writeTag'
  | 'fillTagged'
  | 'chooseFences'
  | 'wait';

/**
 * linearizable: nothing is evicted, so every get has to be explained. evicting: a page may go, and must not come back.
 * sources: no get finds what its source had moved on from before the get began. versions: no get finds a version that
 * was over, or was not yet, as of what it asked for.
 */
export type Question = 'linearizable' | 'evicting' | 'sources' | 'versions';

export interface Workload {
  readonly name: string;
  readonly shape: Shape;
  readonly keys: number;
  readonly actsMax: number;
  readonly acts: readonly Act[];
  /** What the first actor does, where it is not what the others do. */
  readonly firstActs?: readonly Act[];
  readonly question: Question;
  /** Size of a page of the value. */
  readonly sizeOf: (value: number) => number;
}

/** Nothing is ever evicted, and slots are few, so that what was retired is soon used again. */
const ROOMY: Shape = { ...SMALL, objectsPerShard: 6, spareSlots: 2, chunks: 24, eviction: 'none' };
const always96 = () => 96;

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'one or two keys, much superseded',
    shape: ROOMY,
    keys: 2,
    actsMax: 6,
    acts: ['set', 'set', 'get', 'borrow', 'borrow', 'delete', 'put', 'read', 'release', 'tick'],
    question: 'linearizable',
    sizeOf,
  },
  {
    name: 'one writer, many readers',
    shape: { ...ROOMY, objectsPerShard: 5, spareSlots: 1 },
    keys: 1,
    actsMax: 12,
    acts: ['borrow', 'borrow', 'borrow', 'borrow', 'get', 'read', 'release'],
    firstActs: ['set', 'set', 'set', 'delete'],
    question: 'linearizable',
    sizeOf,
  },
  {
    name: 'drafts of one key',
    shape: ROOMY,
    keys: 1,
    actsMax: 5,
    acts: ['create', 'put', 'set', 'get', 'delete', 'create', 'borrow'],
    question: 'linearizable',
    sizeOf,
  },
  {
    name: 'a full pool',
    shape: SMALL,
    keys: 7,
    actsMax: 8,
    acts: ['set', 'put', 'set', 'get', 'borrow', 'borrow', 'create', 'delete', 'release', 'tick', 'evict'],
    question: 'evicting',
    sizeOf,
  },
  {
    name: 'two full shards and objects over several chunks',
    shape: { ...SMALL, shards: 2, objectsPerShard: 3, chunks: 4, eviction: 'lru' },
    keys: 6,
    actsMax: 6,
    acts: ['putLarge', 'putLarge', 'putLarge', 'get', 'borrow', 'delete', 'release', 'tick'],
    question: 'evicting',
    sizeOf: (value) => (value % 3 === 0 ? CHUNK_BYTES + 300 : 200 + (value % 5) * 100),
  },
  {
    name: 'spaces that are cleared',
    shape: { ...ROOMY, objectsPerShard: 12, spareSlots: 12, eviction: 'sieve' },
    keys: 2,
    actsMax: 6,
    acts: ['set', 'set', 'borrow', 'get', 'borrow', 'clear', 'delete', 'tick'],
    question: 'linearizable',
    sizeOf,
  },
  {
    name: 'fills under leases',
    shape: SMALL,
    keys: 2,
    actsMax: 7,
    acts: ['fill', 'fill', 'write', 'borrow', 'borrow', 'get', 'tick'],
    question: 'sources',
    sizeOf: always96,
  },
  {
    name: 'pages loaded once',
    shape: SMALL,
    keys: 2,
    actsMax: 7,
    acts: ['fetchPage', 'fetchPage', 'writePage', 'borrowPage', 'tick'],
    question: 'sources',
    sizeOf: always96,
  },
  {
    name: 'versions of a page',
    shape: { ...SMALL, eviction: 's3-fifo' },
    keys: 1,
    actsMax: 7,
    acts: ['putVersion', 'putVersion', 'getVersion', 'getVersion', 'getVersion', 'endVersions', 'tick', 'evict'],
    question: 'versions',
    sizeOf: always96,
  },
  {
    name: 'tags of pages that are filled',
    shape: SMALL,
    keys: 2,
    actsMax: 8,
    acts: ['fillTagged', 'fillTagged', 'writeTag', 'borrow', 'borrow', 'borrow', 'get', 'write', 'tick'],
    question: 'sources',
    sizeOf: always96,
  },
];
