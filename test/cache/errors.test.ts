/** Back-off: a source that has failed is not asked again at once, where who asks says so. */
import { expect } from 'chai';
import type { FetchOptions } from '../../src/index.js';
import { bytesOf, codeOf, makeTwo, sleep, textOf } from './pools.js';

const LONG = { errorMs: 60_000 };

async function makeFailing() {
  const { caches } = await makeTwo();
  const [one, other] = caches;
  const source = { calls: 0, isDown: true };
  const load = async (key: unknown) => {
    source.calls++;
    await Promise.resolve();
    if (source.isDown) throw new Error(`down ${source.calls}`);
    return bytesOf(`of ${key}`);
  };
  const ask = async (cache = one, options: FetchOptions = LONG, key = 'k') => {
    try {
      using page = await cache.fetch(key, load, options);
      return `${page.freshness} ${textOf(page.bytes)}`;
    } catch (error) {
      return (error as Error).message;
    }
  };
  return { one, other, source, load, ask };
}

describe('a source that has failed', () => {
  it('is not asked again for errorMs, and its error is told: to who says so, of this key, on this node', async () => {
    const { one, other, source, ask } = await makeFailing();
    expect([await ask(), await ask(), await ask()]).to.deep.equal(['down 1', 'down 1', 'down 1']);
    // Another node, another key, and who does not want to wait.
    expect([await ask(other), await ask(one, LONG, 'l'), await ask(one, {})]).to.deep.equal([
      'down 2',
      'down 3',
      'down 4',
    ]);
    source.isDown = false;
    expect([await ask(), await ask(one, { errorMs: 0 })]).to.deep.equal(['down 1', 'fresh of k']);
    expect(source.calls).to.equal(5);
  });

  it('is asked again after that, and a page ends it', async () => {
    const { one, source, ask } = await makeFailing();
    const short = { errorMs: 30 };
    expect([await ask(one, short), await ask(one, short)]).to.deep.equal(['down 1', 'down 1']);
    await sleep(40);
    expect([await ask(one, short), await ask(one, LONG)]).to.deep.equal(['down 2', 'down 2']);
    source.isDown = false;
    expect(await ask(one, {})).to.equal('fresh of k');
    source.isDown = true;
    expect(await ask()).to.equal('fresh of k');
    one.delete('k');
    expect(await ask()).to.equal('down 4');
    source.isDown = false;
    expect(await ask(one, { ttlMs: 5 })).to.equal('fresh of k');
    source.isDown = true;
    await sleep(10);
    // What the page has ended is not told again after it.
    expect(await ask()).to.equal('down 6');
  });

  it('is asked again at once after an invalidation of the key, on whatever node', async () => {
    const { other, source, ask } = await makeFailing();
    expect([await ask(), await ask()]).to.deep.equal(['down 1', 'down 1']);
    other.delete('k');
    expect(await ask()).to.equal('down 2');
    other.clear();
    source.isDown = false;
    expect(await ask()).to.equal('fresh of k');
  });

  it('is spared for stale answers, too: of both kinds', async () => {
    const { one, source, ask } = await makeFailing();
    one.set('k', bytesOf('old'), { ttlMs: 5, staleMs: 60_000 });
    await sleep(10);
    const onError = { ...LONG, staleOnErrorMs: 60_000 };
    expect([await ask(one, onError), await ask(one, onError)]).to.deep.equal(['stale old', 'stale old']);
    expect(source.calls).to.equal(1);
    const meanwhile = { ...LONG, staleMs: 60_000 };
    for (let i = 0; i < 5; i++) {
      expect(await ask(one, meanwhile)).to.equal('stale old');
      await sleep(2);
    }
    expect(source.calls).to.equal(1);
    expect(await ask(one, { staleMs: 60_000 })).to.equal('stale old');
    await sleep(5);
    expect(source.calls).to.equal(2);
  });

  it('of many keys is spared for each of them', async () => {
    const { one } = await makeFailing();
    const asked: (readonly unknown[])[] = [];
    const loadMany = (keys: readonly unknown[]) => {
      asked.push(keys);
      throw new Error('down');
    };
    for (let i = 0; i < 3; i++)
      expect(await codeOf(() => one.fetchMany(['a', 'b'], loadMany, LONG))).to.equal('Error: down');
    expect(asked).to.deep.equal([['a', 'b']]);
    expect(await codeOf(() => one.fetchMany(['a'], loadMany, { errorMs: -1 }))).to.equal('OPTION_INVALID');
  });

  it('is not what an abort or a time limit says', async () => {
    const { one, source, ask } = await makeFailing();
    const forever = () => new Promise<Uint8Array>(() => {});
    expect(await codeOf(() => one.fetch('k', forever, { ...LONG, loadTimeoutMs: 10 }))).to.equal('LOAD_TIMEOUT');
    const controller = new AbortController();
    const late = one.fetch(
      'k',
      (_, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
      {
        ...LONG,
        signal: controller.signal,
      },
    );
    controller.abort();
    expect(await codeOf(() => late)).to.equal('ABORTED');
    source.isDown = false;
    expect(await ask()).to.equal('fresh of k');
  });

  it('is forgotten by as many others: the oldest first', async () => {
    const { one, source, ask } = await makeFailing();
    for (let i = 0; i < 1025; i++) await ask(one, LONG, `key ${i}`);
    expect([await ask(one, LONG, 'key 1024'), await ask(one, LONG, 'key 1')]).to.deep.equal(['down 1025', 'down 2']);
    expect(await ask(one, LONG, 'key 0')).to.equal('down 1026');
    expect(source.calls).to.equal(1026);
  });
});
