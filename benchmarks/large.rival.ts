/**
 * What `large` compares a remote get with: an object store in the process that made the object, from which the other one
 * fetches it over local TCP. Run as a program with a task as JSON, this file is the process that gets: from the pool, from
 * the store, and, for what reading alone costs, from nowhere, because it has a copy.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, type Page } from '../src/index.js';
import type { Context } from './frame.js';
import { fillWords, KEY, makeObject, sumOf } from './large.node.js';
import { scratchFolder } from './scratch.js';
import { ObjectStore } from './shuffle.store.js';

const SPILL = 'spill';
const NOTHING = new Uint8Array(4);

interface Task {
  readonly path: string;
  readonly folder: string;
  readonly port: number;
  readonly bytes: number;
  readonly seed: number;
  readonly rounds: number;
}

/** Milliseconds, round by round. */
interface Rounds {
  readonly poolGet: number[];
  readonly pool: number[];
  readonly storeGet: number[];
  readonly store: number[];
  readonly own: number[];
  readonly sum: number;
}

async function getRounds({ path, folder, port, bytes, seed, rounds }: Task): Promise<Rounds> {
  const pool = await connect(path);
  const copy = new Uint8Array(bytes);
  fillWords(copy, seed);
  const sum = sumOf(copy);
  const found: Rounds = { poolGet: [], pool: [], storeGet: [], store: [], own: [], sum };
  const timed = async (gets: number[] | undefined, whole: number[], get: () => Promise<Uint8Array> | Uint8Array) => {
    const start = performance.now();
    const got = get();
    const object = got instanceof Uint8Array ? got : await got;
    gets?.push(performance.now() - start);
    if (sumOf(object) !== sum) throw new Error('The object is not the one that was put.');
    whole.push(performance.now() - start);
  };
  for (let round = 0; round < rounds; round++) {
    let page: Page | undefined;
    await timed(found.poolGet, found.pool, () => {
      page = pool.get(KEY);
      return page?.bytes ?? NOTHING;
    });
    page?.release();
    const store = await ObjectStore.open(bytes, join(folder, `${SPILL}-${round}`));
    await timed(found.storeGet, found.store, async () => {
      await store.fetch(port, [{ id: 0, size: bytes }]);
      return store.read(0);
    });
    await store.close();
    await timed(undefined, found.own, () => copy);
  }
  await pool.disconnect();
  return found;
}

/** One process makes the object, in a pool and in its store; another gets and reads it from both, in turns. */
export async function measureRival(cell: string, context: Context, create: { size: number }, bytes: number) {
  const folder = scratchFolder(create.size);
  const path = join(folder, 'pool');
  const pool = await connect(path, { create });
  makeObject(pool, bytes, context.seed);
  const store = await ObjectStore.open(bytes, join(folder, SPILL));
  const object = new Uint8Array(bytes);
  fillWords(object, context.seed);
  await store.put(0, object);
  const rounds = context.pick(2, 7, 21);
  const task: Task = { path, folder, port: store.port, bytes, seed: context.seed, rounds };
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(task)]);
  let found: Rounds | undefined;
  child.on('message', (message) => {
    found = message as Rounds;
  });
  const [code] = await once(child, 'exit');
  await store.close();
  await pool.disconnect();
  if (found === undefined) throw new Error(`The node ended with exit code ${code}.`);
  const add = (what: string, series: Record<string, readonly number[]>) => {
    const name = (arm: string) => `${cell}: ${what}, ${arm}`;
    const arm = 'a store over TCP';
    const baseline = { name: name(arm), series: series[arm] as number[] };
    context.add({ name: baseline.name, unit: 'ms', series: baseline.series });
    for (const other of Object.keys(series)) {
      if (other !== arm) context.add({ name: name(other), unit: 'ms', series: series[other] as number[], baseline });
    }
  };
  add('get', { 'a store over TCP': found.storeGet, 'the pool': found.poolGet });
  add('get and read', { 'a store over TCP': found.store, 'the pool': found.pool, 'a copy it has': found.own });
  context.checked('sum of the words', found.sum);
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  const found = await getRounds(JSON.parse(process.argv[2] ?? '') as Task);
  process.send?.(found, () => process.disconnect());
}
