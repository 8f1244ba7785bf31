/** A cache by values: what goes in comes out, everywhere, and is nobody else's. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type Codec, SharedCache } from '../../src/index.js';
import { bytesOf, codeOf, join, makePool, makeTwo, textIn } from './pools.js';

interface Order {
  id: number;
  lines: string[];
}

describe('a cache by values', () => {
  it('of JSON gives what JSON does, to every node, each a value of its own', async () => {
    const { caches } = await makeTwo();
    const [one, two] = caches.map((cache) => cache.values<Order>('json'));
    const order = { id: 7, lines: ['tea', '茶'] };
    expect(one?.set('k', order)).to.equal(true);
    order.lines.push('changed');
    const found = two?.get('k') as Order;
    expect(found).to.deep.equal({ id: 7, lines: ['tea', '茶'] });
    found.lines.length = 0;
    expect(two?.get('k')?.lines).to.have.length(2);
    expect(textIn(caches[0], 'k')).to.equal('{"id":7,"lines":["tea","茶"]}');
    expect([one?.get('absent'), one?.has('k'), one?.delete('k'), two?.has('k')]).to.deep.equal([
      undefined,
      true,
      true,
      false,
    ]);
  });

  it('keeps every value of JSON and every string as it is', async () => {
    const cache = new SharedCache(await makePool());
    const [values, strings] = [cache.values<unknown>('json'), cache.values('string')];
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.string({ unit: 'grapheme' }), async (value, text) => {
        // What was read stays until the run ends: hundreds of values in one would fill a shard.
        await null;
        expect([values.set('v', value), strings.set('s', `\ufeff${text}`)]).to.deep.equal([true, true]);
        expect(values.get('v')).to.deep.equal(JSON.parse(JSON.stringify(value)));
        expect(strings.get('s')).to.equal(`\ufeff${text}`);
      }),
      { numRuns: 200 },
    );
    values.set('null', null);
    expect([values.get('null'), values.has('null')]).to.deep.equal([null, true]);
  });

  it('loads once for all, and gives who loaded what the others get', async () => {
    const { caches } = await makeTwo();
    let loads = 0;
    const load = async (key: unknown) => {
      loads++;
      await null;
      return { id: 1, lines: [String(key)], at: new Date(0) };
    };
    const all = await Promise.all(
      caches.map((cache) => cache.values<object>('json').fetch('k', load, { ttlMs: 60_000 })),
    );
    expect(loads).to.equal(1);
    const right = { id: 1, lines: ['k'], at: '1970-01-01T00:00:00.000Z' };
    expect(all).to.deep.equal([right, right]);
    for (const cache of caches) expect(cache.stats().node.unsharedCount).to.equal(0);
  });

  it('of a codec of one’s own decodes in place', async () => {
    const cache = new SharedCache(await makePool());
    const codec: Codec<Float64Array> = {
      encode: (numbers) => new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength),
      decode: (bytes) => new Float64Array(bytes.slice().buffer),
    };
    const values = cache.values(codec);
    values.set('k', Float64Array.of(1.5, -2));
    expect(values.get('k')).to.deep.equal(Float64Array.of(1.5, -2));
    expect(await values.fetch('l', () => Float64Array.of(3))).to.deep.equal(Float64Array.of(3));
  });

  it('refuses what cannot come back as it went in, and stores nothing', async () => {
    const cache = new SharedCache(await makePool());
    const [values, strings] = [cache.values<unknown>('json'), cache.values('string')];
    for (const value of [undefined, () => {}, Symbol('s')])
      expect(await codeOf(() => values.set('k', value))).to.equal('OPTION_INVALID');
    for (const value of [7, null, undefined, '\ud800'] as never[])
      expect(await codeOf(() => strings.set('k', value))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => values.fetch('k', async () => undefined))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => values.fetch('k', 7 as never))).to.equal('OPTION_INVALID');
    expect(cache.has('k')).to.equal(false);
    cache.set('raw', bytesOf('{"id":'));
    expect(await codeOf(() => values.get('raw'))).to.equal('OPTION_INVALID');
    for (const codec of ['yaml', undefined, null, {}, { encode() {} }] as never[])
      expect(await codeOf(() => cache.values(codec))).to.equal('OPTION_INVALID');
  });

  it('holds no page: what was fetched pins nothing', async () => {
    const pool = await makePool();
    const other = new SharedCache(await join(pool.path));
    const values = new SharedCache(pool).values<number>('json');
    await values.fetch('k', () => 1);
    await values.fetch('k', () => 2);
    expect(pool.stats().pins).to.equal(0);
    expect(other.values<number>('json').get('k')).to.equal(1);
  });
});
