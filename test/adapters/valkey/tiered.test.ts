import { expect } from 'chai';
import { bytesOf, fetchText, makeHost, textOf, until } from './hosts.js';
import { program, startServer } from './server.js';

if (program !== undefined) {
  describe('two hosts and a tier', () => {
    it('load a key once, however many ask at a time, and have the same bytes', async () => {
      const { url } = await startServer();
      const [one, other] = [await makeHost(url), await makeHost(url)];
      let loads = 0;
      const load = async () => {
        loads++;
        await new Promise((resolve) => setTimeout(resolve, 50));
        return 'value';
      };
      const hosts = [one, other, one, other, one, other];
      const texts = await Promise.all(hosts.map((host) => fetchText(host, 'key', load)));
      expect(texts).to.deep.equal(hosts.map(() => 'value'));
      expect(loads).to.equal(1);
      expect([one, other].map((host) => textOf(host.cache.borrow('key')))).to.deep.equal(['value', 'value']);
    });

    it('what one deletes is a miss for the other once it is told', async () => {
      const { url } = await startServer();
      const [one, other] = [await makeHost(url), await makeHost(url)];
      await fetchText(one, 'key', () => 'old');
      await fetchText(other, 'key', () => 'never');
      expect(textOf(other.cache.borrow('key'))).to.equal('old');
      await one.cache.delete('key');
      expect(one.cache.has('key')).to.equal(false);
      await until(() => !other.cache.has('key'));
      expect(await fetchText(other, 'key', () => 'new')).to.equal('new');
      expect(await fetchText(one, 'key', () => 'never')).to.equal('new');
    });

    it('what one sets the other gets, without a load', async () => {
      const { url } = await startServer();
      const [one, other] = [await makeHost(url), await makeHost(url)];
      await fetchText(other, 'key', () => 'old');
      expect(await one.cache.set('key', bytesOf('new'))).to.equal(true);
      await until(() => !other.cache.has('key'));
      expect(await fetchText(other, 'key', () => 'never')).to.equal('new');
      expect(await fetchText(one, 'key', () => 'never')).to.equal('new');
    });

    it('stays vouched for while its pool is full, and misses all the time', async () => {
      const { url } = await startServer();
      const one = await makeHost(url, { heartbeatMs: 2000, vouchMs: 20_000 });
      const bytes = new Uint8Array(16_000);
      for (let i = 0; i < 3000; i++) (await one.cache.fetch(`key ${i}`, () => bytes, { ttlMs: 60_000 })).release();
      const { pool, channel } = one.cache.stats();
      expect(pool.evictionCount).to.be.greaterThan(1000);
      expect([channel.drops, channel.takeovers, channel.isVouched]).to.deep.equal([1, 1, true]);
    });
  });
}
