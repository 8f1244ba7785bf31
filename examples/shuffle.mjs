/**
 * A distributed sort: every node deals its numbers out by range, then each collects one range from all others and sorts it.
 * What they exchange lies in the pool; nothing is sent.
 *
 *   npm run build && node examples/shuffle.mjs
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { connect, destroy } from 'sealpool';

const NODES = 4;
const NUMBERS_OF_NODE = 250_000;

/** A Uint32Array over the page's own bytes. */
const numbersOf = (page) => new Uint32Array(page.bytes.buffer, page.bytes.byteOffset, page.size / 4);

/** Some numbers, different on every node, the same in every run. */
function* inputOf(node) {
  let state = node + 1;
  for (let i = 0; i < NUMBERS_OF_NODE; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    yield state >>> 0;
  }
}

/** Deals out this node's numbers: one object for each range. The two highest bits of a number are its range. */
function map(pool, node) {
  const ranges = Array.from({ length: NODES }, () => []);
  for (const number of inputOf(node)) ranges[number >>> 30].push(number);
  ranges.forEach((numbers, range) => {
    const draft = pool.create(`piece/${node}/${range}`, numbers.length * 4);
    new Uint32Array(draft.bytes.buffer, draft.bytes.byteOffset, numbers.length).set(numbers);
    draft.seal();
  });
}

/** Waits for this node's range from everybody, and sorts it straight into a new object. */
async function reduce(pool, range) {
  const keys = Array.from({ length: NODES }, (_, node) => `piece/${node}/${range}`);
  const pieces = await pool.waitForMany(keys);
  const count = pieces.reduce((sum, piece) => sum + piece.size / 4, 0);
  const draft = pool.create(`sorted/${range}`, count * 4);
  const sorted = new Uint32Array(draft.bytes.buffer, draft.bytes.byteOffset, count);
  let at = 0;
  for (const piece of pieces) {
    sorted.set(numbersOf(piece), at);
    at += numbersOf(piece).length;
    piece.release();
  }
  sorted.sort();
  draft.seal();
}

async function worker(path, node) {
  const pool = await connect(path, { name: `node ${node}` });
  map(pool, node);
  await reduce(pool, node);
  await pool.disconnect();
}

async function main(path) {
  // An object that is still wanted must not be evicted: with 'none' a full pool says so instead.
  const pool = await connect(path, { create: { size: '32MiB', pageSize: 65_536, eviction: 'none' } });
  const workers = Array.from({ length: NODES }, (_, node) => fork(fileURLToPath(import.meta.url), [path, node]));
  const ended = Promise.all(workers.map((worker) => once(worker, 'exit')));
  const sorted = await pool.waitForMany(workers.map((_, range) => `sorted/${range}`));
  const numbers = sorted.flatMap((page) => Array.from(numbersOf(page)));
  const inOrder = numbers.every((number, i) => i === 0 || numbers[i - 1] <= number);
  console.log(`${numbers.length} numbers from ${NODES} processes, in order: ${inOrder}`);
  console.log(`smallest ${numbers[0]}, largest ${numbers.at(-1)}`);
  for (const page of sorted) page.release();
  await ended;
  await pool.disconnect();
  await destroy(path);
}

const [path, node] = process.argv.slice(2);
await (path === undefined ? main(`/dev/shm/sealpool-shuffle-${process.pid}`) : worker(path, Number(node)));
