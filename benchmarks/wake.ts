/**
 * Question: how long does a node go on sleeping after what it waits for is there?
 *
 * Two processes wake each other in turns: one seals a page that the other waits for, or is told of by its subscription,
 * and the other answers likewise. Beside it, in the same rounds, the same two processes do it with a byte through a pair
 * of pipes, which is the least that waking a process of Node costs. A figure is half a round trip: publishing, the
 * kernel's wake-up and the event loop's. The last cell kills a process in the middle of a load that another waits for.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, type Pool, SharedCache } from '../src/index.js';
import type { Benchmark, Context, Series } from './frame.js';
import { type Arm, addFigures, interleave, type Sample } from './interleave.js';
import { scratchFolder } from './scratch.js';
import { BODY, EVENT_TO_MAIN, EVENT_TO_PEER, keyOf, STUCK, WAIT_TO_MAIN, WAIT_TO_PEER } from './wake.peer.js';

const MIB = 1024 * 1024;
const CELLS = ['turns', 'killed loader'] as const;
const PIPE = 'a byte through a pipe';
const WAIT = 'a page that waitFor waits for';
const EVENT = 'an event of a subscription';
const WAKE_GOAL_MS = '<= 1';
const TAKEOVER_GOAL_MS = '<= 100';

interface World {
  readonly pool: Pool;
  readonly path: string;
}

async function makeWorld(): Promise<World> {
  const size = 64 * MIB;
  const path = join(scratchFolder(size), 'pool');
  return { path, pool: await connect(path, { create: { size, pageSize: 4096, maxNodes: 16 } }) };
}

function startPeer(path: string, what: string): ChildProcess {
  const program = fileURLToPath(new URL('wake.peer.js', import.meta.url));
  return fork(program, [path, what], { stdio: ['pipe', 'pipe', 'inherit', 'ipc'] });
}

/** So many turns, each of which must bring its own number back. */
async function turns(count: number, turn: () => Promise<boolean>): Promise<Sample> {
  const start = performance.now();
  for (let i = 0; i < count; i++) if (!(await turn())) throw new Error('It was woken by something else.');
  const elapsed = performance.now() - start;
  return { overriddenDuration: elapsed / count / 2, overriddenIterationCost: elapsed };
}

function pipeArm(peer: ChildProcess, count: number): Arm {
  let woken: (isRight: boolean) => void = () => {};
  peer.stdout?.on('data', (data: Buffer) => woken(data.length === 1));
  const turn = () =>
    new Promise<boolean>((resolve) => {
      woken = resolve;
      peer.stdin?.write(BODY);
    });
  return { name: PIPE, isAsync: true, batch: () => turns(count, turn) };
}

function waitArm(pool: Pool, count: number): Arm {
  let next = 0;
  const turn = async () => {
    const i = next++;
    pool.put(keyOf(WAIT_TO_PEER, i), BODY);
    using page = await pool.waitFor(keyOf(WAIT_TO_MAIN, i));
    return page.key === keyOf(WAIT_TO_MAIN, i);
  };
  return { name: WAIT, isAsync: true, batch: () => turns(count, turn) };
}

function eventArm(pool: Pool, count: number): Arm {
  const events = pool.subscribe({ prefix: EVENT_TO_MAIN })[Symbol.asyncIterator]();
  let next = 0;
  const turn = async () => {
    const i = next++;
    pool.put(keyOf(EVENT_TO_PEER, i), BODY);
    const { value } = await events.next();
    return value.type === 'sealed' && value.key === keyOf(EVENT_TO_MAIN, i);
  };
  return { name: EVENT, isAsync: true, batch: () => turns(count, turn) };
}

async function measureTurns(context: Context): Promise<void> {
  const { pool, path } = await makeWorld();
  const peer = startPeer(path, 'answer');
  await once(peer, 'message');
  const count = context.pick(5, 50);
  const arms = [pipeArm(peer, count), waitArm(pool, count), eventArm(pool, count)];
  const measured = await interleave(
    arms,
    { rounds: context.pick(3, 61, 201), sliceMs: 0, warmupRounds: context.pick(1, 5) },
    context,
  );
  addFigures(context, measured, {
    prefix: 'turns: ',
    unit: 'µs',
    from: (ms) => ms * 1e3,
    baselineOf: () => PIPE,
  });
  for (const name of [WAIT, EVENT]) {
    context.add({
      name: `turns: ${name}, alone`,
      unit: 'ms',
      series: measured.get(name) as Series,
      goal: WAKE_GOAL_MS,
    });
  }
  context.checked('turns', arms.length * count);
  await pool.disconnect();
  peer.disconnect();
  await once(peer, 'exit');
}

/** Milliseconds from the kill until the loader that waited runs, and until the kernel has the end of the process known. */
async function killLoader(cache: SharedCache, path: string): Promise<{ takeoverMs: number; exitMs: number }> {
  const peer = startPeer(path, 'load');
  await once(peer, 'message');
  let killedAt = 0;
  let takenAt = 0;
  const waiting = cache.fetch(STUCK, () => {
    takenAt = performance.now();
    return BODY;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  const ended = once(peer, 'exit').then(() => performance.now());
  killedAt = performance.now();
  peer.kill('SIGKILL');
  (await waiting).release();
  const endedAt = await ended;
  if (takenAt < killedAt) throw new Error('It loaded while another still did.');
  cache.delete(STUCK);
  return { takeoverMs: takenAt - killedAt, exitMs: endedAt - killedAt };
}

async function measureTakeover(context: Context): Promise<void> {
  const { pool, path } = await makeWorld();
  const cache = new SharedCache(pool);
  const rounds: { takeoverMs: number; exitMs: number }[] = [];
  for (let i = 0; i < context.pick(2, 31); i++) rounds.push(await killLoader(cache, path));
  const series = rounds.map(({ takeoverMs }) => takeoverMs);
  const name = 'killed loader: from the kill to the load of one who waited';
  context.add({ name, unit: 'ms', series, goal: TAKEOVER_GOAL_MS });
  context.add({ name: `${name}, slowest`, unit: 'ms', series: [Math.max(...series)], goal: TAKEOVER_GOAL_MS });
  const exits = rounds.map(({ exitMs }) => exitMs);
  context.add({ name: 'killed loader: from the kill to the exit event of its parent', unit: 'ms', series: exits });
  context.checked('loaders killed', rounds.length);
  await pool.disconnect();
}

export const benchmark: Benchmark = {
  question: 'How long does a node go on sleeping after what it waits for is there?',
  cells: () => CELLS,
  run: (cell, context) => (cell === CELLS[0] ? measureTurns(context) : measureTakeover(context)),
};
