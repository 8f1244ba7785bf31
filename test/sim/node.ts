/** A simulated node: the product's own pool and cache over the simulated machine. */
import { SharedCache } from '../../src/cache/index.js';
import type { PageSpace } from '../../src/cache/types.js';
import { attach } from '../../src/pool/attach.js';
import type { Checkpoints } from '../../src/pool/checkpoints/checkpoints.js';
import type { PoolInfo } from '../../src/pool/layout/types.js';
import { AttachedPool } from '../../src/pool/pool.js';
import { Upkeep } from '../../src/pool/recovery/upkeep.js';
import { NodeSession } from '../../src/pool/session/node.js';
import { SimulatedLiveness, SimulatedMachine, type Waiting } from './machine.js';
import { SteppedWords, type Stepper, type StoreBuffer } from './stepper.js';
import type { SimulatedSegment, World } from './world.js';

/** Of the key hash. */
export const SEED = 77;

export interface NodeOptions {
  readonly name: string;
  readonly stepper: Stepper & Waiting;
  readonly buffer?: StoreBuffer;
  readonly nearEntries?: number;
  /** Of its kernel; 1 unless it says otherwise. */
  readonly boot?: number;
}

export interface SimulatedNode {
  readonly machine: SimulatedMachine;
  readonly segment: SimulatedSegment;
  readonly session: NodeSession;
  readonly pool: AttachedPool;
  readonly upkeep: Upkeep;
  readonly row: number;
  readonly cache: SharedCache;
  /** Pages of 96 bytes. */
  readonly pages: PageSpace;
}

/** The simulated machine as one node has it. */
export function machineOf(world: World, options: NodeOptions) {
  const { stepper, buffer } = options;
  const { geometry, control, memory } = world;
  const words = new SteppedWords(memory.metadata as unknown as ArrayBuffer, geometry.dataOffset, stepper, buffer);
  const machine = new SimulatedMachine(control, stepper, options.boot);
  const segment = world.segment(words, () => {
    stepper.step(true, -1);
    stepper.stored(-1);
  });
  return { machine, segment, liveness: new SimulatedLiveness(control, stepper) };
}

/** Takes a row and cleans up after its dead owner, then after every dead node it finds. */
export function attachSimulated(world: World, options: NodeOptions): SimulatedNode {
  const { machine, segment, liveness } = machineOf(world, options);
  const nearEntries = options.nearEntries ?? 64;
  const attached = attach(segment, machine, liveness, { name: options.name, nearEntries, copies: 'none' });
  const session = new NodeSession('simulated', SEED, attached);
  // Its constructor cleans up, which no scheduler could interrupt: it is done below instead.
  liveness.isBlind = true;
  const pool = new AttachedPool(session, { path: 'simulated' } as PoolInfo);
  liveness.isBlind = false;
  // The pool's own, which know what it is writing.
  const upkeep = new Upkeep(session, (pool as unknown as { named: Checkpoints }).named);
  upkeep.cleanDead(true);
  // By chance, where it would be by what is read and fenced, of which there is too little here.
  const { control } = world;
  const chance = () => control.fencesEverybody && control.chance() < 0.75;
  session.reader.hazards.choice = { borrowed: () => {}, isLight: chance };
  // As in shards of an ordinary size.
  session.writer.evictor.aheadMin = 2;
  return new PoolAndCache({ machine, segment, session, pool, upkeep });
}

class PoolAndCache implements SimulatedNode {
  readonly machine: SimulatedMachine;
  readonly segment: SimulatedSegment;
  readonly session: NodeSession;
  readonly pool: AttachedPool;
  readonly upkeep: Upkeep;
  readonly row: number;
  private opened: SharedCache | undefined;
  private space: PageSpace | undefined;

  constructor(made: Pick<SimulatedNode, 'machine' | 'segment' | 'session' | 'pool' | 'upkeep'>) {
    this.machine = made.machine;
    this.segment = made.segment;
    this.session = made.session;
    this.pool = made.pool;
    this.upkeep = made.upkeep;
    this.row = made.session.parts.nodes.self;
  }

  get cache(): SharedCache {
    this.opened ??= new SharedCache(this.pool);
    return this.opened;
  }

  get pages(): PageSpace {
    this.space ??= this.cache.pages('p', { pageSize: 96 });
    return this.space;
  }
}
