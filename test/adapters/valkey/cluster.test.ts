import { expect } from 'chai';
import { type Cluster, startCluster } from './cluster.js';
import { bytesOf, fetchText, makeHost, type TestHost, textOf, until } from './hosts.js';
import { program, type Server } from './server.js';

const OPTIONS = { heartbeatMs: 100, vouchMs: 3000, requestTimeoutMs: 1000, breakerPauseMs: 200, chunkBytes: 1000 };

const makeHostOf = ({ connect }: Cluster, namespace = 'n'): Promise<TestHost> =>
  makeHost('', { ...OPTIONS, connect, namespace });

async function expectTogether(one: TestHost, other: TestHost, name: string): Promise<void> {
  let turn = 0;
  // The circuit breakers close when somebody asks.
  await until(async () => {
    const key = `${name} ${turn++}`;
    await fetchText(one, key, () => 'of one');
    return (await fetchText(other, key, () => 'of other')) === 'of one' && one.cache.stats().channel.isVouched;
  });
  const key = `${name} ${turn - 1}`;
  await until(() => other.cache.stats().channel.isVouched);
  await until(() =>
    one.cache.delete(key).then(
      () => true,
      () => false,
    ),
  );
  await until(() => !other.cache.has(key));
}

/** Of one of its tags, which ends on both and in the tier. */
async function expectTagged(one: TestHost, other: TestHost, name: string): Promise<void> {
  const tagged = (host: TestHost, text: string) =>
    host.cache.fetchCopy(name, () => bytesOf(text), { tags: [`of ${name}`, 'of all'] }).then(textOf);
  await until(async () => {
    await tagged(one, 'old');
    return (await tagged(other, 'old of other')) === 'old';
  });
  await endTag(one, `of ${name}`);
  await until(() => !other.cache.has(name));
  expect([one.cache.has(name), await tagged(other, 'new'), await tagged(one, 'never')]).to.deep.equal([
    false,
    'new',
    'new',
  ]);
}

/** Until it is known to all. */
async function endTag(host: TestHost, tag: string): Promise<void> {
  await until(() =>
    host.cache.invalidateTags([tag]).then(
      () => true,
      () => false,
    ),
  );
}

/** Slot by slot, key by key, as an operator does it. */
function moveSlot(cluster: Cluster, key: string, from: Server, to: Server): void {
  const slot = from.cli('CLUSTER', 'KEYSLOT', key).trim();
  const [fromId, toId] = [from, to].map((server) => server.cli('CLUSTER', 'MYID').trim()) as [string, string];
  to.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
  from.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
  for (;;) {
    const keys = from.cli('CLUSTER', 'GETKEYSINSLOT', slot, '100').trim();
    if (keys === '') break;
    from.cli('MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys.split('\n'));
  }
  for (const server of [to, from, ...cluster.servers]) server.cli('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
}

if (program !== undefined) {
  describe('a cluster as the tier', () => {
    let cluster: Cluster;
    beforeEach(async () => {
      cluster = await startCluster();
    });

    it('carries pages and invalidations, of every namespace, whatever slot it has', async () => {
      for (const namespace of ['n', 'm', 'o', 'p']) {
        const [one, other] = [await makeHostOf(cluster, namespace), await makeHostOf(cluster, namespace)];
        await expectTogether(one, other, namespace);
        await expectTagged(one, other, `tagged in ${namespace}`);
        await one.cache.set('large', new Uint8Array(5500).fill(7));
        expect((await other.cache.fetchCopy('large', () => bytesOf('never'))).length).to.equal(5500);
      }
    });

    it('whose slot moves goes on, and nothing that was told is lost', async () => {
      const [one, other] = [await makeHostOf(cluster), await makeHostOf(cluster)];
      await fetchText(one, 'key', () => 'old');
      await fetchText(other, 'key', () => 'never');
      const from = cluster.primaryOf('{sealpool:n}');
      const to = cluster.servers.slice(0, 3).find((server) => server !== from) as Server;
      await one.cache.fetchCopy('tagged', () => bytesOf('old'), { tags: ['t'] });
      moveSlot(cluster, '{sealpool:n}', from, to);
      // What the tier knows of tags has moved with it: a host that has not got the value yet does not get it any more.
      await endTag(one, 't');
      expect(textOf(await other.cache.fetchCopy('tagged', () => bytesOf('new')))).to.equal('new');
      await until(() =>
        one.cache.delete('key').then(
          () => true,
          () => false,
        ),
      );
      await until(() => !other.cache.has('key'));
      expect(cluster.primaryOf('{sealpool:n}').port).to.equal(to.port);
      await expectTogether(one, other, 'moved');
      await expectTagged(one, other, 'tagged and moved');
      expect(await fetchText(other, 'key', () => 'new')).to.equal('new');
    });

    it('whose primary dies goes on with its replica, without what the primary alone knew', async () => {
      const [one, other] = [await makeHostOf(cluster), await makeHostOf(cluster)];
      await fetchText(one, 'key', () => 'old');
      await fetchText(other, 'key', () => 'never');
      const primary = cluster.primaryOf('{sealpool:n}');
      await primary.kill();
      await until(() =>
        one.cache.delete('key').then(
          () => true,
          () => false,
        ),
      );
      await until(() => !other.cache.has('key'));
      expect(cluster.primaryOf('{sealpool:n}').port).to.not.equal(primary.port);
      await expectTogether(one, other, 'after');
      await expectTagged(one, other, 'tagged after');
      expect(await fetchText(other, 'key', () => 'new')).to.equal('new');
      expect(await fetchText(one, 'key', () => 'never')).to.equal('new');
    });
  });
}
