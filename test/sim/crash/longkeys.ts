/** Scenarios of keys that no event holds: whoever dies, the key has its page or none, and its twin keeps what it has. */
import { contentOf, faultOf, valueIn } from '../content.js';
import type { SimulatedNode } from '../node.js';
import type { Scenario } from './scenarios.js';

const LONG = `\u0000${'long'.repeat(260)}`;
const [KEY, TWIN] = [`${LONG}a`, `${LONG}b`];

function expectHolds(node: SimulatedNode, key: string, values: readonly number[]): void {
  const page = node.pool.get(key);
  const value = page === undefined ? 0 : valueIn(page.bytes);
  const fault = page === undefined ? undefined : faultOf(page.bytes, 0);
  page?.release();
  if (fault !== undefined) throw new Error(fault);
  if (!values.includes(value)) throw new Error(`a long key holds ${value}, and may hold ${values.join(' or ')}`);
}

function tidy(node: SimulatedNode): void {
  for (const key of [KEY, TWIN]) node.pool.delete(key);
}

export const LONG_KEY_SCENARIOS: readonly Scenario[] = [
  {
    name: 'a key that no event holds, put and deleted',
    prepare: ({ survivor }) => survivor.pool.put(TWIN, contentOf(0, 2)),
    act: ({ doomed }) => {
      doomed.pool.put(KEY, contentOf(0, 1), { metadata: new Uint8Array(70) });
      doomed.pool.delete(KEY);
    },
    verify: (node) => {
      expectHolds(node, KEY, [0, 1]);
      expectHolds(node, TWIN, [2]);
    },
    tidy,
  },
  {
    name: 'a set over a page of a key that no event holds',
    prepare: ({ survivor }) => {
      survivor.pool.put(KEY, contentOf(0, 1));
      survivor.pool.put(TWIN, contentOf(0, 2));
    },
    act: ({ doomed }) => doomed.cache.set(KEY.slice(1), contentOf(0, 3)),
    verify: (node) => {
      expectHolds(node, KEY, [1, 3]);
      expectHolds(node, TWIN, [2]);
    },
    tidy,
  },
];
