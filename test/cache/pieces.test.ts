/** set of what comes in pieces: streams and async iterators, whole or not at all. */
import { expect } from 'chai';
import { bytesOf, codeOf, makeTwo, pattern, sleep, textIn } from './pools.js';

async function* pieces(texts: readonly string[], error?: Error): AsyncGenerator<Uint8Array> {
  // One buffer for all, as sources have it.
  const buffer = new Uint8Array(16);
  for (const text of texts) {
    await null;
    buffer.set(bytesOf(text));
    yield buffer.subarray(0, text.length);
  }
  if (error !== undefined) throw error;
}

describe('set of what comes in pieces', () => {
  it('stores all of it, of an iterator that uses its buffer again, of a stream and of a page, with options as of set', async () => {
    const { caches } = await makeTwo();
    expect(await caches[0].set('k', pieces(['one, ', 'two, ', '', 'three']), { size: 15 })).to.equal(true);
    expect(textIn(caches[1], 'k')).to.equal('one, two, three');
    const large = pattern(200_000, 1);
    caches[0].set('large', large);
    const page = caches[0].get('large');
    expect(await caches[1].set('copy', page?.readable() as ReadableStream<Uint8Array>, { ttlMs: 30 })).to.equal(true);
    expect(Buffer.compare(caches[0].borrow('copy') as Uint8Array, large)).to.equal(0);
    await sleep(50);
    expect(caches[0].has('copy')).to.equal(false);
    expect(await caches[0].set('empty', pieces([]))).to.equal(true);
    expect(textIn(caches[1], 'empty')).to.equal('');
  });

  it('changes nothing until the last of it is there', async () => {
    const { caches } = await makeTwo();
    caches[0].set('k', bytesOf('old'));
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    async function* slow() {
      yield bytesOf('n');
      await gate;
      yield bytesOf('ew');
    }
    const setting = caches[0].set('k', slow());
    await sleep(5);
    for (const cache of caches) expect(textIn(cache, 'k')).to.equal('old');
    go();
    expect(await setting).to.equal(true);
    expect(textIn(caches[1], 'k')).to.equal('new');
  });

  it('publishes nothing where it errs, is too short or too long, or has a piece that is no bytes', async () => {
    const { caches, pools } = await makeTwo();
    caches[0].set('k', bytesOf('old'));
    const failed = pieces(['one'], new Error('source'));
    expect(await codeOf(() => caches[0].set('k', failed))).to.equal('Error: source');
    expect(await codeOf(() => caches[0].set('k', pieces(['one']), { size: 4 }))).to.equal('SHORT_LOAD');
    let isCancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytesOf('one')),
      cancel: () => {
        isCancelled = true;
      },
    });
    expect(await codeOf(() => caches[0].set('k', endless, { size: 4 }))).to.equal('OPTION_INVALID');
    expect(isCancelled).to.equal(true);
    async function* texts() {
      yield 'text';
    }
    expect(await codeOf(() => caches[0].set('k', texts() as never))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => caches[0].set('k', pieces(['a']), { size: -1 }))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => caches[0].set('', pieces(['a'])))).to.equal('KEY_INVALID');
    for (const cache of caches) expect(textIn(cache, 'k')).to.equal('old');
    expect(pools[0].stats().drafts).to.equal(0);
  });

  it('under a lease is refused after an invalidation in the middle of it', async () => {
    const { caches } = await makeTwo();
    const lease = caches[0].lease('k');
    async function* invalidated() {
      yield bytesOf('o');
      caches[1].delete('k');
      yield bytesOf('ld');
    }
    expect(await caches[0].set('k', invalidated(), lease === undefined ? {} : { lease })).to.equal(false);
    expect(caches[1].has('k')).to.equal(false);
  });
});
