/**
 * The life of a slot: which state may follow which.
 *
 * | from    | to      | by                                                                                       |
 * |---------|---------|------------------------------------------------------------------------------------------|
 * | free    | draft   | create, which takes the slot to its next generation in the same store (`writeDraft`)     |
 * | draft   | sealed  | seal                                                                                     |
 * | draft   | free    | abort, a stale or outdated seal, the end of an owner                                     |
 * | sealed  | retired | delete, eviction, expiry, supersede                                                      |
 * | retired | free    | reclaim, once a scan has found nobody holding the page                                   |
 *
 * Repair and restore go by what they read, which may be anything: they free what they do not believe, and retire first
 * what somebody may be reading. A draft nobody reads, so it is never retired.
 */
import { STATE_DRAFT, STATE_FREE, STATE_MASK, STATE_RETIRED, STATE_SEALED } from '../layout/index.js';

/** As [from, to]. */
const STEPS = [
  [STATE_FREE, STATE_DRAFT],
  [STATE_DRAFT, STATE_SEALED],
  [STATE_DRAFT, STATE_FREE],
  [STATE_SEALED, STATE_RETIRED],
  [STATE_RETIRED, STATE_FREE],
] as const;

/** Every value that the bits of a state can have. */
const ANY_STATE = Array.from({ length: STATE_MASK + 1 }, (_, state) => state);

const FORCED_STEPS = ANY_STATE.flatMap((read) =>
  read === STATE_DRAFT
    ? [[read, STATE_FREE] as const]
    : ([
        [read, STATE_FREE],
        [read, STATE_RETIRED],
      ] as const),
);

/** For each `from` a bit for each `to`. */
function tableOf(steps: readonly (readonly [from: number, to: number])[]): Uint8Array {
  const table = new Uint8Array(STATE_MASK + 1);
  for (const [from, to] of steps) table[from] = (table[from] as number) | (1 << to);
  return table;
}

const steps = tableOf(STEPS);
const forced = tableOf(FORCED_STEPS);

/** Whether a slot in the one state may become the other. */
export function isStep(from: number, to: number): boolean {
  return (((steps[from] as number) >>> to) & 1) === 1;
}

/** Whether repair or restore, having read the one state, may make the slot the other. */
export function isForcedStep(read: number, to: number): boolean {
  return (((forced[read] as number) >>> to) & 1) === 1;
}

// By a bit for each state, without a branch: which states there are is met late, and would cost the code of all that this is compiled into.
const LIVE = (1 << STATE_SEALED) | (1 << STATE_DRAFT);

/** Whether a slot in the state has its key, so that nobody else can. */
export function hasKey(state: number): boolean {
  return ((LIVE >> state) & 1) === 1;
}
