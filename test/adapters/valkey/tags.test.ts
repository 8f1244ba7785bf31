/** Tags and loads of many keys, through the tier. */
import { expect } from 'chai';
import { checkTier } from '../../../adapters/valkey/options.js';
import { TierSpace } from '../../../adapters/valkey/space.js';
import { notFound } from '../../../src/index.js';
import { codeOf } from '../../cache/pools.js';
import { connectTo } from './client.js';
import { bytesOf, fetchText, makeHost, type TestHost, textOf, until } from './hosts.js';
import { startRelay } from './relay.js';
import { program, startServer } from './server.js';

/** Nothing that takes long is taken for gone. */
const PATIENT = { requestTimeoutMs: 10_000, vouchMs: 20_000, leaseMs: 10_000 };
const TAGGED = { tags: ['t', 'u'] };

async function tagged(
  host: TestHost,
  key: string,
  text: string,
  tags: readonly string[] = TAGGED.tags,
): Promise<string> {
  return textOf(await host.cache.fetchCopy(key, () => bytesOf(text), { tags })) as string;
}

async function makeTwo(): Promise<{
  url: string;
  one: TestHost;
  other: TestHost;
  cli: (...words: string[]) => string;
}> {
  const server = await startServer();
  const [one, other] = [await makeHost(server.url, PATIENT), await makeHost(server.url, PATIENT)];
  return { url: server.url, one, other, cli: (...words) => server.cli(...words) };
}

if (program !== undefined) {
  describe('tags in the tier', () => {
    it('end what has them on every host, in every pool and in the tier, and nothing else', async () => {
      const { one, other, url } = await makeTwo();
      await tagged(one, 'a', 'old');
      await tagged(one, 'b', 'stays', ['another']);
      await fetchText(one, 'c', () => 'untagged');
      for (const key of ['a', 'b', 'c']) await fetchText(other, key, () => 'never');
      expect(['a', 'b', 'c'].map((key) => textOf(other.cache.borrow(key)))).to.deep.equal(['old', 'stays', 'untagged']);
      await one.cache.invalidateTags(['t']);
      expect(['a', 'b', 'c'].map((key) => one.cache.has(key))).to.deep.equal([false, true, true]);
      await until(() => !other.cache.has('a'));
      expect(['b', 'c'].map((key) => other.cache.has(key))).to.deep.equal([true, true]);
      // One that comes later finds none in the tier either.
      const late = await makeHost(url, PATIENT);
      expect(await tagged(late, 'a', 'new')).to.equal('new');
      expect(await Promise.all(['b', 'c'].map((key) => fetchText(late, key, () => 'never')))).to.deep.equal([
        'stays',
        'untagged',
      ]);
      expect(await tagged(one, 'a', 'never')).to.equal('new');
    });

    it('are those of the value and not of who asks: set, fetched and negative ones', async () => {
      const { one, other } = await makeTwo();
      expect(await one.cache.set('set', bytesOf('1'), { tags: ['s'] })).to.equal(true);
      const negative = { negativeTtlMs: 60_000, tags: ['n'] };
      expect((await one.cache.fetch('none', () => notFound, negative)).freshness).to.equal('negative');
      let named = 0;
      const later = () => {
        named++;
        return ['f'];
      };
      await one.cache.fetchCopy('late', () => bytesOf('1'), { tags: later });
      const ask = async (key: string) => {
        using page = await other.cache.fetch(key, () => bytesOf('new'), { tags: ['unlike'] });
        return page.freshness === 'negative' ? 'negative' : textOf(page.bytes);
      };
      const keys = ['set', 'none', 'late'];
      const all = async () => [await ask('set'), await ask('none'), await ask('late')];
      expect([await all(), named]).to.deep.equal([['1', 'negative', '1'], 1]);
      await one.cache.invalidateTags(['unlike']);
      await until(() => other.cache.stats().channel.applied >= 1);
      expect(await all()).to.deep.equal(['1', 'negative', '1']);
      const applied = other.cache.stats().channel.applied;
      await one.cache.invalidateTags(['s', 'n', 'f']);
      await until(() => other.cache.stats().channel.applied > applied);
      expect(keys.map((key) => other.cache.has(key))).to.deep.equal([false, false, false]);
      expect(await all()).to.deep.equal(['new', 'new', 'new']);
    });

    for (const who of ['its own host', 'another host'] as const) {
      it(`that ${who} ends in the middle of a load make it its caller's alone`, async () => {
        const { one, other } = await makeTwo();
        let open = (_: Uint8Array) => {};
        const source = new Promise<Uint8Array>((resolve) => {
          open = resolve;
        });
        let began = false;
        const slow = one.cache.fetchCopy(
          'key',
          () => {
            began = true;
            return source;
          },
          TAGGED,
        );
        await until(() => began);
        await (who === 'its own host' ? one : other).cache.invalidateTags(['u']);
        open(bytesOf('old'));
        expect(textOf(await slow)).to.equal('old');
        expect(one.cache.has('key')).to.equal(false);
        expect(one.cache.stats().tier.refusedFills).to.equal(1);
        expect(await tagged(other, 'key', 'new')).to.equal('new');
        expect(await tagged(one, 'key', 'never')).to.equal('new');
      });
    }

    it('that this host was not told of yet are known to the tier: nothing of before comes into its pool', async () => {
      const server = await startServer();
      const relay = await startRelay(server.port);
      const urls = [relay.url];
      const connect = (settings: object) => connectTo(urls.shift() ?? server.url)(settings);
      const deaf = await makeHost('', { ...PATIENT, vouchMs: 60_000, connect });
      const other = await makeHost(server.url, PATIENT);
      await tagged(other, 'key', 'old');
      relay.isHeld = true;
      await other.cache.invalidateTags(['t']);
      expect(await tagged(deaf, 'key', 'new')).to.equal('new');
      expect(deaf.cache.stats().channel.applied).to.equal(0);
      // Told late of what is over: what was loaded after it may go too, and never comes back older.
      relay.isHeld = false;
      await until(() => deaf.cache.stats().channel.applied === 1);
      expect(await tagged(deaf, 'key', 'never')).to.equal('new');
    });

    it('may be served stale from a pool that has them, for as long as whoever ended them says', async () => {
      const { one, other } = await makeTwo();
      for (const host of [one, other]) await tagged(host, 'key', 'old');
      await one.cache.invalidateTags(['t'], { staleFor: 60_000 });
      await until(() => !other.cache.has('key'));
      let loads = 0;
      const load = () => {
        loads++;
        return bytesOf('new');
      };
      for (const { cache } of [other, one]) {
        using page = await cache.fetch('key', load, TAGGED);
        expect([textOf(page.bytes), page.freshness]).to.deep.equal(['old', 'stale']);
        await until(() => cache.has('key'));
        expect(textOf(cache.borrow('key'))).to.equal('new');
      }
      expect(loads).to.equal(1);
      await one.cache.invalidateTags(['t']);
      using page = await one.cache.fetch('key', () => bytesOf('newest'), TAGGED);
      expect([textOf(page.bytes), page.freshness]).to.deep.equal(['newest', 'fresh']);
    });

    it('outlive a restart of all hosts, take a bounded room, and bar everything where they are lost', async () => {
      const { one, cli, url } = await makeTwo();
      await tagged(one, 'key', 'old');
      await one.cache.invalidateTags(['t']);
      const fields = Number(cli('HLEN', '{sealpool:n}:meta'));
      for (let i = 0; i < 20; i++) await one.cache.invalidateTags(['t', 'u']);
      expect(Number(cli('HLEN', '{sealpool:n}:meta'))).to.equal(fields + 4);
      const late = await makeHost(url, PATIENT);
      expect(await tagged(late, 'key', 'new')).to.equal('new');
      cli('DEL', '{sealpool:n}:meta');
      const later = await makeHost(url, PATIENT);
      expect(await tagged(later, 'key', 'newest')).to.equal('newest');
    });

    it('and options that make no sense are refused, and reach nobody', async () => {
      const { one, other } = await makeTwo();
      const wrong = [[''], ['x'.repeat(1025)], [7 as unknown as string], 't' as unknown as string[]];
      for (const tags of wrong) {
        expect(await codeOf(() => one.cache.invalidateTags(tags))).to.equal('OPTION_INVALID');
        expect(await codeOf(() => one.cache.set('k', bytesOf('v'), { tags }))).to.equal('OPTION_INVALID');
        expect(await codeOf(() => one.cache.fetch('k', () => bytesOf('v'), { tags }))).to.equal('OPTION_INVALID');
      }
      expect(await codeOf(() => one.cache.invalidateTags(['t'], { staleFor: -1 }))).to.equal('OPTION_INVALID');
      await one.cache.delete('last');
      await until(() => other.cache.stats().channel.applied === 1);
    });
  });

  describe('many keys through the tier', () => {
    const KEYS = Array.from({ length: 40 }, (_, i) => `key ${i}`);
    const answer = (keys: readonly unknown[]) => keys.map((key) => bytesOf(`of ${key}`));
    const texts = (pages: Map<unknown, { bytes: Uint8Array; release(): void }>) =>
      [...pages].map(([key, page]) => {
        const text = textOf(page.bytes);
        page.release();
        return [key, text];
      });
    const right = (keys: readonly string[]) => keys.map((key) => [key, `of ${key}`]);

    it('are one question for all that is missing, and one call of the loader for what nobody has', async () => {
      const { one, other } = await makeTwo();
      const calls: (readonly unknown[])[] = [];
      const load = (keys: readonly unknown[]) => {
        calls.push(keys);
        return answer(keys);
      };
      await fetchText(one, 'key 3', () => 'of key 3');
      const before = one.cache.stats().tier.requests;
      expect(texts(await one.cache.fetchMany(KEYS, load, { ttlMs: 60_000 }))).to.deep.equal(right(KEYS));
      expect(calls).to.deep.equal([KEYS.filter((key) => key !== 'key 3')]);
      // One question, and a fill for each key that was loaded.
      expect(one.cache.stats().tier.requests - before).to.equal(1 + 39);
      const asked = other.cache.stats().tier.requests;
      expect(texts(await other.cache.fetchMany(KEYS, load))).to.deep.equal(right(KEYS));
      expect([other.cache.stats().tier.requests - asked, calls.length]).to.deep.equal([1, 1]);
      // From the pool now.
      expect(texts(await other.cache.fetchMany(KEYS, load))).to.deep.equal(right(KEYS));
      expect(other.cache.stats().tier.requests - asked).to.equal(1);
    });

    it('that two hosts want in another order are loaded once each, and both end', async () => {
      const { one, other } = await makeTwo();
      const loaded: unknown[] = [];
      const load = async (keys: readonly unknown[]) => {
        loaded.push(...keys);
        await new Promise((resolve) => setTimeout(resolve, 30));
        return new Map(keys.map((key) => [key as string, bytesOf(`of ${key}`)]));
      };
      const [first, second] = [KEYS.slice(0, 30), KEYS.slice(10).reverse()];
      const both = await Promise.all([one.cache.fetchMany(first, load), other.cache.fetchMany(second, load)]);
      expect(both.map(texts)).to.deep.equal([right(first), right(second)]);
      expect(loaded.sort()).to.deep.equal([...KEYS].sort());
    });

    it('that the source has nothing for are left out, remembered only where it says so, and loads that fail give their leases back', async () => {
      const { one, other } = await makeTwo();
      const failing = () => {
        throw new Error('down');
      };
      expect(await codeOf(() => one.cache.fetchMany(KEYS, failing))).to.equal('Error: down');
      const load = (keys: readonly unknown[]) =>
        new Map(
          keys
            .filter((key) => key !== 'key 1')
            .map((key) => [key as string, key === 'key 2' ? notFound : bytesOf(`of ${key}`)]),
        );
      const some = KEYS.slice(0, 5);
      const found = right(['key 0', 'key 3', 'key 4']);
      expect(texts(await other.cache.fetchMany(some, load as never, { negativeTtlMs: 60_000 }))).to.deep.equal(found);
      const asked: unknown[] = [];
      const again = (keys: readonly unknown[]) => {
        asked.push(...keys);
        return load(keys);
      };
      expect(texts(await one.cache.fetchMany(some, again as never))).to.deep.equal(found);
      expect(asked).to.deep.equal(['key 1']);
    });

    it('have tags each', async () => {
      const { one, other } = await makeTwo();
      const keys = ['a', 'b', 'c', 'd', 'e'];
      await one.cache.fetchMany(keys, answer, { tags: (key) => [`tag ${key}`] }).then(texts);
      await one.cache.invalidateTags(['tag b']);
      expect(keys.map((key) => one.cache.has(key))).to.deep.equal([true, false, true, true, true]);
      const loaded: unknown[] = [];
      const load = (missing: readonly unknown[]) => {
        loaded.push(...missing);
        return answer(missing);
      };
      expect(texts(await other.cache.fetchMany(keys, load))).to.deep.equal(right(keys));
      expect(loaded).to.deep.equal(['b']);
    });

    it('whose values are more than 8 MiB come in several answers', async () => {
      const { one, url } = await makeTwo();
      const large = new Uint8Array(900_000).fill(7);
      const keys = Array.from({ length: 11 }, (_, i) => `large ${i}`);
      for (const key of keys) await one.cache.set(key, large);
      const settings = checkTier({ pool: one.pool, connect: connectTo(url), ...PATIENT });
      const space = new TierSpace(settings, 'n', settings.connect);
      await space.connection.open(5000);
      const answers = await space.askMany(
        keys.map(bytesOf),
        { place: undefined, floor: '' },
        { leases: true, staleMs: 0 },
      );
      space.close();
      const kinds = answers.map(({ kind }) => kind);
      expect(kinds).to.deep.equal([...Array(9).fill('value'), 'wait', 'wait']);
      for (const answer of answers)
        if (answer.kind === 'value') expect(Buffer.compare(answer.bytes, large)).to.equal(0);
    });

    it('are loaded without a tier that is gone, and an answer that is none is refused', async () => {
      const server = await startServer();
      const one = await makeHost(server.url, { requestTimeoutMs: 300, breakerPauseMs: 60_000 });
      for (const nothing of [undefined, [], 7, [bytesOf('x')]])
        expect(await codeOf(() => one.cache.fetchMany(['a', 'b'], () => nothing as never))).to.match(
          /TypeError|OPTION_INVALID/,
        );
      await server.kill();
      expect(texts(await one.cache.fetchMany(['a', 'b'], answer))).to.deep.equal(right(['a', 'b']));
    });

    it('have long names too', async () => {
      const { one, other } = await makeTwo();
      const long = ['x'.repeat(5000), `${'x'.repeat(60_000)}y`];
      expect(texts(await one.cache.fetchMany(long, answer))).to.deep.equal(right(long));
      expect(await fetchText(other, long[1] as string, () => 'never')).to.equal(`of ${long[1]}`);
      await one.cache.delete(long[1] as string);
      await until(() => !other.cache.has(long[1] as string));
      expect(await fetchText(other, long[0] as string, () => 'never')).to.equal(`of ${long[0]}`);
    });
  });
}
