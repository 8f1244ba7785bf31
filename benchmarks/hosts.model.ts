/**
 * Hosts with a tier between them, simulated: who asks the tier, who loads, who is told of a write. Each host has one exact cache of its pool's
 * policy, or each of its processes an exact LRU of its part; a page that was written is a miss on every host that has it. A read after
 * the other, processes in turn, everything from the seed. Times are not simulated.
 */
import { createPolicy } from '../adapters/compare/trace/simulate.js';
import type { CachePolicy } from '../adapters/compare/trace/slot-table.js';
import { Random } from './random.js';
import { ZipfKeys } from './sharing.world.js';

export interface Hosts {
  readonly hosts: number;
  readonly processes: number;
  readonly keys: number;
  /** Pages that one host holds, in its pool or in its processes' caches together. */
  readonly held: number;
  readonly arm: 'private' | 'pool';
  /** Of a process: first so many, which fill the caches, then so many. */
  readonly fillingReads: number;
  readonly reads: number;
  /** Keys written, of all hosts together, for each read. */
  readonly writesPerRead: number;
  readonly seed: number;
}

export interface Outcome {
  readonly reads: number;
  /** Of which the tier was asked. */
  readonly misses: number;
  /** What the tier did not have. */
  readonly loads: number;
  /** Different states of different keys that were read. */
  readonly states: number;
  readonly writes: number;
  /** Hosts told, summed over the writes. */
  readonly told: number;
}

interface Cache {
  readonly policy: CachePolicy;
  /** Of the key's state when it was last read here. */
  readonly seen: Uint32Array;
}

/** Requests to the tier: one for each miss, and one more for what was loaded. */
export function requestsOf({ misses, loads }: Outcome): number {
  return misses + loads;
}

class World {
  readonly members: { readonly cache: Cache; readonly zipf: ZipfKeys }[] = [];
  /** Counted from 1, so that nothing is seen at first. */
  readonly state: Uint32Array;
  readonly inTier: Uint32Array;
  counts = { reads: 0, misses: 0, loads: 0, states: 0, writes: 0, told: 0 };
  private readonly hosts: Hosts;
  private readonly random: Random;
  private readonly written: ZipfKeys;
  private readonly met = new Set<number>();

  constructor(hosts: Hosts) {
    this.hosts = hosts;
    this.random = new Random(hosts.seed);
    this.written = new ZipfKeys(hosts.seed * 64 + 63, hosts.keys);
    this.state = new Uint32Array(hosts.keys).fill(1);
    this.inTier = new Uint32Array(hosts.keys);
    const cache = (capacity: number, policy: 'lru' | 'adaptive-2q'): Cache => ({
      policy: createPolicy(policy, capacity),
      seen: new Uint32Array(hosts.keys),
    });
    const perHost = Array.from({ length: hosts.hosts }, () => cache(hosts.held, 'adaptive-2q'));
    for (let process = 0; process < hosts.hosts * hosts.processes; process++) {
      const own = Math.max(1, Math.floor(hosts.held / hosts.processes));
      const isPool = hosts.arm === 'pool';
      this.members.push({
        cache: isPool ? (perHost[process % hosts.hosts] as Cache) : cache(own, 'lru'),
        zipf: new ZipfKeys(hosts.seed * 64 + process, hosts.keys),
      });
    }
  }

  read({ cache, zipf }: World['members'][number]): void {
    const key = zipf.next();
    const state = this.state[key] as number;
    const isHit = cache.policy.access(key) && cache.seen[key] === state;
    cache.seen[key] = state;
    this.counts.reads++;
    this.meet(key, state);
    if (!isHit) this.ask(key, state);
    if (this.random.next() / 2 ** 32 < this.hosts.writesPerRead) this.write();
  }

  private meet(key: number, state: number): void {
    const name = state * this.hosts.keys + key;
    if (this.met.has(name)) return;
    this.met.add(name);
    this.counts.states++;
  }

  private ask(key: number, state: number): void {
    this.counts.misses++;
    if (this.inTier[key] === state) return;
    this.counts.loads++;
    this.inTier[key] = state;
  }

  private write(): void {
    const key = this.written.next();
    this.state[key] = (this.state[key] as number) + 1;
    this.counts.writes++;
    this.counts.told += this.hosts.hosts;
  }

  /** So many reads of each; what was counted before is forgotten, but for the states that were met. */
  run(reads: number): Outcome {
    this.counts = { reads: 0, misses: 0, loads: 0, states: 0, writes: 0, told: 0 };
    for (let read = 0; read < reads; read++) for (const member of this.members) this.read(member);
    return this.counts;
  }
}

/** Of the reads that fill the caches, and of the others. */
export function simulateHosts(hosts: Hosts): { readonly filling: Outcome; readonly filled: Outcome } {
  const world = new World(hosts);
  const filling = world.run(hosts.fillingReads);
  return { filling, filled: world.run(hosts.reads) };
}
