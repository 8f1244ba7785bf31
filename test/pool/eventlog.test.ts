/** The event log: each event exactly once whoever is cut off where, one order across the wrap of its count, no torn one. */
import { expect } from 'chai';
import { PoolError } from '../../lib/errors.js';
import type { Words } from '../../lib/words.js';
import { SharedCache } from '../../src/index.js';
import { type Fed, Feed } from '../../src/pool/events/feed.js';
import type { Geometry } from '../../src/pool/layout/geometry.js';
import { Control, EventHead, EventLine } from '../../src/pool/layout/layout.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { expectCleanCensus } from '../support/census.js';
import { MIB, usePools } from '../support/pools.js';

const SMALL = { size: MIB, pageSize: 512, maxObjects: 60, maxNodes: 4 } as const;
const BYTES = new Uint8Array(10);
const KINDS = ['none', 'sealed', 'deleted', 'evicted'];

function taken(feed: Feed): Fed[] {
  const events = feed.ready.slice(feed.next);
  feed.next = feed.ready.length;
  return events;
}

/** What the feed tells now. */
function told(feed: Feed): string[] {
  feed.take();
  return taken(feed).map((fed) => {
    if ('missed' in fed) return `missed ${fed.missed}`;
    return `${KINDS[fed.kind]} ${Buffer.from(fed.key).toString().replace('\u0000', '')}`;
  });
}

type Mutator = 'store' | 'write' | 'add' | 'exchange' | 'compareExchange';

/** Throws once, instead of the `at`th change that the node makes to shared words but for locks. False when it made fewer. */
function cutOff({ session }: AttachedPool, at: number, work: () => void): boolean {
  const { words, geometry }: { words: Words; geometry: Geometry } = session.parts;
  const { word, stride, count } = geometry.regions.locks;
  const isLock = (index: number) => index >= word && index < word + stride * count;
  let changes = 0;
  const names: Mutator[] = ['store', 'write', 'add', 'exchange', 'compareExchange'];
  for (const name of names) {
    const method = (words[name] as (...args: number[]) => number).bind(words);
    (words as unknown as Record<Mutator, (...args: number[]) => number>)[name] = (...args) => {
      if (!isLock(args[0] as number) && changes++ === at) throw new PoolError('ABORTED', 'cut off');
      return method(...args);
    };
  }
  try {
    work();
  } catch (error) {
    if ((error as PoolError).code !== 'ABORTED') throw error;
  } finally {
    for (const name of names) delete (words as unknown as Partial<Record<Mutator, unknown>>)[name];
  }
  return changes > at;
}

describe('the event log', () => {
  const pools = usePools();
  const versionOf = (pool: AttachedPool) => new SharedCache(pool).peek('key')?.[0];

  const acts = {
    'a put': { before: undefined, act: (cache: SharedCache) => void cache.set('key', Uint8Array.of(2)) },
    'a set over a page': { before: 1, act: (cache: SharedCache) => void cache.set('key', Uint8Array.of(2)) },
    'a delete': { before: 1, act: (cache: SharedCache) => void cache.delete('key') },
  };
  for (const [name, { before, act }] of Object.entries(acts)) {
    it(`tells of ${name} exactly once or, where it did not happen, not at all: cut off at every change`, async () => {
      let cuts = 0;
      const seen = new Set<string>();
      for (let at = 0; ; at++) {
        const pool = await pools.create(SMALL);
        const other = await pools.connect(pool.path);
        if (before !== undefined) new SharedCache(other).set('key', Uint8Array.of(before));
        const cache = new SharedCache(pool);
        versionOf(pool);
        const feed = new Feed(other.session.parts);
        const wasCut = cutOff(pool, at, () => act(cache));
        // The next one to take the lock repairs.
        other.put('another', BYTES);
        const after = versionOf(other);
        const events = told(feed).filter((event) => !event.endsWith('another'));
        if (after === before) expect(events, `cut off at change ${at}`).to.deep.equal([]);
        else if (after === undefined) expect(events, `cut off at change ${at}`).to.deep.equal(['deleted key']);
        else expect(events, `cut off at change ${at}`).to.deep.equal(['sealed key']);
        seen.add(`${after}`);
        await pools.disconnect();
        if (!wasCut) break;
        cuts++;
      }
      expect(cuts).to.be.above(20);
      // Both outcomes were met: the cuts lie around the moment it happens.
      expect(seen.size).to.equal(2);
    }).timeout(120_000);
  }

  it('a repair that is cut off itself tells nothing twice and leaves nothing out', async () => {
    for (let at = 0; ; at++) {
      const pool = await pools.create(SMALL);
      const other = await pools.connect(pool.path);
      const cache = new SharedCache(pool);
      const { events } = pool.session.parts;
      const feed = new Feed(other.session.parts);
      // Sealed, and nothing told.
      events.commit = () => {
        throw new PoolError('ABORTED', 'cut off');
      };
      expect(() => cache.set('key', Uint8Array.of(2))).to.throw('cut off');
      const wasCut = cutOff(other, at, () => other.session.parts.locks.recover(0));
      other.session.parts.locks.recover(0);
      expect(told(feed), `repair cut off at change ${at}`).to.deep.equal(['sealed key']);
      await expectCleanCensus(pool.path);
      await pools.disconnect();
      if (!wasCut) break;
      // Most of a repair is filling lists anew: its end, where the event is told, is looked at change by change.
      if (at > 40) at += 30;
    }
  }).timeout(120_000);

  it('keeps its order where the count passes 2^31 and 2^32, and who is cut off there leaves no gap in it', async () => {
    for (const [low, halves] of [
      [0x7ffffffd, 0],
      [-3, 1],
      [0x7ffffffd, 2],
      [-3, 2 ** 21 - 1],
    ] as const) {
      const pool = await pools.create(SMALL);
      const { words, geometry } = pool.session.parts;
      const { control } = geometry.regions;
      words.store(control.word + Control.word.stamp, low);
      words.store(control.word + Control.word.stampHalves, halves);
      const subscription = pool.subscribe();
      for (let i = 0; i < 8; i++) pool.put(`key-${i}`, BYTES);
      const first = halves * 2 ** 31 + (low & 0x7fffffff) + 1;
      const sequences: number[] = [];
      for await (const event of subscription) if (sequences.push(event.sequence) === 8) break;
      expect(sequences).to.deep.equal(Array.from({ length: 8 }, (_, i) => first + i));
      // Brought along while it could still be told that it lags.
      expect(words.load(control.word + Control.word.stampHalves)).to.equal(halves + 1);
      await pools.disconnect();
    }
  });

  it('a stamp taken and not brought along by its owner does not set the order back', async () => {
    const pool = await pools.create(SMALL);
    const { words, geometry, events } = pool.session.parts;
    const { control } = geometry.regions;
    words.store(control.word + Control.word.stamp, -1);
    words.store(control.word + Control.word.stampHalves, 1);
    // Somebody took the last stamp of the old half and the first of the new one, and died.
    words.add(control.word + Control.word.stamp, 2);
    expect(events.stamps()).to.equal(2 ** 32 + 1);
    const subscription = pool.subscribe();
    pool.put('key', BYTES);
    for await (const event of subscription) {
      expect(event.sequence).to.equal(2 ** 32 + 2);
      break;
    }
  });

  it('tells a record that is being overwritten, or damaged, as missed and never as an event', async () => {
    const pool = await pools.create(SMALL);
    const { words, geometry } = pool.session.parts;
    const { word } = geometry.regions.eventRings;
    // Not its number, by which the next one counts: when that lies, so may the count.
    for (let field = EventLine.word.check; field < EventLine.words; field++) {
      const feed = new Feed(pool.session.parts);
      const position = pool.session.parts.events.end(0) & (geometry.eventLines - 1);
      pool.put(`key-${field}-${'k'.repeat(30)}`, BYTES);
      const at = word + position * EventLine.words + field;
      words.store(at, words.read(at) ^ 0x10000);
      expect(told(feed), `word ${field}`).to.deep.equal(['missed 1']);
      words.store(at, words.read(at) ^ 0x10000);
      pool.put(`after-${field}`, BYTES);
      expect(told(feed)).to.deep.equal([`sealed after-${field}`]);
    }
  });

  it('a reader waits for an event that is under way, and not for ever', async () => {
    const pool = await pools.create(SMALL);
    const { words, geometry, machine } = pool.session.parts;
    const feed = new Feed(pool.session.parts);
    pool.put('key', BYTES);
    const pending = geometry.regions.eventHeads.word + EventHead.word.pending;
    words.store(pending, 5);
    expect(feed.take()).to.equal(false);
    expect(taken(feed)).to.deep.equal([]);
    const now = machine.elapsedMs();
    machine.elapsedMs = () => now + 1000;
    expect(told(feed)).to.deep.equal(['sealed key']);
    words.store(pending, 0);
    expect(feed.take()).to.equal(true);
    expect(taken(feed)).to.deep.equal([]);
  });
});
