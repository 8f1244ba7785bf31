import { expect } from 'chai';
import { makePool } from '../../cache/pools.js';
import { makeHost, until } from './hosts.js';
import { type Member, startMember } from './member.js';
import { program, startServer } from './server.js';

const QUICK = { heartbeatMs: 50, vouchMs: 1000 };

async function holderOf(members: readonly Member[]): Promise<Member | undefined> {
  for (const member of members) if ((await member.stats()).channel.holdsChannel) return member;
  return undefined;
}

/** A host of so many processes. */
async function startHost(url: string, count: number, options = QUICK): Promise<Member[]> {
  const { path } = await makePool();
  const members: Member[] = [];
  for (let i = 0; i < count; i++) members.push(await startMember(path, url, options));
  return members;
}

if (program !== undefined) {
  describe('the processes of one host', () => {
    it('have one channel, of which all are told', async () => {
      const server = await startServer();
      const members = await startHost(server.url, 3);
      const other = await makeHost(server.url, QUICK);
      const stats = await Promise.all(members.map((member) => member.stats()));
      expect(stats.filter(({ channel }) => channel.holdsChannel)).to.have.length(1);
      expect(stats.every(({ channel }) => channel.isVouched)).to.equal(true);
      // One a process for requests, and one a host that waits for entries.
      const blocked = () => Number(/blocked_clients:(\d+)/.exec(server.cli('INFO', 'clients'))?.[1]);
      await until(() => blocked() === 2);
      for (const member of members) expect(await member.fetch('key', 'old')).to.equal('old');
      await other.cache.delete('key');
      for (const member of members) await until(async () => (await member.borrow('key')) === undefined);
    });

    it('lose nothing when the one that holds the channel is killed: another goes on from where it was', async () => {
      const server = await startServer();
      const members = await startHost(server.url, 3);
      const other = await makeHost(server.url, QUICK);
      await (members[0] as Member).fetch('key', 'old');
      await (members[0] as Member).fetch('other', 'stays');
      const holder = (await holderOf(members)) as Member;
      const rest = members.filter((member) => member !== holder);
      await holder.kill();
      await other.cache.delete('key');
      for (const member of rest) await until(async () => (await member.borrow('key')) === undefined);
      await until(async () => (await holderOf(rest)) !== undefined);
      expect(await rest[0]?.borrow('other')).to.equal('stays');
      for (const member of rest) expect((await member.stats()).channel.drops).to.be.lessThan(2);
    });

    it('drop what they have while the one that holds the channel is stopped, and take over', async () => {
      const server = await startServer();
      const members = await startHost(server.url, 2);
      const other = await makeHost(server.url, QUICK);
      await (members[0] as Member).fetch('key', 'old');
      const holder = (await holderOf(members)) as Member;
      const rest = members.find((member) => member !== holder) as Member;
      holder.child.kill('SIGSTOP');
      await other.cache.delete('key');
      await until(async () => (await rest.borrow('key')) === undefined);
      await until(async () => (await rest.stats()).channel.holdsChannel && (await rest.stats()).channel.isVouched);
      expect(await rest.fetch('key', 'new')).to.equal('new');
      holder.child.kill('SIGCONT');
      await until(async () => {
        const stats = await Promise.all([holder.stats(), rest.stats()]);
        return stats.filter(({ channel }) => channel.holdsChannel).length === 1;
      });
      // It may have been told once more of what it was told of while it was stopped.
      expect(await holder.borrow('key')).to.be.oneOf(['new', undefined]);
      expect(await holder.fetch('key', 'new')).to.equal('new');
    });

    it('a load that is killed in the middle costs the others its lease, and no more', async () => {
      const server = await startServer();
      const [member] = (await startHost(server.url, 1, { ...QUICK, leaseMs: 500 } as typeof QUICK)) as [Member];
      const other = await makeHost(server.url, QUICK);
      void member.fetch('key', 'never', 60_000).catch(() => {});
      await member.told('loading');
      const answer = other.cache.fetchCopy('key', () => Uint8Array.of(1));
      await member.kill();
      expect([...(await answer)]).to.deep.equal([1]);
      expect(other.cache.stats().tier.waits).to.equal(1);
    });

    it('a lease lasts as long as its load, and is waited for', async () => {
      const server = await startServer();
      const options = { ...QUICK, leaseMs: 300 };
      const [one, other] = [await makeHost(server.url, options), await makeHost(server.url, options)];
      let loads = 0;
      const load = async () => {
        loads++;
        await new Promise((resolve) => setTimeout(resolve, 1200));
        return Uint8Array.of(loads);
      };
      const answers = await Promise.all([one, other].map(({ cache }) => cache.fetchCopy('key', load)));
      expect([loads, answers.map((bytes) => [...bytes])]).to.deep.equal([1, [[1], [1]]]);
    });
  });
}
