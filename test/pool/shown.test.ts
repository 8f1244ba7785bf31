/** What handles show of themselves. */
import { inspect } from 'node:util';
import { serialize } from 'node:v8';
import { expect } from 'chai';
import { SharedCache } from '../../src/index.js';
import { usePools } from '../support/pools.js';

const SECRET = 'the bytes of somebody else';
const TEXT_MAX = 400;

describe('handles', () => {
  const pools = usePools();

  /** One of each kind, open and ended. */
  async function handles(): Promise<readonly [string, object][]> {
    const pool = await pools.create({ size: '2MiB', pageSize: 4096 });
    const readOnly = await pools.connect(pool.path, { readOnly: true });
    const cache = new SharedCache(pool, { namespace: 'n' });
    for (let i = 0; i < 100; i++) pool.put(`k${i}`, Buffer.from(SECRET), { metadata: Buffer.from(SECRET) });
    const writer = pool.checkpoint('c');
    writer.put('part', Buffer.from(SECRET));
    const made: [string, object][] = [
      ['Pool', pool],
      ['Pool', readOnly],
      ['SharedCache', cache],
      ['ValueCache', cache.values('json')],
      ['PageSpace', cache.pages('s', { pageSize: 100 })],
      ['Page', pool.get('k1') as object],
      ['Page', await readOnly.waitFor('k1')],
      ['Page', await cache.fetch('too large', () => new Uint8Array(4 << 20))],
      ['Draft', pool.create('draft', 100)],
      ['Subscription', pool.subscribe({ replay: true })],
      ['Subscription', readOnly.subscribe()],
      ['CheckpointWriter', pool.checkpoint('d')],
      ['Draft', writer.create('other', 10)],
    ];
    writer.commit();
    made.push(['CheckpointWriter', writer], ['Checkpoint', pool.restore('c') as object]);
    return made;
  }

  function expectShort(name: string, handle: object): void {
    const json = JSON.stringify(handle);
    const texts = [json, String(handle), inspect(handle), inspect(handle, { depth: null, showHidden: true })];
    for (const text of [...texts, inspect({ inside: { of: [handle] } })]) {
      expect(text.length, text.slice(0, TEXT_MAX)).to.be.below(TEXT_MAX);
      expect(text).not.to.contain(SECRET);
    }
    for (const text of texts.slice(1)) expect(text).to.match(new RegExp(`^${name} `));
    expect(JSON.parse(json)).to.be.an('object').that.is.not.empty;
  }

  it('show themselves by JSON.stringify, inspect and String in a few words, open or ended, without bytes', async () => {
    const all = await handles();
    for (const [name, handle] of all) expectShort(name, handle);
    await pools.disconnect();
    for (const [name, handle] of all) expectShort(name, handle);
  });

  it('are refused by structuredClone, postMessage and serialize at once, with a word on what to post', async () => {
    const { port1, port2 } = new MessageChannel();
    for (const [name, handle] of await handles()) {
      for (const clone of [structuredClone, serialize, (value: object) => port1.postMessage(value)]) {
        expect(() => clone(handle), name).to.throw(/Post page\.copy\(\)/);
      }
    }
    port1.close();
    port2.close();
  });

  it('say their key, size and state', async () => {
    const pool = await pools.create({ size: '1MiB', pageSize: 4096 });
    pool.put(Uint8Array.of(0xff, 1), new Uint8Array(10));
    const page = pool.get(Uint8Array.of(0xff, 1));
    expect(JSON.parse(JSON.stringify(page))).to.deep.include({ key: '_wE', size: 10, released: false });
    page?.release();
    expect(JSON.parse(JSON.stringify(page))).to.deep.include({ size: 10, released: true });
    const draft = pool.create('k', 5);
    expect(inspect(draft)).to.equal("Draft { key: 'k', size: 5, state: 'open' }");
    draft.seal();
    expect(String(draft)).to.equal('Draft {"key":"k","size":5,"state":"sealed"}');
    expect(JSON.parse(JSON.stringify({ pool })).pool).to.include({ path: pool.path, state: 'connected' });
  });
});
