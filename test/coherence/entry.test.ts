/** The pool that `connect` gives for memory that is not coherent: emulated, and over real lines where this processor can move them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import type { SoftwarePool } from '../../src/coherence/entry/pool.js';
import { type ConnectOptions, connect, type Draft, destroy, format, inspect, type PoolEvent } from '../../src/index.js';
import { codeOf, eventually } from '../support/pools.js';
import { bytes, EMULATE, SMALL, useOpened } from './opened.js';

/** Whether lines of this machine can be moved. */
function hasLines(): boolean {
  return process.arch === 'x64' && /^flags\s*:.*\bclflush\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
}

const MODES: readonly { readonly name: string; readonly host: (number: number) => ConnectOptions }[] = [
  { name: 'an emulated device', host: (host) => ({ ...EMULATE, host }) },
  ...(hasLines() ? [{ name: 'real lines', host: (host: number) => ({ coherence: 'software' as const, host }) }] : []),
];

for (const { name, host } of MODES) {
  describe(`a pool with software coherence on ${name}`, () => {
    const opened = useOpened();

    async function two(create: object = SMALL): Promise<[SoftwarePool, SoftwarePool]> {
      const path = opened.path();
      const zero = await opened.connect(path, { ...host(0), create: { ...SMALL, ...create } });
      return [zero, await opened.connect(path, host(1))];
    }

    it('gives every host the pages of all, in place until they are released, and none after the delete', async () => {
      const [zero, one] = await two();
      const draft = zero.create('k', bytes.length);
      draft.bytes.set(bytes);
      expect(one.get('k')).to.equal(undefined);
      expect(one.put('k', bytes)).to.equal(false);
      draft.seal();
      expect([one.has('k'), one.put('k', bytes)]).to.deep.equal([true, false]);
      const page = one.get(Buffer.from('k'));
      expect(Buffer.compare(page?.bytes ?? new Uint8Array(0), bytes)).to.equal(0);
      expect([...one.list()].map(({ key, size, state }) => [key, size, state])).to.deep.equal([['k', 5000, 'sealed']]);
      expect(zero.delete('k')).to.equal(true);
      expect([zero.delete('k'), one.has('k'), one.get('k')]).to.deep.equal([false, false, undefined]);
      expect(Buffer.compare(page?.copy() ?? new Uint8Array(0), bytes)).to.equal(0);
      expect(zero.stats().bytesUsed).to.be.at.least(bytes.length);
      page?.release();
      expect(await codeOf(() => page?.bytes)).to.equal('RELEASED');
      await eventually(() => expect(zero.stats().bytesUsed).to.equal(0));
    });

    it('ends drafts by seal, abort and disconnect, once, and takes sizes of 0 and of all of a region', async () => {
      const [zero, one] = await two();
      const sealed = zero.create('a', 0);
      sealed.seal();
      expect(await codeOf(() => sealed.seal())).to.equal('ALREADY_SEALED');
      expect(one.get('a')?.size).to.equal(0);
      const aborted = zero.create('b', 10);
      aborted.abort();
      expect(await codeOf(() => aborted.seal())).to.equal('NOT_OWNER');
      one.create('c', 10);
      await one.disconnect();
      expect(zero.put('b', bytes) && zero.put('c', bytes)).to.equal(true);
      const short = zero.create('d', 10);
      expect(await codeOf(() => short.fill(async () => 9))).to.equal('SHORT_LOAD');
      expect(await codeOf(() => zero.create('e', 2 ** 20))).to.equal('OBJECT_TOO_LARGE');
      const held: Draft[] = [];
      for (let i = 0; zero.stats().drafts < 1000; i++) {
        const code = await codeOf(() => held.push(zero.create(`full ${i}`, 5000)));
        if (code !== 'nothing thrown') {
          expect(code).to.equal('POOL_FULL');
          short.abort();
          held.pop()?.abort();
          zero.create('room again', 5000);
          return;
        }
      }
      expect.fail('it never was full');
    });

    it('names what it is: coherence, emulation, its hosts, who has them', async () => {
      const [zero, one] = await two({ hosts: 3 });
      const emulation = host(0).emulate;
      for (const said of [zero.info, JSON.parse(JSON.stringify(zero))])
        expect([said.coherence, said.emulation]).to.deep.equal(['software', emulation]);
      expect(zero.stats().emulation).to.equal(emulation);
      expect([zero.info.maxNodes, one.info.poolId, one.node.id]).to.deep.equal([3, zero.info.poolId, 1]);
      expect(zero.nodes().map(({ id, pid, state }) => [id, pid, state])).to.deep.equal([
        [0, process.pid, 'alive'],
        [1, process.pid, 'alive'],
      ]);
      await one.disconnect();
      expect(zero.nodes()).to.have.length(1);
    });

    it('tells of each seal and end once, in order, of all hosts, also of what began and ended between two looks', async () => {
      const [zero, one] = await two();
      zero.put('before', bytes);
      const [told, filtered] = [one.subscribe({ replay: true }), one.subscribe({ prefix: 'z' })];
      zero.put('z 1', bytes);
      zero.delete('z 1');
      one.put('z 2', bytes);
      zero.delete('z 2');
      zero.put('last', bytes);
      const seen: string[] = [];
      for await (const event of told as AsyncIterable<Extract<PoolEvent, { key: string }>>) {
        seen.push(`${event.type} ${event.key} ${event.size}`);
        if (event.key === 'last') break;
      }
      const ofZero = ['sealed before 5000', 'sealed z 1 5000', 'deleted z 1 5000', 'sealed last 5000'];
      expect(seen.filter((what) => !what.includes('z 2'))).to.deep.equal(ofZero);
      expect(seen.filter((what) => what.includes('z 2'))).to.deep.equal(['sealed z 2 5000', 'deleted z 2 5000']);
      let count = 0;
      for await (const event of filtered) if (event.type === 'deleted' && ++count === 2) break;
      const last = one.subscribe();
      const waiting = last[Symbol.asyncIterator]().next();
      await one.disconnect();
      expect(await codeOf(() => waiting)).to.equal('DISCONNECTED');
    });

    it('tells of a page once, however often the log goes round and its record is written anew', async () => {
      const [zero, one] = await two();
      const told = one.subscribe({ prefix: 'kept' });
      zero.put('kept', bytes);
      const { logRecords } = zero.parts.host.parts.members.plan.shape;
      for (let laid = 0; laid < logRecords; laid++) {
        zero.put('passing', bytes);
        one.delete('passing');
        for (const pool of [zero, one]) pool.parts.host.beat();
        zero.parts.host.forget();
        zero.parts.host.reclaim();
      }
      expect(one.get('kept')?.copy()).to.deep.equal(bytes);
      zero.delete('kept');
      const seen: string[] = [];
      for await (const { type } of told) if (seen.push(type) > 0 && type === 'deleted') break;
      expect(seen).to.deep.equal(['sealed', 'deleted']);
    });

    it('waits for a page of another host, with a limit', async () => {
      const [zero, one] = await two();
      const waiting = one.waitForMany(['w', 'w']);
      expect(await codeOf(() => one.waitFor('never', { timeoutMs: 20 }))).to.equal('TIMEOUT');
      zero.put('w', bytes);
      const pages = await waiting;
      expect(pages.map(({ size }) => size)).to.deep.equal([5000, 5000]);
      expect(one.node.pins).to.equal(1);
      for (const page of pages) page.release();
      expect(one.node.pins).to.equal(0);
    });

    it('lets one process be a host, and gives its number free when that has gone', async () => {
      const [zero, one] = await two();
      expect(await codeOf(() => connect(one.path, host(1)))).to.equal('IN_USE');
      expect(await codeOf(() => connect(one.path, host(2)))).to.equal('OPTION_INVALID');
      expect(await codeOf(() => destroy(one.path))).to.equal('IN_USE');
      await one.disconnect();
      const again = await opened.connect(zero.path, host(1));
      again.put('k', bytes);
      expect(zero.has('k')).to.equal(true);
    });

    it('is refused by name where another kind of pool is asked for, in every direction', async () => {
      const [zero] = await two();
      const { path } = zero;
      const other: ConnectOptions =
        host(0).emulate === undefined ? { ...EMULATE, host: 1 } : { coherence: 'software', host: 1 };
      for (const options of [{}, { create: { size: '1MiB' } }, { readOnly: true }, other])
        expect(await codeOf(() => connect(path, options)), JSON.stringify(options)).to.equal('FORMAT_MISMATCH');
      const said = await connect(path).catch((error: Error) => error.message);
      const told = await connect(path, other).catch((error: Error) => error.message);
      expect(told).to.match(host(0).emulate === undefined ? /of real lines/ : /on an emulated device/);
      expect(said).to.contain(host(0).emulate === undefined ? "coherence: 'software'" : "emulate: 'noncoherent'");
      expect(await codeOf(() => inspect(path))).to.equal('FORMAT_MISMATCH');
      expect(await codeOf(() => connect(path, { create: { size: '1MiB' }, replace: 'mismatch' }))).to.equal('IN_USE');
      expect(await codeOf(() => format(path, { size: '1MiB', force: true }))).to.equal('IN_USE');
      const coherent = await opened.connect(opened.path(), { create: { size: '1MiB' } });
      for (const create of [undefined, SMALL]) {
        const options = { ...host(0), ...(create === undefined ? {} : { create }) };
        const refused = await connect(coherent.path, options).catch((error: Error) => error.message);
        expect(refused).to.match(/^FORMAT_MISMATCH: .*is a pool for coherent memory/);
      }
      const garbage = opened.path();
      writeFileSync(garbage, Buffer.alloc(8192, 5), { mode: 0o600 });
      expect(await codeOf(() => connect(garbage, { ...host(0), create: SMALL }))).to.equal('FORMAT_MISMATCH');
    });

    it('is formatted by host 0; others wait for that', async () => {
      const path = opened.path();
      expect(await codeOf(() => connect(path, host(1)))).to.equal('POOL_NOT_FOUND');
      expect(await codeOf(() => connect(path, { ...host(1), create: SMALL, timeoutMs: 30 }))).to.equal('TIMEOUT');
      const [one, zero] = await Promise.all(
        [1, 0].map((number) => opened.connect(path, { ...host(number), create: SMALL })),
      );
      expect(one?.info.poolId).to.equal(zero?.info.poolId);
    });

    it('does what it does after it was disconnected: DISCONNECTED, and what it handed out is harmless', async () => {
      const [zero, one] = await two();
      zero.put('k', bytes);
      const page = one.get('k');
      const draft = one.create('d', 5);
      await one.disconnect();
      await one.disconnect();
      const calls: (() => unknown)[] = [() => one.get('k'), () => one.put('l', bytes), () => one.delete('k')];
      calls.push(
        () => one.has('k'),
        () => one.stats(),
        () => [...one.list()],
        () => one.subscribe(),
        () => one.node,
      );
      calls.push(
        () => page?.bytes,
        () => draft.seal(),
        () => one.waitFor('k'),
      );
      for (const call of calls) expect(await codeOf(call), String(call)).to.equal('DISCONNECTED');
      page?.release();
      draft.abort();
    });
  });
}
