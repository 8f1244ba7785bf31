/** A simulated node: the product's own pool and cache over the simulated machine. */
import { SharedCache } from '../../src/cache/index.js';
import type { PageSpace } from '../../src/cache/types.js';
import { attach } from '../../src/pool/attach.js';
import { Checkpoints } from '../../src/pool/checkpoints.js';
import { NodeSession } from '../../src/pool/node.js';
import { AttachedPool } from '../../src/pool/pool.js';
import type { PoolInfo } from '../../src/pool/types.js';
import { Upkeep } from '../../src/pool/upkeep.js';
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

/** Takes a row and cleans up after its dead owner, then after every dead node it finds. */
export function attachSimulated(world: World, options: NodeOptions): SimulatedNode {
  const { stepper, buffer } = options;
  const { geometry, control, memory } = world;
  const words = new SteppedWords(memory.metadata as unknown as ArrayBuffer, geometry.dataOffset, stepper, buffer);
  const machine = new SimulatedMachine(control, stepper);
  const segment = world.segment(words, () => {
    stepper.step(true, -1);
    stepper.stored(-1);
  });
  const liveness = new SimulatedLiveness(control, stepper);
  const nearEntries = options.nearEntries ?? 64;
  const attached = attach(segment, machine, liveness, { name: options.name, nearEntries, copies: false });
  const session = new NodeSession('simulated', SEED, attached);
  // Its constructor cleans up, which no scheduler could interrupt: it is done below instead.
  liveness.isBlind = true;
  const pool = new AttachedPool(session, { path: 'simulated' } as PoolInfo);
  liveness.isBlind = false;
  const upkeep = new Upkeep(session, new Checkpoints(session));
  upkeep.cleanDead(true);
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
