/** Lies: words of a pool's metadata changed by somebody who does not keep to the protocol. */
import { checkOfWords } from '../../../lib/hash.js';
import type { Words } from '../../../lib/words.js';
import type { Geometry, RegionName } from '../../../src/pool/layout/geometry.js';
import {
  Bucket,
  ChunkEntry,
  ChunkUse,
  Control,
  EventHead,
  EventLine,
  HazardHead,
  LockLine,
  NodeBell,
  NodeCleaning,
  NodeRow,
  RetireRecord,
  ShardHead,
  Slot,
  Space,
  Stripe,
  Superblock,
} from '../../../src/pool/layout/layout.js';
import { PolicyEntry, PolicyHead } from '../../../src/pool/policy/index.js';
import type { Chance } from '../../support/chance.js';

export interface Lie {
  readonly region: RegionName;
  readonly word: number;
  readonly before: number;
  readonly after: number;
  /**
   * A superblock with a right check: from then on nodes disagree on what lies where, and no page can be trusted. The
   * attached ones do not look at it again.
   */
  readonly forged?: true;
  /** The check that stood there before. */
  readonly check?: number;
}

const MAGIC_LOW = 0x6c616573;
/** Regions that few words of have a meaning at any moment are seldom worth a lie. */
const SELDOM: readonly RegionName[] = [
  'superblock',
  'pins',
  'pinDirectories',
  'pinOwners',
  'pinBlocks',
  'borrows',
  'touches',
  'touchesDrained',
  'spaces',
  'ghosts',
];

/** Regions of structs with words that mean nothing: those are left alone most of the time. */
const STRUCTS: Partial<
  Record<RegionName, { readonly words: number; readonly word: Readonly<Record<string, number>> }>
> = {
  control: Control,
  locks: LockLine,
  nodeRows: NodeRow,
  nodeCleanings: NodeCleaning,
  spaces: Space,
  hazardHeads: HazardHead,
  shardHeads: ShardHead,
  policyHeads: PolicyHead,
  policyEntries: PolicyEntry,
  retireRings: RetireRecord,
  stripes: Stripe,
  slots: Slot,
  chunkEntries: ChunkEntry,
  chunkUses: ChunkUse,
  buckets: Bucket,
  nodeBells: NodeBell,
  eventHeads: EventHead,
  eventRings: EventLine,
};

/** A value that could be taken for a good one, or lies just outside what is good. */
function likely(words: Words, word: number, start: number, count: number, geometry: Geometry, chance: Chance): number {
  const here = words.read(word);
  return chance.pick([
    () => 0,
    () => -1,
    () => 1,
    () => 0x7fffffff,
    () => -0x80000000,
    () => here + 1,
    () => here - 1,
    () => ~here,
    () => words.read(start + chance.below(count)),
    () => geometry.slotsPerShard + chance.below(3) - 1,
    () => geometry.chunks + chance.below(3) - 1,
    () => geometry.shards + chance.below(3) - 1,
    () => chance.below(geometry.slotsPerShard),
    () => chance.below(geometry.chunks),
    () => chance.below(16),
  ])();
}

export class Liar {
  private readonly words: Words;
  private readonly geometry: Geometry;
  private readonly names: readonly RegionName[];

  constructor(words: Words, geometry: Geometry) {
    this.words = words;
    this.geometry = geometry;
    const all = Object.keys(geometry.regions) as RegionName[];
    const only = process.env['HOSTILE_REGION'];
    this.names =
      only !== undefined
        ? [only as RegionName]
        : all.flatMap((name) => (SELDOM.includes(name) ? [name] : [name, name, name, name]));
  }

  tell(chance: Chance): Lie {
    const region = chance.pick(this.names);
    if (region === 'superblock' && chance.below(2) === 0) return this.restamp(chance);
    const { word: start, stride, count } = this.geometry.regions[region];
    const word = this.wordIn(region, start, stride * count, chance);
    const before = this.words.read(word);
    const how = chance.below(8);
    if (how < 3) this.words.store(word, before ^ (1 << chance.below(32)));
    else if (how < 4) this.words.store(word, chance.word());
    else this.words.store(word, likely(this.words, word, start, stride * count, this.geometry, chance));
    return { region, word, before, after: this.words.read(word) };
  }

  /** Words that are zero mostly lie where nothing is: another is taken then, a few times. */
  private wordIn(region: RegionName, start: number, count: number, chance: Chance): number {
    let word = start + chance.below(count);
    for (let tries = 0; tries < 20 && this.words.read(word) === 0; tries++) word = start + chance.below(count);
    const struct = STRUCTS[region];
    if (struct === undefined || chance.below(4) === 0) return word;
    const fields = Object.entries(struct.word).filter(([name]) => !name.startsWith('reserved'));
    return word - ((word - start) % struct.words) + (chance.pick(fields)[1] as number);
  }

  /** A superblock that is wrong in one word and agrees with its check all the same. */
  private restamp(chance: Chance): Lie {
    const { check } = Superblock.word;
    const word = 4 + chance.below(check - 4);
    const before = this.words.read(word);
    this.words.store(word, chance.pick([before + 1, before >> 1, before * 2, 0, -1, chance.word(), before ^ 64]));
    const stood = this.words.read(check);
    this.words.store(check, checkOfWords(this.words, 0, check, MAGIC_LOW));
    return { region: 'superblock', word, before, after: this.words.read(word), forged: true, check: stood };
  }
}

export function describeLie(lie: Lie, geometry: Geometry): string {
  const { word, stride } = geometry.regions[lie.region];
  const index = Math.floor((lie.word - word) / stride);
  const hex = (value: number) => (value >>> 0).toString(16);
  return `${lie.region}[${index}]+${(lie.word - word) % stride} ${hex(lie.before)} -> ${hex(lie.after)}`;
}

/** The field of a struct that the lie is about; empty where the region has none. */
export function fieldOf(lie: Lie, geometry: Geometry): string {
  const struct = lie.region === 'superblock' ? Superblock : STRUCTS[lie.region];
  if (struct === undefined) return '';
  const at = (lie.word - geometry.regions[lie.region].word) % struct.words;
  const before = Object.entries(struct.word).filter(([, word]) => word <= at);
  return before.at(-1)?.[0] ?? '';
}
