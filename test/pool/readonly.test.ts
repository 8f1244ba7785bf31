/** A read-only node and pages that are superseded while it looks at them. */
import { expect } from 'chai';
import { SharedCache } from '../../src/index.js';
import type { Segment } from '../../src/pool/layout/index.js';
import type { Slots } from '../../src/pool/objects/index.js';
import type { ReadOnlyPool } from '../../src/pool/readonly.js';
import { pause, usePools } from '../support/pools.js';
import { codeOf } from './review-pool.js';

const OPTIONS = { size: '4MiB', pageSize: 4096, maxObjects: 64 };
const KEY = '\u0000hot';

interface Insides {
  readonly segment: Segment;
  readonly parts: { readonly slots: Slots };
}

describe('a read-only node', () => {
  const pools = usePools();

  /** `set` stores the next value, all of whose bytes are the same. */
  async function begin(): Promise<{ reader: ReadOnlyPool; insides: Insides; set: () => void; free: () => void }> {
    const pool = await pools.create(OPTIONS);
    const cache = new SharedCache(pool);
    let value = 0;
    const set = () => void cache.set('hot', new Uint8Array(3000).fill(++value));
    const { locks, geometry } = pool.session.parts;
    const free = () => {
      for (let shard = 0; shard < geometry.shards; shard++)
        locks.within(shard, () => void pool.session.writer.reclaimer.reclaim(shard));
    };
    set();
    const reader = (await pools.connect(pool.path, { readOnly: true })) as unknown as ReadOnlyPool;
    return { reader, insides: reader as unknown as Insides, set, free };
  }

  /** Something happens whenever the node begins to copy bytes. */
  function onCopy({ segment }: Insides, work: () => void): void {
    const sealedBytes = segment.sealedBytes.bind(segment);
    segment.sealedBytes = (...parameters) => {
      work();
      return sealedBytes(...parameters);
    };
  }

  it("gives out a page that is superseded while it copies it, as long as its memory is nobody else's", async () => {
    const { reader, insides, set } = await begin();
    onCopy(insides, set);
    for (let i = 0; i < 20; i++) {
      const bytes = reader.get(KEY)?.bytes as Uint8Array;
      expect(new Set(bytes).size).to.equal(1);
      expect(reader.has(KEY)).to.equal(true);
    }
  });

  it('tries again when the memory was reused, and never gives out a mixture', async () => {
    const { reader, insides, set, free } = await begin();
    let left = 0;
    onCopy(insides, () => {
      if (left-- <= 0) return;
      set();
      free();
    });
    for (let tries = 1; tries < 6; tries++) {
      left = tries;
      expect(new Set(reader.get(KEY)?.bytes).size).to.equal(1);
    }
  });

  it('says BUSY, and no miss, of a page that changes faster than it can be copied; has needs no copy', async () => {
    const { reader, insides, set, free } = await begin();
    onCopy(insides, () => {
      set();
      free();
    });
    expect(codeOf(() => reader.get(KEY))).to.equal('BUSY');
    expect(codeOf(() => reader.getMany([KEY]))).to.equal('BUSY');
    expect(reader.has(KEY)).to.equal(true);
  });

  it("finds a key whose slot became another's between the look at its entry and the look at the slot", async () => {
    const { reader, insides, set, free } = await begin();
    const { slots } = insides.parts;
    const stateWord = slots.stateWord.bind(slots);
    let left = 0;
    slots.stateWord = (slot) => {
      if (left-- > 0) {
        set();
        free();
      }
      return stateWord(slot);
    };
    for (let tries = 0; tries < 6; tries++) {
      left = tries;
      expect(reader.has(KEY)).to.equal(true);
      left = tries;
      expect(reader.get(KEY)?.size).to.equal(3000);
    }
  });

  it('misses what is not there also while its shard changes all the time', async () => {
    const { reader, insides, set, free } = await begin();
    const { shards } = (reader as unknown as { parts: { shards: { publishSequence(shard: number): number } } }).parts;
    const sequence = shards.publishSequence.bind(shards);
    shards.publishSequence = (shard) => {
      set();
      free();
      return sequence(shard);
    };
    expect([reader.get('nothing'), reader.has('nothing')]).to.deep.equal([undefined, false]);
    expect(insides.segment.survivesRestart).to.be.a('boolean');
  });

  it('waits for pages, and copies each of them once', async () => {
    const { reader, insides, set } = await begin();
    let copies = 0;
    onCopy(insides, () => {
      copies++;
    });
    expect(await reader.waitFor('never', { timeoutMs: 20 }).catch((error) => error.code)).to.equal('TIMEOUT');
    const waiting = reader.waitForMany([KEY, 'late']);
    await pause(20);
    const before = copies;
    await pause(20);
    expect(copies, 'nothing new').to.equal(before);
    const pool = await pools.connect(reader.path);
    pool.put('late', new Uint8Array(5));
    set();
    expect((await waiting).map(({ size }) => size)).to.deep.equal([3000, 5]);
  });

  it('finds no page that has expired, by its key, in a list, or by its descriptor', async () => {
    const { reader } = await begin();
    const pool = await pools.connect(reader.path);
    pool.put('short', new Uint8Array(5), { ttlMs: 300 });
    const page = pool.get('short');
    const descriptor = page?.descriptor() as string;
    page?.release();
    expect([reader.get('short')?.size, reader.open(descriptor)?.size]).to.deep.equal([5, 5]);
    await pause(320);
    expect([reader.get('short'), reader.open(descriptor)]).to.deep.equal([undefined, undefined]);
    expect([...reader.list({ prefix: 'short' })]).to.deep.equal([]);
  });
});
