/** A shard's policy region with canary words around each of its parts, and words that count and bound every access. */
import { Words } from '../../../lib/words.js';
import {
  GhostRing,
  makePolicy,
  type Policy,
  PolicyEntry,
  PolicyHead,
  type PolicyKind,
  type PolicyRegion,
  policyLines,
} from '../../../src/pool/policy/index.js';

const CANARY = 0x5ea1ca7;
const CANARY_WORDS = 16;

export class GuardedWords extends Words {
  accesses = 0;
  outside = 0;
  allowed: readonly (readonly [word: number, length: number])[] = [];

  override read(index: number): number {
    this.note(index, 1);
    return super.read(index);
  }

  override write(index: number, value: number): void {
    this.note(index, 1);
    super.write(index, value);
  }

  override fill(index: number, count: number, value: number): void {
    this.note(index, count);
    super.fill(index, count, value);
  }

  override copyIn(index: number, source: Int32Array): void {
    this.note(index, source.length);
    super.copyIn(index, source);
  }

  private note(index: number, count: number): void {
    this.accesses += 1;
    if (!this.allowed.some(([word, length]) => index >= word && index + count <= word + length)) this.outside += 1;
  }
}

export interface Shard {
  policy: Policy;
  region: PolicyRegion;
  /** First word and length of head, entries and ghost. */
  parts: readonly (readonly [word: number, length: number])[];
}

export interface ShardOptions {
  capacity: number;
  slots?: number;
  ghostLines?: number;
  make?: typeof makePolicy;
}

/** The policy is not reset: its words are zero. */
export function makeShard<W extends Words>(
  kind: PolicyKind,
  options: ShardOptions,
  wordsOf: (buffer: ArrayBuffer) => W,
): Shard & { words: W } {
  const { capacity, slots = capacity, ghostLines = policyLines(kind, capacity), make = makePolicy } = options;
  const head = CANARY_WORDS;
  const entries = head + PolicyHead.words + CANARY_WORDS;
  const ghost = entries + slots * PolicyEntry.words + CANARY_WORDS;
  const ghostWords = ghostLines * GhostRing.words;
  const words = wordsOf(new ArrayBuffer((ghost + ghostWords + CANARY_WORDS) * 4));
  const region = { words, head, entries, slots, capacity, ghost, ghostLines };
  const parts = [
    [head, PolicyHead.words],
    [entries, slots * PolicyEntry.words],
    [ghost, ghostWords],
  ] as const;
  return { words, region, parts, policy: make(kind, region) };
}

export function plainShard(kind: PolicyKind, options: ShardOptions): Shard {
  const shard = makeShard(kind, options, (buffer) => new Words(buffer));
  shard.policy.reset();
  return shard;
}

export function guardedShard(kind: PolicyKind, options: ShardOptions): Shard & { words: GuardedWords } {
  const shard = makeShard(kind, options, (buffer) => new GuardedWords(buffer));
  shard.words.allowed = [[0, shard.words.length]];
  for (let word = 0; word < shard.words.length; word++) shard.words.write(word, CANARY);
  shard.words.allowed = shard.parts;
  shard.policy.reset();
  return shard;
}

/** Number of words between the parts that are no longer what they were. */
export function deadCanaries(shard: Shard & { words: GuardedWords }): number {
  const values = new Int32Array(shard.words.length);
  const { allowed, accesses } = shard.words;
  shard.words.allowed = [[0, shard.words.length]];
  for (let word = 0; word < values.length; word++) values[word] = shard.words.read(word);
  shard.words.allowed = allowed;
  shard.words.accesses = accesses;
  for (const [word, length] of shard.parts) values.fill(CANARY, word, word + length);
  return values.filter((value) => value !== CANARY).length;
}

export function problemsOf(policy: Policy): string[] {
  const found: string[] = [];
  policy.check((message) => found.push(message));
  return found;
}

/** 32-bit finalizer of MurmurHash3: a bijection, so that no two small keys share a fingerprint. */
export function hashOf(key: number): number {
  let hash = key ^ (key >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Mulberry32: numbers in [0, 1), the same for the same seed. */
export function chanceOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
