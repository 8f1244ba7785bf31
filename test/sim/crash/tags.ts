/** Scenarios of tags: whoever dies in the midst of an invalidation leaves pages fresh or over, and the next one is whole. */
import { Control } from '../../../src/pool/layout/layout.js';
import { contentOf } from '../content.js';
import type { SimulatedNode } from '../node.js';
import { type Actors, KEYS, type Scenario } from './scenarios.js';

const TAGGED = { tags: ['t', 'u'], ttlMs: 60_000, staleMs: 60_000, metadata: Uint8Array.of(1, 2, 3) };

function setTagged(node: SimulatedNode, index: number, value: number, tags: readonly string[]): void {
  node.cache.set(KEYS[index] as string, contentOf(index, value), { ...TAGGED, tags });
}

/** Two pages that have the tag, one that has another. */
function prepare({ survivor }: Actors): void {
  setTagged(survivor, 0, 1, ['t', 'u']);
  setTagged(survivor, 1, 2, ['t']);
  setTagged(survivor, 2, 3, ['other']);
}

/** After whatever was left, the next invalidation ends what it says, also to who knows the pages. */
function verifyEnd(node: SimulatedNode): void {
  // So that it remembers what is there.
  for (const key of KEYS) node.cache.borrow(key);
  node.cache.invalidateTags(['t']);
  for (const key of ['a', 'b']) if (node.cache.borrow(key) !== undefined) throw new Error(`${key} outlives its tag`);
}

/** And no more. */
function verify(node: SimulatedNode): void {
  verifyEnd(node);
  if (node.cache.borrow('c') === undefined) throw new Error('another tag was invalidated');
}

const allows = { 0: [0, 1], 1: [0, 2], 2: [3] };

export const TAG_SCENARIOS: readonly Scenario[] = [
  {
    name: 'a tag that is invalidated',
    prepare,
    act: ({ doomed }) => doomed.cache.invalidateTags(['t']),
    allows,
    verify,
  },
  {
    name: 'tags that are invalidated while pages may be served stale',
    prepare,
    act: ({ doomed }) => {
      doomed.cache.invalidateTags(['u'], { staleFor: 50 });
      doomed.cache.invalidateTags(['t', 'u'], { staleFor: 5 });
      doomed.machine.sleep(10);
      doomed.cache.invalidateTags(['t'], { staleFor: 50 });
      doomed.cache.invalidateTags(['u']);
    },
    allows,
    verify,
  },
  {
    name: 'an invalidation with which an epoch begins',
    prepare: (actors) => {
      const { words, geometry } = actors.survivor.session.parts;
      words.write(geometry.regions.control.word + Control.word.tagSequence, 2 ** 30 + 2 ** 29 - 1);
      prepare(actors);
    },
    act: ({ doomed }) => doomed.cache.invalidateTags(['t']),
    // Cut off between epoch and number, the next begins another epoch: the second one ends all pages from before.
    allows: { ...allows, 2: [0, 3] },
    verify: verifyEnd,
  },
  {
    name: 'a fill that its tag has overtaken, and upkeep',
    prepare,
    act: ({ doomed }) => {
      doomed.cache.invalidateTags(['t'], { staleFor: 60_000 });
      const lease = doomed.cache.lease('a');
      if (lease === undefined) throw new Error('a is there');
      doomed.cache.set('a', contentOf(0, 4), { ...TAGGED, lease });
      const late = doomed.cache.lease('b');
      doomed.cache.invalidateTags(['t']);
      if (late !== undefined && doomed.cache.set('b', contentOf(1, 5), { ...TAGGED, lease: late }))
        throw new Error('a fill of an invalidated tag is taken');
      doomed.upkeep.tick();
    },
    allows: { ...allows, 0: [0, 1, 4] },
    verify,
  },
];
