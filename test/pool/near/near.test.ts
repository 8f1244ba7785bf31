import { expect } from 'chai';
import { NearEntry, NearIndex, type NearKey, type NearMap } from '../../../src/pool/near/index.js';
import { Chance } from '../../support/chance.js';
import { collectGarbage, heapBytes } from '../../support/garbage.js';
import { KIB, MIB, usePools } from '../../support/pools.js';

const SLOTS_PER_SHARD = 1000;
const NOTHING = new Uint8Array(0);
const PAGE_KEYS = { pageKey: () => NOTHING };

function entryOf(owner: NearMap, key: NearKey, slot: number, spaceGeneration = 1, from = 0): NearEntry {
  const shard = Math.floor(slot / SLOTS_PER_SHARD);
  const { space } = owner;
  const until = Number.POSITIVE_INFINITY;
  const pages = { bytes: NOTHING, metadata: NOTHING, expiry: 0, tags: undefined, generation: 1 };
  return new NearEntry(owner, key, { slot, shard, space, spaceGeneration, from, until, ...pages });
}

/** All that can be found, by key. */
function found(map: NearMap): [NearKey, number][] {
  const entries: NearEntry[] = [];
  for (const first of map.entries.values()) {
    for (let entry: NearEntry | undefined = first; entry !== undefined; entry = entry.nextVersion) entries.push(entry);
  }
  return entries.map(({ key, slot }) => [key, slot]);
}

/** How often maps were asked or changed, and steps of their iterators taken, while the work ran. */
function mapOperations(work: () => void): number {
  const prototypes = [Map.prototype, Object.getPrototypeOf(new Map().values())] as Record<string, unknown>[];
  let count = 0;
  const kept: [Record<string, unknown>, string, unknown][] = [];
  for (const prototype of prototypes) {
    for (const name of ['get', 'set', 'delete', 'next']) {
      const method = prototype[name];
      if (typeof method !== 'function') continue;
      kept.push([prototype, name, method]);
      prototype[name] = function counted(this: unknown, ...args: unknown[]) {
        count++;
        return method.apply(this, args);
      };
    }
  }
  try {
    work();
  } finally {
    for (const [prototype, name, method] of kept) prototype[name] = method;
  }
  return count;
}

/** An index of `shards` shards with `each` pages in each, of a space of its own. */
function filled(shards: number, each: number): { index: NearIndex; map: NearMap } {
  const index = new NearIndex(1_000_000, SLOTS_PER_SHARD);
  const map = index.createMap(1, PAGE_KEYS);
  for (let shard = 0; shard < shards; shard++) {
    for (let i = 0; i < each; i++) {
      const slot = shard * SLOTS_PER_SHARD + i;
      index.remember(entryOf(map, slot, slot));
    }
  }
  return { index, map };
}

describe('the near index', () => {
  const pools = usePools();

  it('forgets a version with its slot, also one that made room for the next version of its key', () => {
    const index = new NearIndex(2, SLOTS_PER_SHARD);
    const map = index.createMap(1, PAGE_KEYS);
    index.remember(entryOf(map, 7, 1));
    index.remember(entryOf(map, 8, 2));
    for (let tries = 0; tries < 200 && map.entries.get(7)?.slot !== 3; tries++)
      index.remember(entryOf(map, 7, 3, 1, 10));
    expect(found(map)).to.deep.equal([
      [8, 2],
      [7, 3],
    ]);
    for (const slot of [1, 2, 3]) index.forgetSlot(slot);
    expect(found(map)).to.deep.equal([]);
  });

  it('of a node that makes no calls lets go of what has ended, at upkeep', async () => {
    const idle = await pools.create({ size: MIB, pageSize: KIB, maxObjects: 64 });
    const busy = await pools.connect(idle.path);
    for (let i = 0; i < 10; i++) busy.put(`k${i}`, new Uint8Array(8));
    for (let i = 0; i < 10; i++) idle.get(`k${i}`)!.release();
    expect(idle.session.reader.near.size).to.equal(10);
    for (let i = 0; i < 10; i++) busy.delete(`k${i}`);
    for (let i = 0; i < idle.session.parts.geometry.shards; i++) Reflect.get(idle, 'upkeep').tick();
    expect(idle.session.reader.near.size).to.equal(0);
  });

  it('knows what it was told and not told to forget, and never more than it may', () => {
    const chance = new Chance(7);
    for (const capacity of [1, 7, 64, 10_000]) {
      const index = new NearIndex(capacity, SLOTS_PER_SHARD);
      const maps = [index.createMap(0), index.createMap(1, PAGE_KEYS), index.createMap(2, PAGE_KEYS)];
      const generations = [0, 1, 1];
      const live = new Map<number, NearEntry>();
      const end = (isEnded: (entry: NearEntry) => boolean, tell = (_: number) => {}) => {
        for (const [slot, entry] of live) {
          if (!isEnded(entry)) continue;
          tell(slot);
          live.delete(slot);
        }
      };
      const endSlots = (isEnded: (entry: NearEntry) => boolean) => end(isEnded, (slot) => index.forgetSlot(slot));
      for (let step = 0; step < 2000; step++) {
        const map = chance.pick(maps);
        const slot = chance.below(3 * SLOTS_PER_SHARD);
        const what = chance.below(80);
        if (what < 70) {
          const key = map.space === 0 ? `k${chance.below(300)}` : chance.below(300);
          const entry = entryOf(map, key, slot, generations[map.space], chance.below(3));
          // A page ends before its slot has another, and before its key has.
          endSlots((old) => old.slot === slot || (old.owner === map && old.key === key && old.from === entry.from));
          index.remember(entry);
          live.set(slot, entry);
          if (map.space !== 0 && map.entries.get(key) === entry) map.shorten(key as number, entry);
        } else if (what < 76) {
          endSlots((entry) => entry.slot === slot);
        } else if (what === 76) {
          const shard = chance.below(3);
          index.forgetShard(shard);
          end((entry) => entry.shard === shard);
        } else if (what === 77) {
          const space = 1 + chance.below(2);
          generations[space]!++;
          index.forgetStale((of) => generations[of]!);
          end((entry) => entry.space === space);
        }
        expect(index.size).to.be.at.most(capacity);
      }
      let count = 0;
      for (const map of maps) {
        for (const [key, slot] of found(map)) {
          count++;
          expect(live.get(slot)?.key).to.equal(key);
        }
        for (const shortcut of map.shortcuts)
          expect(shortcut).to.be.oneOf([undefined, shortcut && live.get(shortcut.slot)]);
      }
      expect(index.size).to.equal(count);
      if (capacity === 10_000) expect(count).to.equal(live.size);
      // Whatever is there goes with its slots, and nothing is left of it.
      for (let slot = 0; slot < 3 * SLOTS_PER_SHARD; slot++) index.forgetSlot(slot);
      expect([index.size, ...maps.map((map) => found(map).length)]).to.deep.equal([0, 0, 0, 0]);
    }
  });

  it('once full takes in some of what it meets, in the place of the oldest, and what is met often for sure', () => {
    const index = new NearIndex(100, SLOTS_PER_SHARD);
    const map = index.createMap(0);
    for (let i = 0; i < 100; i++) index.remember(entryOf(map, `first ${i}`, i));
    expect(index.size).to.equal(100);
    for (let i = 0; i < 1000; i++) index.remember(entryOf(map, `often ${i % 3}`, 200 + (i % 3)));
    expect(['often 0', 'often 1', 'often 2'].every((key) => map.entries.has(key))).to.equal(true);
    for (let i = 0; i < 600; i++) index.remember(entryOf(map, `scanned ${i}`, 300 + i));
    expect(index.size).to.equal(100);
    expect(map.entries.has('first 99')).to.equal(true);
    expect(map.entries.has('first 0')).to.equal(false);
    // What it forgot leaves its place to the next.
    index.forgetShard(0);
    expect(index.size).to.equal(0);
    for (let i = 0; i < 100; i++) index.remember(entryOf(map, `second ${i}`, i));
    expect(index.size).to.equal(100);
  });

  it('makes room in a large full index by no more work than in a small one', () => {
    const work = (capacity: number) => {
      const index = new NearIndex(capacity, 1_000_000);
      const map = index.createMap(0);
      for (let i = 0; i < capacity; i++) index.remember(entryOf(map, `${i}`, i));
      const started = process.cpuUsage();
      let operations = 0;
      for (let i = capacity; i < capacity + 40_000; i++) {
        const entry = entryOf(map, `${i}`, i);
        if (i % 100 === 0) operations += mapOperations(() => index.remember(entry));
        else index.remember(entry);
      }
      const { user, system } = process.cpuUsage(started);
      expect(index.size).to.equal(capacity);
      return { operations, microseconds: user + system };
    };
    const small = work(1000);
    const large = work(100_000);
    expect(large.operations).to.be.below(2 * small.operations + 100);
    // Holes that a map keeps for what left it show in no count: walking over them cost 30 times this.
    expect(large.microseconds).to.be.below(12 * small.microseconds + 20_000);
  });

  it('forgets a shard by work that depends on that shard alone', () => {
    const small = filled(2, 100);
    const large = filled(200, 100);
    const work = ({ index }: { index: NearIndex }) => mapOperations(() => index.forgetShard(1));
    expect(work(large)).to.equal(work(small));
    expect([small.index.size, large.index.size]).to.deep.equal([100, 199 * 100]);
    expect(work(large)).to.be.below(5);
  });

  it('forgets a dropped space by work that depends on that space alone; of an empty one, by next to none', () => {
    const { index, map } = filled(100, 100);
    const dropped = index.createMap(2, PAGE_KEYS);
    const empty = index.createMap(3, PAGE_KEYS);
    for (let i = 0; i < 50; i++) index.remember(entryOf(dropped, i, 100 * SLOTS_PER_SHARD + i));
    const generations = [0, 1, 1, 1];
    const work = () => mapOperations(() => index.forgetStale((space) => generations[space]!));
    generations[3]!++;
    expect(work()).to.equal(0);
    generations[2]!++;
    expect(work()).to.be.within(50, 50 * 12);
    expect([map, dropped, empty].map(({ entries }) => entries.size)).to.deep.equal([10_000, 0, 0]);
    // Those that come under the new generation stay.
    index.remember(entryOf(dropped, 1, 100 * SLOTS_PER_SHARD, 2));
    expect(work()).to.be.below(5);
    expect(dropped.entries.size).to.equal(1);
  });

  it('forgets what a drop left behind where pages of both generations are known', () => {
    const index = new NearIndex(100, SLOTS_PER_SHARD);
    const map = index.createMap(1, PAGE_KEYS);
    index.remember(entryOf(map, 1, 1, 5));
    // Stored after a drop that this node has not met yet.
    index.remember(entryOf(map, 2, 2, 6));
    index.forgetStale(() => 6);
    expect(found(map)).to.deep.equal([[2, 2]]);
    index.forgetStale(() => 7);
    expect(found(map)).to.deep.equal([]);
  });

  it('remembers no page of a space under the keys of another, where a drop would not look for it', () => {
    const index = new NearIndex(100, SLOTS_PER_SHARD);
    const whole = index.createMap(0);
    const entry = entryOf(index.createMap(1, PAGE_KEYS), 1, 1);
    index.remember(new NearEntry(whole, 'its whole key', { ...entry }));
    expect(index.size).to.equal(0);
  });

  it('costs a page space what it uses: shortcuts come with its pages', async () => {
    await collectGarbage();
    const index = new NearIndex(1_000_000, SLOTS_PER_SHARD);
    const maps: NearMap[] = [];
    const growths: number[] = [];
    // What others of this process allocate or let go of meanwhile counts too, so the median.
    for (let round = 0; round < 5; round++) {
      const before = await heapBytes();
      for (let i = 0; i < 250; i++) maps.push(index.createMap(maps.length + 1, PAGE_KEYS));
      growths.push(((await heapBytes()) - before) / 250);
    }
    // All shortcuts at once would be 512 KiB each.
    expect(growths.sort((a, b) => a - b)[2]).to.be.below(16 * KIB);
    const map = maps[0]!;
    for (let i = 0; i < 5000; i++) {
      index.remember(entryOf(map, i * 3, i));
      map.shorten(i * 3, map.entries.get(i * 3)!);
    }
    expect(map.shortcuts.length).to.be.within(5000, 4 * 5000);
    for (let i = 0; i < 5000; i++) {
      const entry = map.atShortcut(i * 3);
      if (entry !== undefined) expect(entry).to.equal(map.entries.get(i * 3));
    }
    expect(map.atShortcut(3 * 4999)).to.equal(map.entries.get(3 * 4999));
    index.forgetShard(0);
    expect(map.atShortcut(3)).to.equal(undefined);
    expect(map.atShortcut(3 * 4999)?.slot).to.equal(4999);
  });

  it('of a map whose name got another space is none, whatever the generations of both; from then on it remembers those', () => {
    const index = new NearIndex(100, SLOTS_PER_SHARD);
    const map = index.createMap(1, PAGE_KEYS);
    for (const from of [0, 5]) index.remember(entryOf(map, 7, 3 + from, 4, from));
    index.move(map, 2);
    index.forgetStale(() => 4);
    expect([map.entries.size, map.atShortcut(7), index.size]).to.deep.equal([0, undefined, 0]);
    index.remember(entryOf(map, 7, 3, 4));
    expect([map.entries.size, index.size]).to.deep.equal([1, 1]);
    expect(map.atShortcut(7)).to.equal(map.entries.get(7));
  });
});
