import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { openTier, tiered } from '../../../adapters/valkey/index.js';
import { notFound, SharedCache } from '../../../src/index.js';
import { makePool } from '../../cache/pools.js';
import { connectTo } from './client.js';
import { bytesOf, fetchText, type HostOptions, makeHost, type TestHost, textOf, until } from './hosts.js';
import { program, type Server, startServer } from './server.js';

const MIB = 2 ** 20;
/** Of a machine that others share. */
const PATIENT = { requestTimeoutMs: 20_000, vouchMs: 20_000, leaseMs: 20_000 };
const never = () => {
  throw new Error('loaded');
};
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function makeHosts(server: Server, options: HostOptions = {}): Promise<[TestHost, TestHost]> {
  const all = { ...PATIENT, ...options };
  return [await makeHost(server.url, all), await makeHost(server.url, all)];
}

function bytesOfSize(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 2654435761) >>> 21;
  return bytes;
}
const hashOf = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest('hex');

if (program !== undefined) {
  describe('a value in the tier', () => {
    it('of any size comes to the other host as it was, with its metadata', async () => {
      const server = await startServer();
      const [one, other] = await makeHosts(server, { chunkBytes: 1000 });
      for (const size of [0, 1, 999, 1000, 1001, 2000, 100_001]) {
        const bytes = bytesOfSize(size);
        const metadata = bytesOf(`of ${size}\0\r\n`);
        (await one.cache.fetch(`key ${size}`, () => bytes, { metadata })).release();
        using page = await other.cache.fetch(`key ${size}`, never);
        expect([hashOf(page.bytes), textOf(page.metadata)], `${size}`).to.deep.equal([hashOf(bytes), textOf(metadata)]);
      }
    });

    it('of 64 MiB does, too, by load and by set', async () => {
      const server = await startServer();
      const hosts = [];
      for (let i = 0; i < 2; i++) {
        const pool = await makePool({ size: '200MiB', pageSize: MIB });
        const tier = openTier({ pool, connect: connectTo(server.url), ...PATIENT });
        hosts.push(await tiered(new SharedCache(pool, { namespace: 'large' }), tier));
      }
      const [one, other] = hosts as [(typeof hosts)[0], (typeof hosts)[0]];
      try {
        const bytes = bytesOfSize(64 * MIB);
        (await one.fetch('loaded', () => bytes)).release();
        expect(hashOf(await other.fetchCopy('loaded', never))).to.equal(hashOf(bytes));
        expect(await one.set('loaded', bytes.subarray(1))).to.equal(true);
        await until(() => !other.has('loaded'));
        expect(hashOf(await other.fetchCopy('loaded', never))).to.equal(hashOf(bytes.subarray(1)));
        expect(Number(server.cli('DBSIZE'))).to.be.lessThan(70);
      } finally {
        for (const cache of hosts) cache.close();
      }
    });

    it('whose chunks are not whole is no value, and is loaded anew', async () => {
      const server = await startServer();
      const [one, other] = await makeHosts(server, { chunkBytes: 10 });
      await fetchText(one, 'key', () => 'a value of more than ten bytes');
      for (const harm of ['DEL', 'SET']) {
        const chunk = server.cli('KEYS', '*:c:*:1').trim();
        expect(chunk).to.match(/:1$/);
        server.cli(harm, chunk, ...(harm === 'SET' ? ['short'] : []));
        expect(await fetchText(other, 'key', () => `loaded anew after ${harm}`)).to.equal(`loaded anew after ${harm}`);
        await other.cache.delete('key');
        await until(() => !one.cache.has('key'));
        await fetchText(one, 'key', () => 'a value of more than ten bytes');
      }
    });

    it('leaves no chunk behind when it ends', async () => {
      const server = await startServer();
      const [one] = await makeHosts(server, { chunkBytes: 10 });
      for (let i = 0; i < 3; i++) {
        await one.cache.set('key', bytesOfSize(95 + i));
        await one.cache.set('key', bytesOfSize(5));
        await one.cache.delete('key');
      }
      expect(server.cli('KEYS', '*:c:*').trim()).to.equal('');
    });

    it('has the key whole: bytes, and names of namespaces with what begins a hash tag', async () => {
      const server = await startServer();
      const [one, other] = await makeHosts(server, { namespace: 'a}b{c%:' });
      const keys = [Uint8Array.of(0, 255, 13, 10), Uint8Array.of(0, 255, 13), 'ü}', '{x}'];
      for (const [i, key] of keys.entries()) (await one.cache.fetch(key, () => Uint8Array.of(i))).release();
      for (const [i, key] of keys.entries()) expect([...(await other.cache.fetchCopy(key, never))]).to.deep.equal([i]);
      await one.cache.delete(keys[0] as Uint8Array);
      await until(() => !other.cache.has(keys[0] as Uint8Array));
      expect(keys.map((key) => other.cache.has(key))).to.deep.equal([false, true, true, true]);
      const slots = new Set(
        server
          .cli('KEYS', '*')
          .trim()
          .split('\n')
          .map((key) => /\{[^}]*\}/.exec(key)?.[0]),
      );
      expect([...slots]).to.deep.equal(['{sealpool:a%7db%7bc%25:}']);
    });

    it('of one namespace, or prefix, is none of another that it begins', async () => {
      const server = await startServer();
      const [one, other] = [
        await makeHost(server.url, { namespace: 'n' }),
        await makeHost(server.url, { namespace: 'n:l' }),
      ];
      await fetchText(one, 'key', () => 'of one');
      expect(await fetchText(other, 'key', () => 'of the other')).to.equal('of the other');
      await one.cache.clear();
      await sleep(300);
      expect([one.cache.has('key'), other.cache.has('key')]).to.deep.equal([false, true]);
    });
  });

  describe('a life in the tier', () => {
    it('is what is left of it, and begins with its load', async () => {
      const server = await startServer();
      const [one, other] = await makeHosts(server);
      let begunMs = 0;
      const load = () => {
        begunMs = Date.now();
        return sleep(400).then(() => bytesOf('value'));
      };
      (await one.cache.fetch('key', load, { ttlMs: 60_000 })).release();
      await sleep(400);
      (await other.cache.fetch('key', never, { ttlMs: 60_000 })).release();
      for (const { pool } of [one, other]) {
        const info = [...pool.list()].find(({ key }) => key.endsWith('key'));
        const lifeMs = Number(info?.expiresAt) - begunMs;
        // The clock of the wall and that of lives are read one after the other.
        expect(lifeMs).to.be.within(60_000 - 400, 60_000 + 300);
      }
    });

    it('that is over is over on every host', async () => {
      const server = await startServer();
      const [one, other] = await makeHosts(server);
      (await one.cache.fetch('key', () => bytesOf('old'), { ttlMs: 300 })).release();
      (await other.cache.fetch('key', never)).release();
      await sleep(350);
      expect([one.cache.has('key'), other.cache.has('key')]).to.deep.equal([false, false]);
      expect(await fetchText(other, 'key', () => 'new')).to.equal('new');
    });

    it('goes on for stale answers: one host loads anew, and who may be answered stale is', async () => {
      const server = await startServer();
      const [one, other] = await makeHosts(server);
      const options = { ttlMs: 50, staleMs: 60_000 };
      (await one.cache.fetch('key', () => bytesOf('old'), options)).release();
      await sleep(100);
      let end = (_: Uint8Array) => {};
      using first = await one.cache.fetch('key', () => new Promise<Uint8Array>((resolve) => (end = resolve)), {
        ...options,
        ttlMs: 60_000,
      });
      await until(() => server.cli('KEYS', '*:l:*').trim() !== '');
      using second = await other.cache.fetch('key', never, options);
      expect([first, second].map((page) => [page.freshness, textOf(page.bytes)])).to.deep.equal([
        ['stale', 'old'],
        ['stale', 'old'],
      ]);
      end(bytesOf('new'));
      await until(() => one.cache.has('key'));
      await until(async () => textOf(await other.cache.fetchCopy('key', never, options)) === 'new');
    });

    it('goes on while the source is down, for a host that had never seen the value', async () => {
      const server = await startServer();
      const [one, other] = await makeHosts(server);
      const options = { ttlMs: 50, staleOnErrorMs: 60_000 };
      (await one.cache.fetch('key', () => bytesOf('old'), options)).release();
      await sleep(100);
      const down = () => Promise.reject(new Error('down'));
      using page = await other.cache.fetch('key', down, options);
      expect([page.freshness, textOf(page.bytes)]).to.deep.equal(['stale', 'old']);
      const error = await other.cache.fetch('key', down, { ttlMs: 50 }).catch((reason: Error) => reason.message);
      expect(error).to.equal('down');
    });

    it('of a negative entry is remembered for all hosts, and ends with a set', async () => {
      const server = await startServer();
      const [one, other] = await makeHosts(server);
      using first = await one.cache.fetch('key', () => notFound, { negativeTtlMs: 60_000 });
      using second = await other.cache.fetch('key', never);
      expect([first.freshness, second.freshness]).to.deep.equal(['negative', 'negative']);
      await one.cache.set('key', bytesOf('there'));
      await until(async () => {
        using page = await other.cache.fetch('key', never);
        return page.freshness === 'fresh';
      });
      await one.cache.setNegative('key', { ttlMs: 60_000 });
      using third = await one.cache.fetch('key', never);
      expect(third.freshness).to.equal('negative');
      await one.cache.delete('key');
      expect(await fetchText(one, 'key', () => 'again')).to.equal('again');
    });

    it('ends with it: nothing of a key without a set stays in the tier', async () => {
      const server = await startServer();
      const [one] = await makeHosts(server, { chunkBytes: 10 });
      (await one.cache.fetch('key', () => bytesOfSize(100), { ttlMs: 100 })).release();
      (await one.cache.fetch('none', () => notFound, { negativeTtlMs: 100 })).release();
      await until(() => server.cli('DBSIZE').trim() === '2');
    });
  });
}
