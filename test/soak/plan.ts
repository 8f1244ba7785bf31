/** What a soak is made of: its scene, what its nodes are told and tell, what is counted. */
import { type LifePlan, type Order, type Scene, sceneFor } from '../storm/plan.js';

/** Places of a seat beyond those of a storm: keys that are never evicted, and one for its checkpoint. */
export const KEPT_KEYS = 12;
export const CHECKPOINT_PLACE = KEPT_KEYS;
const OTHER_PLACES = KEPT_KEYS + 1;
export const BRIEF_KEYS = 8;
export const RELATION_PAGES = 64;

/** What the nodes count on the board, beside the storm's kinds of operations. */
export const TALLIES = [
  ...(['kept reads', 'kept writes', 'brief reads', 'waits', 'events', 'events missed', 'checkpoints'] as const),
  ...(['restores', 'bad loads', 'handles', 'read-only nodes', 'pools of its own', 'drops', 'inspections'] as const),
  ...(['overflow', 'vm timeout', 'refused', 'descriptors used up', 'pinned all it could'] as const),
] as const;
export type Tally = (typeof TALLIES)[number];

/** Faults that a soak must notice: put into one node that lives long. */
export const CANARIES = [
  ...(['stale', 'torn', 'missing', 'event', 'pin', 'draft', 'lock'] as const),
  ...(['memory', 'outside', 'descriptors', 'mappings', 'files'] as const),
] as const;
export type Canary = (typeof CANARIES)[number];

/** What may be left out, to find which of them it takes. */
export const DISTURBANCES = [
  ...(['overflow', 'timeout', 'stop', 'kill', 'leave', 'exit', 'exhaust', 'descriptors', 'hoard'] as const),
  ...(['handle', 'checkpoint', 'load', 'wait', 'subscribe', 'drop', 'brief', 'kept'] as const),
] as const;
export type Disturbance = (typeof DISTURBANCES)[number];

export interface SoakPlan extends LifePlan {
  /** It lives as long as the soak. */
  readonly survives: boolean;
  readonly nearEntries?: number;
  /** It ends when its heap does. */
  readonly exhausts?: boolean;
  /** Pins whatever it can and forgets it. */
  readonly hoards?: boolean;
  /** Its process has so few descriptors that it uses them up before it connects. */
  readonly lacksDescriptors?: boolean;
  readonly without: readonly Disturbance[];
  readonly canary?: Canary;
}

export type SoakOrder = Order | { readonly rest: number } | { readonly resume: true };

/** What a node at rest says of itself, after a collection of garbage. */
export interface Figures {
  readonly heapBytes: number;
  /** Of the engine outside its heap, mapped pools included. */
  readonly externalBytes: number;
  readonly nearEntries: number;
  /** Timers, sockets and requests of the event loop. */
  readonly resources: number;
}

export type SoakNotice = { readonly rested: number; readonly figures: Figures };

export function soakSceneFor(poolPath: string, boardPath: string, poolBytes: number, seats: number): Scene {
  const scene = sceneFor(poolPath, boardPath, poolBytes, seats);
  return { ...scene, shape: { ...scene.shape, others: OTHER_PLACES, tallies: TALLIES.length } };
}
