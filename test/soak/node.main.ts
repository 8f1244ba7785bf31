/** The program of a soak's process: loaded and waiting, until it is told which life to lead; and what it does at rest. */
import { closeSync, openSync } from 'node:fs';
import { connect, PoolError } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { Board } from '../storm/board.js';
import { opened } from '../storm/opening.js';
import { watchWaits } from '../storm/watch.js';
import { random } from '../support/content.js';
import { SoakActor } from './actor.js';
import { Canaries } from './canaries.js';
import { type Figures, type SoakNotice, type SoakOrder, type SoakPlan, TALLIES } from './plan.js';

const TURN_MS = 4;
const HOARD_EVERY = 200;
const EXHAUST_WORDS = 20_000;
const CONNECT_MS = 120_000;
/** Until nothing more goes: what one collection finds dead may hold what the next finds, when its callbacks have run. */
const COLLECTIONS_MIN = 5;
const COLLECTIONS_MAX = 15;
const COLLECTION_MS = 10;

let over = false;
let rest = 0;
let resume: () => void = () => {};

function say(notice: SoakNotice | { ready: true } | { row: number }): void {
  process.send?.(notice);
}

/** Lets timers and messages in. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function figuresOf(pool: AttachedPool): Promise<Figures> {
  const { gc } = globalThis as { gc?: () => void };
  let external = Number.POSITIVE_INFINITY;
  for (let i = 0; i < COLLECTIONS_MAX; i++) {
    gc?.();
    await new Promise((resolve) => setTimeout(resolve, COLLECTION_MS));
    const before = external;
    external = process.memoryUsage().external;
    if (i >= COLLECTIONS_MIN && external >= before) break;
  }
  const { heapUsed } = process.memoryUsage();
  return {
    heapBytes: heapUsed,
    externalBytes: external,
    nearEntries: pool.session.reader.near.size,
    resources: process.getActiveResourcesInfo().length,
  };
}

/** Opens whatever may be opened, and finds that connect says so; then gives it back. */
async function useUpDescriptors(plan: SoakPlan, board: Board): Promise<void> {
  const open: number[] = [];
  try {
    for (;;) open.push(openSync('/dev/null', 'r'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EMFILE') throw error;
  }
  try {
    const pool = await connect(plan.scene.poolPath);
    await pool.disconnect();
  } catch (error) {
    if (!(error instanceof PoolError)) throw new Error(`without descriptors: ${(error as Error).stack}`);
  }
  for (const descriptor of open) closeSync(descriptor);
  board.tally(plan.seat, TALLIES.indexOf('descriptors used up'));
}

async function live(plan: SoakPlan): Promise<void> {
  const { scene, seat, nearEntries } = plan;
  const board = new Board(scene.boardPath, scene.shape);
  board.leaveOperation(seat);
  board.count(seat, 'lives');
  watchWaits(board, seat);
  if (plan.lacksDescriptors === true) await useUpDescriptors(plan, board);
  const started = performance.now();
  const near = nearEntries === undefined ? {} : { nearEntries };
  const pool = (await connect(scene.poolPath, {
    name: `seat-${seat}`,
    timeoutMs: CONNECT_MS,
    ...near,
  })) as AttachedPool;
  board.record(seat, 'connect', performance.now() - started);
  const below = random(plan.seed);
  const actor = opened(() => new SoakActor(pool, board, plan, below));
  const canaries = new Canaries(pool, plan);
  const heap: number[][] = [];
  say({ row: pool.node.id });
  for (let turn = 0; !over; turn++) {
    const end = performance.now() + TURN_MS;
    while (performance.now() < end) await actor.act();
    if (plan.hoards === true && turn % HOARD_EVERY === 0) actor.hoard();
    if (plan.exhausts === true) heap.push(new Array(EXHAUST_WORDS).fill(turn));
    await breathe();
    canaries.sing(rest > 0);
    if (rest > 0) await beAtRest(pool, actor);
  }
  await actor.rest();
  await pool.disconnect();
}

async function beAtRest(pool: AttachedPool, actor: SoakActor): Promise<void> {
  await actor.rest();
  const resumed = new Promise<void>((resolve) => {
    resume = resolve;
  });
  const figures = await figuresOf(pool);
  say({ rested: rest, figures });
  rest = 0;
  await resumed;
}

process.on('message', (order: SoakOrder) => {
  if ('leave' in order) over = true;
  else if ('rest' in order) rest = order.rest;
  else if ('resume' in order) resume();
  else {
    live(order.go as SoakPlan).then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error instanceof Error ? error.stack : String(error));
        process.exit(3);
      },
    );
  }
});
process.on('disconnect', () => process.exit(0));
say({ ready: true });
