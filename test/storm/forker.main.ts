/**
 * The program that forks nodes. Arguments: the scene as JSON. It warms up on a small pool of its own, so that its children
 * begin with compiled code, then does what the board's desks say, without an event loop from then on.
 */
import { rmSync, writeSync } from 'node:fs';
import { connect } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { random } from '../support/content.js';
import { Actor } from './actor.js';
import { Board } from './board.js';
import { forkNow, leaveNow, reap } from './fork.js';
import { liveAtOnce } from './life.js';
import type { Fuse, LifePlan, Scene } from './plan.js';

const WARM_ROUNDS = 20_000;
const WARM_REPAIRS = 40;
const SIGNAL_BITS = 7;

interface Told {
  readonly scene: Scene;
  readonly seats: number;
}

const BIRTH_PAUSE_MS = 0.2;
const forker = process.pid;
const nap = new Int32Array(new SharedArrayBuffer(4));

const told = JSON.parse(process.argv[2] ?? '') as Told;
const { scene, seats } = told;

async function warmUp(): Promise<void> {
  const boardPath = `${scene.poolPath}.warm.board`;
  const poolPath = `${scene.poolPath}.warm`;
  const shape = { ownKeys: 800, ownPages: 100, sources: 100 };
  const warm = { ...scene, poolPath, boardPath, shape, sharedKeys: 500, largeKeys: 2, largeBytesMax: 300_000 };
  const board = Board.create(boardPath, shape);
  const pool = (await connect(poolPath, { create: { size: '8MiB', pageSize: 4096 } })) as AttachedPool;
  const actor = new Actor(pool, board, { scene: warm, seat: 0, seats: 1, seed: 1 }, random(1));
  for (let i = 0; i < WARM_ROUNDS; i++) await actor.act();
  actor.end();
  // By themselves they would compile it while they hold the lock, where a program of its own has other threads for that.
  const { locks, geometry } = pool.session.parts;
  for (let round = 0; round < WARM_REPAIRS; round++) {
    const shard = round % geometry.shards;
    locks.acquire(shard);
    pool.session.repair.repair(shard);
    locks.release(shard);
  }
  await pool.disconnect();
  rmSync(poolPath);
  rmSync(boardPath);
}

function planAt(board: Board, seat: number): LifePlan {
  const where = (['none', 'lock', 'repair'] as const)[board.readDesk(seat, 'fuse')];
  const stores = board.readDesk(seat, 'stores');
  const fuse: Fuse | undefined = where === 'lock' || where === 'repair' ? { where, stores } : undefined;
  const is = (field: 'fill' | 'prefault') => board.readDesk(seat, field) === 1;
  const seed = board.readDesk(seat, 'seed');
  const plan = { ...told, seat, seed, fill: is('fill'), prefault: is('prefault') };
  return fuse === undefined ? plan : { ...plan, fuse };
}

/** The whole life of a child. */
function bear(board: Board, seat: number): never {
  try {
    // Its parent may yet find that memory is missing in it.
    while (board.readDesk(seat, 'pid') !== process.pid) {
      if (process.ppid !== forker) leaveNow(4);
      Atomics.wait(nap, 0, 0, BIRTH_PAUSE_MS);
    }
    liveAtOnce(
      planAt(board, seat),
      board,
      () => board.readDesk(seat, 'leave') === 1,
      (row) => board.writeDesk(seat, 'row', row + 1),
    );
  } catch (error) {
    writeSync(2, `${error instanceof Error ? error.stack : String(error)}\n`);
    leaveNow(3);
  }
  leaveNow(0);
}

/** Never returns: forks where an order has come, and reaps. */
function serve(board: Board): never {
  const done = new Array<number>(seats).fill(0);
  const children = new Map<number, number>();
  const parent = process.ppid;
  for (;;) {
    for (let seat = 0; seat < seats; seat++) {
      const order = board.readDesk(seat, 'order');
      if (order === done[seat]) continue;
      done[seat] = order;
      const id = forkNow();
      if (id === 0) bear(board, seat);
      children.set(id, seat);
      board.writeDesk(seat, 'pid', id);
    }
    for (let gone = reap(); gone !== undefined; gone = reap()) {
      const seat = children.get(gone.id);
      children.delete(gone.id);
      // One more than signal and code, so that 0 is no ending.
      if (seat !== undefined) board.writeDesk(seat, 'ended', ((gone.code << SIGNAL_BITS) | gone.signal) + 1);
    }
    if (process.ppid !== parent) leaveNow(4);
    Atomics.wait(nap, 0, 0, 0.5);
  }
}

const board = new Board(scene.boardPath, scene.shape);
await warmUp();
writeSync(1, 'warm\n');
setImmediate(() => serve(board));
