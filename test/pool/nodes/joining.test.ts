/** Whoever cannot join leaves nothing held: neither its row, nor an entry in the thread's list of robust futexes. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { expect } from 'chai';
import { heldCount } from '../../../lib/linux/robustlist.js';
import { Words } from '../../../lib/words.js';
import { usePools } from '../../support/pools.js';

const { write, store, fill } = Words.prototype;
/** Of the call that is to fail: the timers of other pools store as well. */
const ours = new AsyncLocalStorage<true>();

let left = Number.POSITIVE_INFINITY;

function count(): void {
  if (ours.getStore() === true && left-- === 0) throw new Error('cut off');
}

/** In place while the tests run: the engine throws away whatever it compiled each time a method is put in place of another. */
const counting = {
  write(this: Words, index: number, value: number): void {
    count();
    write.call(this, index, value);
  },
  store(this: Words, index: number, value: number): void {
    count();
    store.call(this, index, value);
  },
  fill(this: Words, start: number, words: number, value: number): void {
    count();
    fill.call(this, start, words, value);
  },
};

/** Storing throws once, at the k-th store from now; whether it came to that. */
async function storesUpTo(k: number, work: () => Promise<unknown>): Promise<boolean> {
  left = k;
  try {
    await ours.run(true, work);
    return false;
  } catch (error) {
    expect((error as Error).message).to.equal('cut off');
    return true;
  } finally {
    left = Number.POSITIVE_INFINITY;
  }
}

describe('a node that fails to join at any store', () => {
  const pools = usePools();
  before(() => Object.assign(Words.prototype, counting));
  after(() => Object.assign(Words.prototype, { write, store, fill }));

  it('holds nothing, and takes no room from those who come', async () => {
    const pool = await pools.create({ size: '1MiB', pageSize: 4096, maxNodes: 3 });
    const held = heldCount();
    let cut = 0;
    for (let k = 0; await storesUpTo(k, () => pools.connect(pool.path)); k++) {
      expect(heldCount()).to.equal(held);
      const next = await pools.connect(pool.path);
      expect(next.put(`k${k}`, new Uint8Array(8))).to.equal(true);
      await next.disconnect();
      cut++;
    }
    expect(cut).to.be.above(20);
  });
});
