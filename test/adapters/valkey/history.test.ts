/** Where caches in two tiers have gone wrong, by what is told of them. */
import { expect } from 'chai';
import { checkTier } from '../../../adapters/valkey/options.js';
import { TierSpace } from '../../../adapters/valkey/space.js';
import { makePool } from '../../cache/pools.js';
import { connectTo } from './client.js';
import { bytesOf, fetchText, joinHost, makeHost, type TestHost, textOf, until } from './hosts.js';
import { startRelay } from './relay.js';
import { program, type Server, startServer } from './server.js';

/** Nothing that takes long is taken for gone. */
const PATIENT = { requestTimeoutMs: 10_000, vouchMs: 20_000 };
/** Found out by what a relay does. */
const CUT = { heartbeatMs: 50, vouchMs: 60_000, requestTimeoutMs: 10_000, breakerPauseMs: 100 };
const QUICK = { heartbeatMs: 50, vouchMs: 400, requestTimeoutMs: 200, breakerPauseMs: 100 };

function gate<T>(): { open: (value: T) => void; passed: Promise<T> } {
  let open = (_: T) => {};
  const passed = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { open, passed };
}

async function makeSpace(server: Server, leaseMs = 2000): Promise<TierSpace> {
  const settings = checkTier({ pool: await makePool(), connect: connectTo(server.url), leaseMs, ...PATIENT });
  const space = new TierSpace(settings, 'n', settings.connect);
  await space.connection.open(5000);
  return space;
}

const KEY = bytesOf('key');
const UNSEEN = { place: undefined, floor: '' };
const LEASE = { leases: true, staleMs: 0 };
const stored = (text: string) => ({
  bytes: bytesOf(text),
  metadata: undefined,
  isNegative: false,
  freshMs: undefined,
  keptMs: 0,
});

async function leaseOf(space: TierSpace): Promise<string> {
  const answer = await space.ask(KEY, UNSEEN, LEASE);
  if (answer.kind !== 'lease') throw new Error(`no lease but ${answer.kind}`);
  return answer.lease;
}

async function valueIn(space: TierSpace): Promise<string | undefined> {
  const answer = await space.ask(KEY, UNSEEN, { leases: false, staleMs: 0 });
  return answer.kind === 'value' ? textOf(answer.bytes) : undefined;
}

/** A host whose channel leads over a relay, and nothing else. */
async function makeDeaf() {
  const server = await startServer();
  const relay = await startRelay(server.port);
  // Its first connection is the channel.
  const urls = [relay.url];
  const connect = (settings: object) => connectTo(urls.shift() ?? server.url)(settings);
  const one = await makeHost('', { ...PATIENT, vouchMs: 60_000, connect });
  return { server, relay, one };
}

if (program !== undefined) {
  describe('a load that was overtaken', () => {
    for (const how of ['delete', 'set', 'clear'] as const) {
      it(`by ${how} of another host is its caller's alone: no pool has it, nor the tier`, async () => {
        const { url } = await startServer();
        const [one, other] = [await makeHost(url, PATIENT), await makeHost(url, PATIENT)];
        const source = gate<string>();
        const began = gate<void>();
        const slow = fetchText(one, 'key', () => {
          began.open();
          return source.passed;
        });
        await began.passed;
        if (how === 'set') await other.cache.set('key', bytesOf('new'));
        else if (how === 'delete') await other.cache.delete('key');
        else await other.cache.clear();
        source.open('old');
        expect(await slow).to.equal('old');
        expect(textOf(one.cache.borrow('key'))).to.equal(undefined);
        expect(await fetchText(other, 'key', () => 'new')).to.equal('new');
        expect(await fetchText(one, 'key', () => 'never')).to.equal('new');
      });
    }

    it('is refused by the tier where its host was not told yet', async () => {
      const { server, relay, one } = await makeDeaf();
      const other = await makeHost(server.url, PATIENT);
      const source = gate<string>();
      const began = gate<void>();
      const slow = fetchText(one, 'key', () => {
        began.open();
        return source.passed;
      });
      await began.passed;
      relay.isHeld = true;
      await other.cache.delete('key');
      source.open('old');
      expect(await slow).to.equal('old');
      expect(one.cache.has('key')).to.equal(false);
      const { tier, channel } = one.cache.stats();
      expect([tier.refusedFills, channel.applied, channel.isVouched]).to.deep.equal([1, 0, true]);
    });

    it('does not overwrite what another has loaded since under a lease of its own', async () => {
      const server = await startServer();
      const [one, other] = [await makeSpace(server, 50), await makeSpace(server)];
      const late = await leaseOf(one);
      await until(() => server.cli('EXISTS', '{sealpool:n}:l:key').trim() === '0');
      const lease = await leaseOf(other);
      expect(await one.fill(KEY, late, stored('late'))).to.equal('refused');
      expect(await other.fill(KEY, lease, stored('fresh'))).to.equal('stored');
      expect(await one.fill(KEY, late, stored('late'))).to.equal('refused');
      expect(await valueIn(other)).to.equal('fresh');
      await one.release(KEY, late);
      expect(await valueIn(other)).to.equal('fresh');
      for (const space of [one, other]) space.close();
    });

    it('gives back no lease that is not its own', async () => {
      const server = await startServer();
      const [one, other] = [await makeSpace(server), await makeSpace(server)];
      const late = await leaseOf(one);
      await one.tell(KEY, '');
      const lease = await leaseOf(other);
      await one.release(KEY, late);
      await one.renew(KEY, late);
      expect(await other.fill(KEY, lease, stored('fresh'))).to.equal('stored');
      for (const space of [one, other]) space.close();
    });

    it('by a full invalidation does not publish, although its lease is there', async () => {
      const server = await startServer();
      const space = await makeSpace(server);
      const lease = await leaseOf(space);
      await space.tell(undefined, '');
      expect(await space.fill(KEY, lease, stored('old'))).to.equal('refused');
      expect(await valueIn(space)).to.equal(undefined);
      space.close();
    });
  });

  describe('an invalidation', () => {
    it('survives a restart of all processes of a host between it and the next load', async () => {
      const { url } = await startServer();
      const [one, other] = [await makeHost(url), await makeHost(url)];
      await fetchText(one, 'key', () => 'old');
      await fetchText(one, 'other', () => 'stays');
      expect(await fetchText(one, 'key', () => 'never')).to.equal('old');
      one.cache.close();
      await other.cache.delete('key');
      const again = await joinHost(one, url);
      await until(() => again.cache.stats().channel.applied > 0);
      expect([again.cache.has('key'), textOf(again.cache.borrow('other'))]).to.deep.equal([false, 'stays']);
      expect(again.cache.stats().channel.drops).to.equal(0);
    });

    it('ends what was read from the tier between its call and when the tier knew', async () => {
      const { server, relay, one } = await makeDeaf();
      await fetchText(one, 'key', () => 'old');
      relay.isHeld = true;
      server.cli('SCRIPT', 'FLUSH');
      await fetchText(one, 'other', () => 'so that the server knows how to be asked');
      // It does not know how to be told: that takes one request more.
      const told = one.cache.delete('key');
      const read = fetchText(one, 'key', () => 'never');
      await told;
      expect(await read).to.equal('old');
      expect([one.cache.has('key'), one.cache.stats().channel.applied]).to.deep.equal([false, 0]);
      expect(await fetchText(one, 'key', () => 'new')).to.equal('new');
    });

    it('of everything without keys, a flush of the server, empties every pool', async () => {
      const server = await startServer();
      const [one, other] = [await makeHost(server.url), await makeHost(server.url)];
      for (const host of [one, other]) await fetchText(host, 'key', () => 'old');
      server.cli('FLUSHALL');
      await until(() => !one.cache.has('key') && !other.cache.has('key'));
      expect(await fetchText(one, 'key', () => 'new')).to.equal('new');
      expect(await fetchText(other, 'key', () => 'never')).to.equal('new');
    });

    it('that the log has lost, while the host was cut off, drops its pool', async () => {
      const server = await startServer();
      const relay = await startRelay(server.port);
      const options = { ...CUT, logLength: 1 };
      const [one, other] = [await makeHost(relay.url, options), await makeHost(server.url, options)];
      await fetchText(one, 'key', () => 'old');
      relay.isHeld = true;
      await other.cache.delete('key');
      // Trimmed is by nodes of a hundred entries.
      for (let i = 0; i < 300; i++) await other.cache.delete(`other ${i}`);
      relay.isHeld = false;
      relay.cut();
      await until(() => one.cache.stats().channel.drops > 1);
      expect(one.cache.has('key')).to.equal(false);
    });

    it('while the host was cut off for a moment costs it that key alone', async () => {
      const server = await startServer();
      const relay = await startRelay(server.port);
      const [one, other] = [await makeHost(relay.url, CUT), await makeHost(server.url, CUT)];
      await fetchText(one, 'key', () => 'old');
      await fetchText(one, 'other', () => 'stays');
      relay.isHeld = true;
      await other.cache.delete('key');
      relay.isHeld = false;
      relay.cut();
      await until(() => !one.cache.has('key'));
      expect([textOf(one.cache.borrow('other')), one.cache.stats().channel.drops]).to.deep.equal(['stays', 1]);
    });
  });

  describe('a connection that died without a word', () => {
    it('is found by what does not come, and what it had told is dropped', async () => {
      const server = await startServer();
      const relay = await startRelay(server.port);
      const one = await makeHost(relay.url, QUICK);
      const other = await makeHost(server.url, PATIENT);
      await fetchText(one, 'key', () => 'old');
      relay.isHeld = true;
      await other.cache.delete('key');
      await until(() => !one.cache.has('key'));
      expect(one.cache.stats().channel.isVouched).to.equal(false);
      expect(await fetchText(one, 'key', () => 'from the source')).to.equal('from the source');
      relay.isHeld = false;
      relay.cut();
      await until(() => one.cache.stats().channel.isVouched);
      expect(one.cache.stats().channel.breaks).to.be.greaterThan(0);
    });
  });

  describe('a failover to a primary that is behind', () => {
    /** One has seen `key` deleted, of which the replica, where connections lead from now on, knows nothing. */
    async function failOver(): Promise<{ one: TestHost; replica: Server; cut: () => void }> {
      const primary = await startServer();
      const replica = await startServer();
      const link = await startRelay(primary.port);
      const relay = await startRelay(primary.port);
      const one = await makeHost(relay.url, CUT);
      replica.cli('REPLICAOF', '127.0.0.1', new URL(link.url).port);
      await until(() => replica.cli('INFO', 'replication').includes('master_link_status:up'));
      await fetchText(one, 'key', () => 'old');
      await until(() => replica.cli('EXISTS', '{sealpool:n}:v:key').trim() === '1');
      link.isHeld = true;
      await one.cache.delete('key');
      await until(() => one.cache.stats().channel.applied > 0);
      replica.cli('REPLICAOF', 'NO', 'ONE');
      relay.targetPort = replica.port;
      return { one, replica, cut: () => relay.cut() };
    }

    async function expectNew(one: TestHost): Promise<void> {
      const { channel } = one.cache.stats();
      expect(await fetchText(one, 'key', () => 'new')).to.equal('new');
      await until(() => one.cache.stats().channel.drops > channel.drops || channel.otherHistories > 0);
      // The circuit breaker closes when somebody asks.
      await until(async () => {
        await fetchText(one, `any ${performance.now()}`, () => '');
        return one.cache.stats().channel.isVouched && !one.cache.stats().tier.isBreakerOpen;
      });
      expect(await fetchText(one, 'key', () => 'new')).to.equal('new');
    }

    it('gives no value from before what this host has seen, and drops what it has', async () => {
      const { one, cut } = await failOver();
      cut();
      await expectNew(one);
      expect(one.cache.stats().channel.otherHistories).to.be.greaterThan(0);
    });

    it('nor where others have written there since, so that its count is higher', async () => {
      const { one, replica, cut } = await failOver();
      const other = await makeHost(replica.url, CUT);
      expect(await fetchText(other, 'key', () => 'never')).to.equal('old');
      for (let i = 0; i < 5; i++) await other.cache.delete(`other ${i}`);
      cut();
      await expectNew(one);
      // And so for every host.
      await until(() => !other.cache.has('key'));
      expect(await fetchText(other, 'key', () => 'new')).to.equal('new');
    });

    it('is noticed by who asks, before the channel does', async () => {
      const { replica } = await failOver();
      const space = await makeSpace(replica);
      const place = await space.tell(bytesOf('any'), '');
      const ask = (count: string, nonce: string) => space.ask(KEY, { place: { count, nonce }, floor: '' }, LEASE);
      expect((await ask(place.count, place.nonce)).kind).to.equal('value');
      expect((await ask(place.count, 'of another')).kind).to.equal('other');
      expect((await ask(String(Number(place.count) + 1), place.nonce)).kind).to.equal('other');
      space.close();
    });
  });

  describe('a server that is set back to an older state under a connection that goes on', () => {
    const [meta, log, value] = ['{sealpool:n}:meta', '{sealpool:n}:log', '{sealpool:n}:v:key'];

    /** Takes the last change back. */
    function setBack(server: Server): void {
      const count = server.cli('HGET', meta, 's').trim();
      server.cli('HSET', meta, 's', String(Number(count) - 1));
      server.cli('XDEL', log, `${count}-0`);
      server.cli('COPY', 'before', value);
    }

    it('is found out by the channel, which has nothing to read', async () => {
      const server = await startServer();
      const one = await makeHost(server.url, CUT);
      await fetchText(one, 'key', () => 'old');
      server.cli('COPY', value, 'before');
      await one.cache.delete('key');
      await until(() => one.cache.stats().channel.applied === 1);
      await fetchText(one, 'other', () => 'of a history that is gone');
      setBack(server);
      await until(() => !one.cache.has('other'));
      expect(one.cache.stats().channel.otherHistories).to.be.greaterThan(0);
      expect(await fetchText(one, 'key', () => 'new')).to.equal('new');
    });

    it('gives nothing to who has written what is gone, told of it or not', async () => {
      const { server, relay, one } = await makeDeaf();
      await fetchText(one, 'key', () => 'old');
      server.cli('COPY', value, 'before');
      relay.isHeld = true;
      await one.cache.delete('key');
      setBack(server);
      expect(await fetchText(one, 'key', () => 'new')).to.equal('new');
      expect([one.cache.stats().channel.applied, one.cache.stats().tier.otherHistories]).to.deep.equal([0, 1]);
    });
  });

  describe('a value from before what a host has seen', () => {
    it('is none for it where the log does not go back so far', async () => {
      const server = await startServer();
      const space = await makeSpace(server);
      await space.fill(KEY, await leaseOf(space), stored('old'));
      const seen = await space.tell(bytesOf('other'), '');
      server.cli('DEL', space.log);
      expect((await space.ask(KEY, { place: seen, floor: '' }, { leases: false, staleMs: 0 })).kind).to.equal('wait');
      expect(await valueIn(space)).to.equal('old');
      const floor = { place: undefined, floor: seen.count };
      expect((await space.ask(KEY, floor, { leases: false, staleMs: 0 })).kind).to.equal('wait');
      space.close();
    });
  });
}
