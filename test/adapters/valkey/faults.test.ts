import { createClient } from '@redis/client';
import { expect } from 'chai';
import { openTier, tiered } from '../../../adapters/valkey/index.js';
import { SharedCache } from '../../../src/index.js';
import { atEnd, makePool } from '../../cache/pools.js';
import { bytesOf, fetchText, makeHost, type TestHost, textOf, until } from './hosts.js';
import { startRelay } from './relay.js';
import { program, startServer } from './server.js';

const QUICK = { heartbeatMs: 50, vouchMs: 1000, requestTimeoutMs: 400, breakerPauseMs: 200 };

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: { code?: string }) => error.code,
  );

/** What is there is answered, what is not is loaded, and what others cannot be told is said so. */
async function expectAway(host: TestHost): Promise<void> {
  for (let i = 0; i < 5; i++) expect(await fetchText(host, `away ${i}`, () => 'loaded')).to.equal('loaded');
  expect(textOf(host.cache.borrow('away 4'))).to.equal('loaded');
  await until(() => !host.cache.stats().channel.isVouched);
  expect(host.cache.has('key')).to.equal(false);
  expect(await codeOf(host.cache.delete('key'))).to.equal('TIER_UNREACHABLE');
  expect(await codeOf(host.cache.set('key', bytesOf('new')))).to.equal('TIER_UNREACHABLE');
  const { tier } = host.cache.stats();
  expect([tier.failures > 0, tier.bypassed > 0]).to.deep.equal([true, true]);
}

/** As before, for both hosts. */
async function expectBack(one: TestHost, other: TestHost): Promise<void> {
  await until(() => [one, other].every(({ cache }) => cache.stats().channel.isVouched));
  let turn = 0;
  await until(async () => {
    const key = `back ${turn++}`;
    await fetchText(one, key, () => 'of one');
    return (await fetchText(other, key, () => 'of other')) === 'of one';
  });
  expect([one, other].map(({ cache }) => cache.stats().tier.isBreakerOpen)).to.deep.equal([false, false]);
  await one.cache.delete(`back ${turn - 1}`);
  await until(() => !other.cache.has(`back ${turn - 1}`));
}

if (program !== undefined) {
  describe('a tier that is away', () => {
    it('killed and started anew, is gone on without, and used again', async () => {
      const server = await startServer();
      const [one, other] = [await makeHost(server.url, QUICK), await makeHost(server.url, QUICK)];
      await fetchText(one, 'key', () => 'old');
      await server.kill();
      await expectAway(one);
      await server.start();
      await expectBack(one, other);
    });

    it('paused, is found out and gone on without, and used again', async () => {
      const server = await startServer();
      const [one, other] = [await makeHost(server.url, QUICK), await makeHost(server.url, QUICK)];
      await fetchText(one, 'key', () => 'old');
      server.signal('SIGSTOP');
      await expectAway(one);
      expect(one.cache.stats().tier.timeouts).to.be.greaterThan(0);
      server.signal('SIGCONT');
      await expectBack(one, other);
    });

    it('costs no more requests than the circuit breaker lets through', async () => {
      const server = await startServer();
      const one = await makeHost(server.url, { ...QUICK, breakerPauseMs: 60_000 });
      server.signal('SIGSTOP');
      for (let i = 0; i < 20; i++) await fetchText(one, `key ${i}`, () => 'loaded');
      server.signal('SIGCONT');
      const { requests, bypassed, breakerOpenings, timeouts } = one.cache.stats().tier;
      expect([requests, bypassed, breakerOpenings, timeouts]).to.deep.equal([3, 17, 1, 3]);
    });

    it('from the start, is gone on without', async () => {
      const server = await startServer();
      await server.kill();
      const one = await makeHost(server.url, QUICK);
      await expectAway(one);
      await server.start();
      await expectBack(one, await makeHost(server.url, QUICK));
    });

    it('what is loaded meanwhile has a short life', async () => {
      const server = await startServer();
      const one = await makeHost(server.url, { ...QUICK, unvouchedTtlMs: 300 });
      await server.kill();
      await until(() => !one.cache.stats().channel.isVouched);
      let loads = 0;
      const load = () => `load ${loads++}`;
      expect(await fetchText(one, 'key', load)).to.equal('load 0');
      await until(async () => (await fetchText(one, 'key', load)) !== 'load 0');
    });
  });

  describe('a tier that answers badly', () => {
    it('slowly, is waited for up to the time limit of a request, and then not', async () => {
      const server = await startServer();
      const relay = await startRelay(server.port);
      const [one, other] = [await makeHost(relay.url, QUICK), await makeHost(server.url, QUICK)];
      relay.delayMs = 30;
      await fetchText(other, 'key', () => 'of other');
      expect(await fetchText(one, 'key', () => 'of one')).to.equal('of other');
      relay.delayMs = 3000;
      await expectAway(one);
      relay.delayMs = 0;
      await expectBack(one, other);
    });

    it('cut in the middle of a reply, gives no torn value', async () => {
      const server = await startServer();
      const relay = await startRelay(server.port);
      const [one, other] = [await makeHost(relay.url, QUICK), await makeHost(server.url, QUICK)];
      const whole = 'whole '.repeat(10_000);
      for (let round = 0; round < 8; round++) {
        await until(() => other.cache.stats().channel.isVouched);
        await fetchText(other, `key ${round}`, () => whole);
        relay.cutAfter = 1 + round * 5000;
        expect(await fetchText(one, `key ${round}`, () => whole)).to.equal(whole);
      }
      relay.cutAfter = Number.POSITIVE_INFINITY;
      await expectBack(one, other);
    });

    it('with a wrong password, is gone on without', async () => {
      const server = await startServer('--requirepass', 'right');
      const pool = await makePool();
      const url = server.url.replace('//', '//:wrong@');
      const tier = openTier({ pool, connect: (settings) => createClient({ url, ...settings }), ...QUICK });
      atEnd(() => tier.close());
      const cache = await tiered(new SharedCache(pool), tier);
      await expectAway({ pool, cache });
      const right = await makeHost(server.url.replace('//', '//:right@'), QUICK);
      expect(await fetchText(right, 'key', () => 'value')).to.equal('value');
      expect(right.cache.stats().channel.isVouched).to.equal(true);
    });

    it('without memory, still tells what was deleted, and says of a value that it is not stored', async () => {
      const server = await startServer('--maxmemory', '3mb', '--maxmemory-policy', 'noeviction');
      const [one, other] = [await makeHost(server.url), await makeHost(server.url)];
      await fetchText(one, 'key', () => 'old');
      await fetchText(other, 'key', () => 'never');
      server.cli('CONFIG', 'SET', 'maxmemory', '1');
      expect(await fetchText(one, 'other', () => 'loaded')).to.equal('loaded');
      expect(textOf(one.cache.borrow('other'))).to.equal('loaded');
      expect(one.cache.stats().tier.failedFills).to.equal(1);
      // Nobody has to wait for the lease of what was not stored.
      expect(server.cli('KEYS', '*:l:*').trim()).to.equal('');
      await one.cache.delete('key');
      await until(() => !other.cache.has('key'));
      expect(await one.cache.set('key', bytesOf('new'))).to.equal(false);
      expect(await fetchText(other, 'key', () => 'new')).to.equal('new');
      server.cli('CONFIG', 'SET', 'maxmemory', '0');
      expect(await one.cache.set('key', bytesOf('newer'))).to.equal(true);
    });
  });
}
