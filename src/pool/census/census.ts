/**
 * The census: a read-only walk of a whole pool that checks every numbered invariant of the layout. It takes no lock, so
 * what it reads may change under it.
 *
 * (Z1) a part without findings is sound, whoever wrote meanwhile. Findings count only when the part's lock was not held
 *      by a living node, its word is the same after the walk (no two holds have one word (L5): nobody held it meanwhile),
 *      and none of the part's words moved from before the walk to after it; else the part is walked again. Free before
 *      and after is not enough: a writer may be stopped half-done all through the walk, and end while the words are
 *      compared.
 * (Z2) a part that never stands still gives the note SHARD_BUSY at most, never a false alarm.
 */
import { checkOfWords } from '../../../lib/hash.js';
import type { Machine } from '../../../lib/machine.js';
import type { Words } from '../../../lib/words.js';
import { ChunkEntry, type Geometry, type PoolProblem, type RegionName } from '../layout/index.js';
import type { Locks, Nodes } from '../nodes/index.js';
import type { Chunks } from '../space/index.js';
import { type CheckpointParts, CheckpointWalk } from './checkpoints.js';
import { type ExtentParts, ExtentWalk } from './extentwalk.js';
import { Findings } from './findings.js';
import { type CensusContext, type ShardParts, ShardWalk } from './shardwalk.js';
import { heldByDeadOnly, type TableParts, walkChunks, walkLocks, walkNodes, walkSpaces, walkTags } from './tables.js';

/** What of a node it works with. */
export interface CensusParts extends TableParts, ShardParts, ExtentParts, CheckpointParts {
  readonly geometry: Geometry;
  readonly words: Words;
  readonly machine: Machine;
  readonly nodes: Nodes;
  readonly locks: Locks;
  readonly chunks: Chunks;
}

const TRIES_MAX = 12;
const PAUSE_MS = 2;
const SHARD_REGIONS: readonly RegionName[] = [
  'shardHeads',
  'policyHeads',
  'policyEntries',
  'ghosts',
  'retireRings',
  'stripes',
  'buckets',
  'slots',
  'slotLinks',
  'eventHeads',
  'eventRings',
];

/** Whether what a lock guards may be looked at: left is held by a dead node, or marked half-done. */
type LockState = 'free' | 'left' | 'held';

/** One part of the pool that is walked, and walked again, by itself. */
interface CensusPart {
  readonly name: string;
  readonly lock: number;
  /** Differs when one of the part's words has moved. */
  print(): number;
  walk(findings: Findings): void;
}

class Census {
  private readonly parts: CensusParts;
  private readonly seed: number;

  constructor(parts: CensusParts, seed: number) {
    this.parts = parts;
    this.seed = seed;
  }

  async run(): Promise<PoolProblem[]> {
    const problems: PoolProblem[] = [];
    for (const part of this.tables()) problems.push(...(await this.examine(part)));
    const context: CensusContext = { parts: this.parts, seed: this.seed, heldByDead: heldByDeadOnly(this.parts) };
    for (let shard = 0; shard < this.parts.geometry.shards; shard++) {
      problems.push(...(await this.examine(this.shardPart(context, shard))));
    }
    return problems;
  }

  private lockState(lock: number): LockState {
    const { locks, nodes } = this.parts;
    const owner = locks.ownerOf(lock);
    if (owner < 0) return locks.isDirty(lock) ? 'left' : 'free';
    return nodes.isDead(owner, true) ? 'left' : 'held';
  }

  private async examine(part: CensusPart): Promise<PoolProblem[]> {
    const { locks } = this.parts;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (tries > 0) await this.parts.machine.sleep(PAUSE_MS);
      const hold = locks.wordOf(part.lock);
      const state = this.lockState(part.lock);
      if (state === 'held') continue;
      const print = part.print();
      const findings = new Findings(state === 'left');
      part.walk(findings);
      if (findings.problems.length === 0) return [];
      if (part.print() === print && locks.wordOf(part.lock) === hold) return findings.summed(part.name);
    }
    const findings = new Findings(false);
    findings.add('SHARD_BUSY', part.name, `was being written each of the ${TRIES_MAX} times it was looked at`);
    return findings.problems;
  }

  private printOf(regions: readonly RegionName[], shard?: number): number {
    const { words, geometry } = this.parts;
    let print = 0;
    for (const name of regions) {
      const { word, stride, count } = geometry.regions[name];
      print =
        shard === undefined
          ? checkOfWords(words, word, stride * count, print)
          : checkOfWords(words, word + shard * stride, stride, print);
    }
    return print;
  }

  private shardPart(context: CensusContext, shard: number): CensusPart {
    const { parts } = this;
    return {
      name: `shard ${shard}`,
      lock: shard,
      print: () => this.printOf(SHARD_REGIONS, shard) ^ this.printOfChunks(shard),
      walk: (findings) => {
        const walk = new ShardWalk(context, shard, findings);
        walk.walk();
        new ExtentWalk(parts, shard, walk.states, findings).walk();
      },
    };
  }

  private printOfChunks(shard: number): number {
    const { chunks, words, geometry } = this.parts;
    const { chunkEntries, chunkUses, bitmaps } = geometry.regions;
    let print = 0;
    for (let chunk = 0; chunk < geometry.chunks; chunk++) {
      if (chunks.shard(chunk) !== shard) continue;
      print = checkOfWords(words, chunkEntries.word + chunk * ChunkEntry.words, ChunkEntry.words, print);
      print = checkOfWords(words, chunkUses.word + chunk * chunkUses.stride, chunkUses.stride, print);
      print = checkOfWords(words, bitmaps.word + chunk * bitmaps.stride, bitmaps.stride, print);
    }
    return print;
  }

  private tables(): CensusPart[] {
    const { parts } = this;
    const { shards } = parts.geometry;
    const isLeftBehind = (shard: number) => shard >= 0 && shard < shards && this.lockState(shard) === 'left';
    const nodeRegions: RegionName[] = ['nodeRows', 'nodeCleanings', 'hazardHeads', 'control', 'locks'];
    return [
      {
        name: 'chunk table',
        lock: shards,
        print: () => this.printOf(['control', 'chunkEntries']),
        walk: (findings) => walkChunks(parts, isLeftBehind, findings),
      },
      {
        name: 'space table',
        lock: shards + 1,
        print: () => this.printOf(['control', 'spaces', 'tagCells']),
        walk: (findings) => {
          walkSpaces(parts, findings);
          walkTags(parts, findings);
        },
      },
      {
        name: 'checkpoint directory',
        lock: shards + 3,
        print: () => this.printOf(['checkpoints']),
        walk: (findings) => new CheckpointWalk(parts, this.seed, findings).walk(),
      },
      {
        name: 'node rows',
        lock: shards + 2,
        print: () => this.printOf(nodeRegions),
        walk: (findings) => {
          walkLocks(parts, findings);
          walkNodes(parts, findings);
        },
      },
    ];
  }
}

/** Walks the pool, which is only read. `seed`: of its key hash. */
export function takeCensus(parts: CensusParts, seed: number): Promise<PoolProblem[]> {
  return new Census(parts, seed).run();
}
