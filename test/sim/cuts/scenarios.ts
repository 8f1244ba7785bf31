/** Operations that are cut short besides those that are killed: what changes the private books of a node. */
import { contentOf } from '../content.js';
import { CORNERS } from '../crash/corners.js';
import { LONG_KEY_SCENARIOS } from '../crash/longkeys.js';
import { KEYS, keyOf, put, SCENARIOS, type Scenario, set } from '../crash/scenarios.js';
import { TAG_SCENARIOS } from '../crash/tags.js';
import type { SimulatedNode } from '../node.js';

function know(node: SimulatedNode, count: number): void {
  for (let index = 0; index < count; index++) {
    node.pool.get(keyOf(index))?.release();
    node.cache.borrow(KEYS[index] as string);
  }
  node.machine.endRun();
}

/** Borrows of three keys in turn until one that is not remembered is about to be. */
const FULL_CHANCES = 24;

const PRIVATE: readonly Scenario[] = [
  {
    name: 'a get of what another node has superseded and deleted',
    prepare: ({ doomed, survivor }) => {
      for (let index = 0; index < 3; index++) set(survivor, index, index + 1);
      know(doomed, 3);
      set(survivor, 0, 4);
      survivor.cache.delete('b');
    },
    act: ({ doomed }) => {
      doomed.cache.borrow('c');
      doomed.cache.borrow('a');
      doomed.cache.has('b');
    },
    allows: { 0: [4], 1: [0], 2: [3] },
  },
  {
    name: 'a get far behind the retire log',
    prepare: ({ doomed, survivor }) => {
      for (let index = 0; index < 3; index++) set(survivor, index, index + 1);
      know(doomed, 3);
      for (let value = 4; value < 12; value++) set(survivor, 0, value);
    },
    act: ({ doomed }) => {
      doomed.cache.borrow('b');
      doomed.cache.borrow('a');
    },
    allows: { 0: [11], 1: [2], 2: [3] },
  },
  {
    name: 'a get of what another node has cleared',
    prepare: ({ doomed, survivor }) => {
      for (let index = 0; index < 3; index++) set(survivor, index, index + 1);
      know(doomed, 3);
      survivor.cache.clear();
    },
    act: ({ doomed }) => {
      doomed.cache.borrow('a');
      doomed.cache.borrow('b');
    },
  },
  {
    name: 'a get where the near index is full',
    nearEntries: 2,
    prepare: ({ doomed, survivor }) => {
      for (let index = 0; index < 3; index++) set(survivor, index, index + 1);
      // One of thirty-two is taken in where there is no room: the next is.
      for (let chance = 0; chance < FULL_CHANCES; chance++) doomed.cache.borrow(KEYS[chance % 3] as string);
      doomed.machine.endRun();
    },
    act: ({ doomed }) => {
      for (let chance = 0; chance < 6; chance++) doomed.cache.borrow(KEYS[chance % 3] as string);
    },
    allows: { 0: [0, 1], 1: [0, 2], 2: [0, 3] },
  },
  {
    name: 'two key forms of one page',
    holds: [1, 2],
    act: ({ doomed }) => {
      const bytes = new TextEncoder().encode(keyOf(0));
      doomed.pool.get(keyOf(0))?.release();
      doomed.pool.get(bytes)?.release();
      doomed.pool.get(bytes)?.release();
      doomed.pool.delete(keyOf(0));
      doomed.pool.has(bytes);
      doomed.pool.has(keyOf(0));
    },
    allows: { 0: [0, 1] },
  },
  {
    name: 'several pins of several pages',
    holds: [1, 2, 3],
    act: ({ doomed }) => {
      const pages = [0, 1, 0, 2].map((index) => doomed.pool.get(keyOf(index)));
      pages[0]?.release();
      pages[1]?.release();
      doomed.pool.get(keyOf(1))?.release();
      pages[2]?.release();
      for (const page of doomed.pool.getMany([keyOf(0), keyOf(1), 'nothing'])) page?.release();
      pages[3]?.release();
    },
  },
  {
    name: 'borrows over the end of a run',
    holds: [1, 2, 3],
    prepare: ({ doomed }) => {
      for (const index of [0, 1, 2]) doomed.cache.set(KEYS[index + 3] as string, contentOf(index + 3, 4));
      doomed.machine.endRun();
    },
    act: ({ doomed }) => {
      for (let i = 0; i < 9; i++) doomed.cache.borrow(KEYS[3 + (i % 3)] as string);
      doomed.machine.endRun();
      for (let i = 0; i < 3; i++) doomed.cache.borrow(KEYS[3 + (i % 3)] as string);
    },
    allows: { 3: [4], 4: [4], 5: [4] },
    evicts: true,
  },
  {
    name: 'drafts of the caller beside puts',
    holds: [1],
    act: ({ doomed }) => {
      const draft = doomed.pool.create(keyOf(1), 40);
      put(doomed, 2, 3);
      draft.abort();
      doomed.pool.create(keyOf(3), 40);
      set(doomed, 2, 4);
    },
    allows: { 2: [0, 3, 4] },
  },
];

/** Joining is asynchronous, and a node whose disconnect was cut is told so by the caller's next one. */
const LEFT_OUT = /^disconnecting/;

export const CUT_SCENARIOS: readonly Scenario[] = [
  ...PRIVATE,
  ...[...SCENARIOS, ...CORNERS, ...TAG_SCENARIOS, ...LONG_KEY_SCENARIOS].filter(
    ({ name, joins, isAlone }) => !joins && !isAlone && !LEFT_OUT.test(name),
  ),
];
