/**
 * One life of a node: it connects, works, and goes on until it is killed or told to leave. Nothing is kept from before.
 * `live` is the life of an ordinary process or worker; `liveAtOnce` that of a forked one, which has no event loop: what
 * waits for a timer there waits for ever, and upkeep comes when this says so.
 */
import { Deadline, LinuxMachine } from '../../lib/linux/index.js';
import { connect } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { random } from '../support/content.js';
import { actorFor, type StormActor } from './actors.js';
import { Board } from './board.js';
import { opened } from './opening.js';
import type { LifePlan } from './plan.js';
import { lightFuse, watchWaits } from './watch.js';

const TURN_MS = 4;
const UPKEEP_MS = 1000;
const JOIN_PAUSE_MS = 2;
/** Joining is one at a time, and a machine with many more processes than processors takes its time. */
const CONNECT_MS = 600_000;

/** Lets timers and messages in. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function begin(plan: LifePlan, board: Board): Promise<{ pool: AttachedPool; actor: StormActor }> {
  const { scene, seat } = plan;
  board.leaveOperation(seat);
  board.count(seat, 'lives');
  watchWaits(board, seat);
  if (plan.fuse !== undefined) lightFuse(plan.fuse, board, seat);
  const started = performance.now();
  const prefault = plan.prefault === true ? 'sync' : 'none';
  const pool = (await connect(scene.poolPath, {
    name: `seat-${seat}`,
    prefault,
    timeoutMs: CONNECT_MS,
  })) as AttachedPool;
  board.record(seat, 'connect', performance.now() - started);
  return { pool, actor: opened(() => actorFor(pool, board, plan, random(plan.seed))) };
}

export async function live(plan: LifePlan, isOver: () => boolean, onConnected: (row: number) => void): Promise<void> {
  const board = new Board(plan.scene.boardPath, plan.scene.shape);
  const { pool, actor } = await begin(plan, board);
  onConnected(pool.node.id);
  if (plan.fill === true) actor.fill();
  while (!isOver() && plan.fill !== true) {
    const end = performance.now() + TURN_MS;
    while (performance.now() < end) await actor.act();
    await breathe();
  }
  actor.end();
  await pool.disconnect();
}

/** What Node does when a run of the event loop ends. */
function endRun(): void {
  (process as unknown as { _tickCallback(): void })._tickCallback();
}

/** Runs the promise to its end. It may wait for nothing but other promises. */
function settleNow<T>(promise: Promise<T>): T {
  let outcome: { value: T } | { error: unknown } | undefined;
  promise.then(
    (value) => {
      outcome = { value };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  while (outcome === undefined) endRun();
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

export function liveAtOnce(
  plan: LifePlan,
  board: Board,
  isOver: () => boolean,
  onConnected: (row: number) => void,
): void {
  // The wait for another process that joins, without the timer.
  const nap = new Int32Array(new SharedArrayBuffer(4));
  Deadline.prototype.wait = async () => void Atomics.wait(nap, 0, 0, JOIN_PAUSE_MS);
  // And the turns that connect lets the event loop have.
  const { sleep } = LinuxMachine.prototype;
  LinuxMachine.prototype.sleep = () => Promise.resolve();
  const { pool, actor } = settleNow(begin(plan, board));
  LinuxMachine.prototype.sleep = sleep;
  const { upkeep } = pool as unknown as { upkeep: { tick(): void } };
  onConnected(pool.node.id);
  if (plan.fill === true) actor.fill();
  let failure: unknown;
  let nextUpkeep = performance.now() + UPKEEP_MS;
  while (!isOver() && plan.fill !== true) {
    // A fetch may wait for ever for another's load; it is left behind.
    actor.act().catch((error: unknown) => {
      failure ??= error;
    });
    endRun();
    if (failure !== undefined) throw failure;
    if (performance.now() < nextUpkeep) continue;
    upkeep.tick();
    nextUpkeep += UPKEEP_MS;
  }
  actor.end();
  settleNow(pool.disconnect());
}
