import { expect } from 'chai';
import { inspect, SharedCache } from '../../src/index.js';
import {
  LockLine,
  lockCount,
  NodeCleaning,
  NodeRow,
  ShardHead,
  Slot,
  Space,
  STATE_FREE,
  STATE_MASK,
  Stripe,
} from '../../src/pool/layout/index.js';
import type { NodeParts } from '../../src/pool/session/index.js';
import { Chance } from '../support/chance.js';
import { KIB, MIB, usePools } from '../support/pools.js';

const LOCK_TERM_SHIFT = 12;
const GENERATION_SHIFT = 3;
const ROWS = [1, 2];

/** The counters that a long life brings round, each with the words that hold it. Set by a node that is alone, before any page. */
const COUNTERS: Record<string, (parts: NodeParts, near: number) => void> = {
  'retire sequences': ({ words, geometry, shards }, near) => {
    for (let shard = 0; shard < geometry.shards; shard++) {
      const word = geometry.regions.shardHeads.word + shard * ShardHead.words + ShardHead.word.retireSequence;
      expect(words.load(word)).to.equal(shards.retireSequence(shard));
      words.store(word, near);
    }
  },
  'publish sequences': ({ words, geometry }, near) => {
    for (let shard = 0; shard < geometry.shards; shard++) {
      words.store(geometry.regions.shardHeads.word + shard * ShardHead.words + ShardHead.word.publishSequence, near);
    }
  },
  'generations of slots': ({ words, slots }, near) => {
    for (let slot = 0; slot < slots.total; slot++) {
      const word = slots.wordOf(slot) + Slot.word.state;
      if ((words.read(word) & STATE_MASK) === STATE_FREE) words.store(word, (near << GENERATION_SHIFT) | STATE_FREE);
    }
  },
  'terms of locks': ({ words, geometry }, near) => {
    for (let lock = 0; lock < lockCount(geometry); lock++) {
      words.store(geometry.regions.locks.word + lock * LockLine.words, near << LOCK_TERM_SHIFT);
    }
  },
  'generations of spaces, and the count of drops': ({ words, geometry, spaces }, near) => {
    for (const space of spaces.all()) {
      words.store(geometry.regions.spaces.word + (space - 1) * Space.words + Space.word.generation, near || 1);
    }
    words.store(spaces.dropWord, near);
  },
  'tenures of spaces': ({ words, geometry }, near) => {
    for (let space = 0; space < geometry.spaces; space++) {
      words.store(geometry.regions.spaces.word + space * Space.words + Space.word.tenure, near);
    }
  },
  'counts of leases': ({ words, geometry }, near) => {
    const { word, stride } = geometry.regions.stripes;
    for (let shard = 0; shard < geometry.shards; shard++) {
      for (let stripe = 0; stripe < geometry.stripesPerShard; stripe++) {
        words.store(word + shard * stride + stripe * Stripe.words + Stripe.word.count, near);
      }
    }
  },
  'incarnations of nodes': ({ words, geometry }, near) => {
    for (const row of ROWS) {
      words.store(geometry.regions.nodeRows.word + row * NodeRow.words + NodeRow.word.incarnation, near || 1);
      words.store(
        geometry.regions.nodeCleanings.word + row * NodeCleaning.words + NodeCleaning.word.cleanedUpTo,
        near || 1,
      );
    }
  },
  'positions of touch rings': ({ words, geometry }, near) => {
    const { touches, touchesDrained } = geometry.regions;
    for (const row of ROWS) {
      for (let shard = 0; shard < geometry.shards; shard++) {
        words.store(touches.word + (row * geometry.shards + shard) * touches.stride, near);
        words.store(touchesDrained.word + shard * touchesDrained.stride + row, near);
      }
    }
  },
  "clocks of the policy's ghosts": ({ words, policies }, near) => {
    for (const policy of policies) {
      const { ghost } = policy as unknown as { ghost: { clockWord: number; oldestWord: number } };
      words.write(ghost.clockWord, near);
      words.write(ghost.oldestWord, near);
    }
  },
  'stamps of scans': ({ scan }, near) => {
    Reflect.set(scan, 'stamp', near & 0x7fffffff);
  },
};

/** So far before the value at which a counter changes its sign, or comes round to zero. */
const BEFORE = 3;
const STEPS = 500;
const KEYS = 12;
const BOUNDS: Record<string, number> = { 'the middle': 2 ** 31, 'the end': 2 ** 32 };
const BITS: Record<string, number> = { 'generations of slots': 29, 'terms of locks': 20 };

describe('conformance: a pool that has lived long', () => {
  const pools = usePools();

  for (const [counter, set] of Object.entries(COUNTERS)) {
    for (const [bound, value] of Object.entries(BOUNDS)) {
      it(`answers alike while its ${counter} pass ${bound} of what they can count`, async () => {
        const keeper = await pools.create({ size: 4 * MIB, pageSize: KIB, maxObjects: 256 });
        new SharedCache(keeper).pages('r', { pageSize: 64 });
        const bits = BITS[counter] ?? 32;
        const { parts } = keeper.session;
        set(parts, (value / 2 ** (32 - bits) - BEFORE) | 0);
        const nodes = [await pools.connect(keeper.path), await pools.connect(keeper.path)];
        if (counter === 'stamps of scans') for (const node of nodes) set(node.session.parts, (2 ** 31 - BEFORE) | 0);
        let caches = nodes.map((node) => new SharedCache(node));
        let spaces = caches.map((cache) => cache.pages('r', { pageSize: 64 }));
        const chance = new Chance(value & 0xff);
        const strings = new Map<string, number>();
        const pages = new Map<number, number>();
        for (let step = 0; step < STEPS; step++) {
          const on = chance.below(2);
          const cache = caches[on]!;
          const space = spaces[on]!;
          const number = chance.below(KEYS);
          const key = `k${number}`;
          const bytes = new Uint8Array(64).fill(step);
          const what = chance.below(12);
          if (what < 3) {
            const lease = cache.lease(key);
            if (lease !== undefined && chance.below(2) === 0) {
              // Somebody else stores first: what the lease was taken for comes too late.
              caches[1 - on]!.set(key, new Uint8Array(64).fill(step + 1));
              expect(cache.set(key, bytes, { lease }), key).to.equal(false);
              strings.set(key, (step + 1) & 0xff);
            } else {
              expect(cache.set(key, bytes)).to.equal(true);
              strings.set(key, step & 0xff);
            }
          } else if (what < 7) {
            expect(space.put(number, bytes)).to.equal(true);
            pages.set(number, step & 0xff);
          } else if (what === 7) {
            expect(cache.delete(key)).to.equal(strings.delete(key));
          } else if (what === 8) {
            space.invalidate(number);
            pages.delete(number);
          } else if (what === 9 && chance.below(4) === 0) {
            space.drop();
            pages.clear();
          } else if (what === 10 && chance.below(4) === 0) {
            cache.clear();
            strings.clear();
          } else {
            cache.get(key)?.release();
          }
          for (const each of chance.below(3) === 0 ? [] : caches)
            expect(each.borrow(key)?.[0]).to.equal(strings.get(key));
          for (const each of chance.below(3) === 0 ? [] : spaces)
            expect(each.borrow(number)?.[0]).to.equal(pages.get(number));
          if (step % 50 !== 49) continue;
          // A new node in the row of one that leaves, and some evictions.
          await nodes[0]!.disconnect();
          nodes[0] = await pools.connect(keeper.path);
          caches = nodes.map((node) => new SharedCache(node));
          spaces = caches.map((each) => each.pages('r', { pageSize: 64 }));
          nodes[1]!.session.writer.evict(1);
          for (const name of [...strings.keys()]) if (!caches[0]!.has(name)) strings.delete(name);
          for (const no of [...pages.keys()]) if (spaces[0]!.borrow(no) === undefined) pages.delete(no);
        }
        for (const [name, first] of strings)
          for (const cache of caches) expect(cache.borrow(name)?.[0]).to.equal(first);
        for (const [no, first] of pages) for (const space of spaces) expect(space.borrow(no)?.[0]).to.equal(first);
        for (const node of nodes) await node.disconnect();
        expect((await inspect(keeper.path)).problems).to.deep.equal([]);
      });
    }
  }

  it('a node that fell behind by half of what a sequence can count, or by all but a few, forgets what it knew', async () => {
    for (const behind of [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 2]) {
      const keeper = await pools.create({ size: MIB, pageSize: KIB, maxObjects: 64 });
      const other = await pools.connect(keeper.path);
      const [cache, writer] = [new SharedCache(keeper), new SharedCache(other)];
      writer.set('k', new Uint8Array(8).fill(1));
      expect(cache.borrow('k')?.[0]).to.equal(1);
      const { words, log } = other.session.parts;
      writer.set('k', new Uint8Array(8).fill(2));
      for (let shard = 0; shard < keeper.session.parts.geometry.shards; shard++) {
        const word = log.sequenceWord(shard);
        words.store(word, (words.load(word) + behind) | 0);
      }
      expect(cache.borrow('k')?.[0], `${behind}`).to.equal(2);
    }
  });
});
