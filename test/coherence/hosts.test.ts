/** Hosts of a pool with software coherence, over an emulated device: what they are refused, how they join, wait, and are taken for dead. */
import { truncateSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { PoolFile } from '../../lib/linux/index.js';
import { LinuxMachine } from '../../lib/linux/machine.js';
import { emulatedBeginning, HostDevice } from '../../src/coherence/entry/device.js';
import type { SoftwarePool } from '../../src/coherence/entry/pool.js';
import { Joining } from '../../src/coherence/joining.js';
import { type ConnectOptions, connect, PoolError, SharedCache } from '../../src/index.js';
import { codeOf, eventually, pause } from '../support/pools.js';
import { bytes, EMULATE, SMALL, useOpened } from './opened.js';

describe('a pool with software coherence', () => {
  const opened = useOpened();

  it('says UNSUPPORTED, and what, of all that it has not', async () => {
    const path = opened.path();
    const pool = await opened.connect(path, { ...EMULATE, create: SMALL });
    const calls: (() => unknown)[] = [
      ...[() => pool.checkpoint(), () => pool.restore(), () => pool.checkpoints()],
      ...[() => pool.forget(), () => pool.spaces(), () => pool.spacesAsync(), () => pool.removeSpace()],
      ...[() => pool.open(), () => new SharedCache(pool)],
    ];
    for (const options of [{ readOnly: true }, { nearEntries: 5 }, { prefault: 'sync' as const }, { name: 'n' }])
      calls.push(() => connect(path, { ...EMULATE, ...options }));
    calls.push(() => connect(path, { ...EMULATE, create: { ...SMALL, eviction: 'lru' } }));
    for (const call of calls) expect(await codeOf(call), String(call)).to.equal('UNSUPPORTED');
    expect(pool.put('k', bytes, { retain: true })).to.equal(true);
  });

  it('wants options that mean something', async () => {
    const path = opened.path();
    for (const options of [
      { coherence: 'software', create: SMALL },
      { coherence: 'hardware', ...EMULATE },
      { ...EMULATE, host: 7 },
      { ...EMULATE, create: { size: '1KiB' } },
      { ...EMULATE, create: { ...SMALL, hosts: 8 } },
      { ...EMULATE, create: { ...SMALL, coherence: 'hardware' } },
      { ...EMULATE, create: { ...SMALL, mode: 0o666 } },
      { ...EMULATE, create: { size: '256KiB', pageSize: 2 ** 20 } },
      { ...EMULATE, unheard: 5 },
      { emulate: 'coherent' },
    ] as ConnectOptions[])
      expect(await codeOf(() => connect(path, options)), JSON.stringify(options)).to.equal('OPTION_INVALID');
    const pool = await opened.connect(path, { ...EMULATE, create: SMALL });
    for (const key of ['', 'k'.repeat(65_536), '\ud800', 5 as unknown as string])
      expect(await codeOf(() => pool.put(key, bytes)), String(key)).to.equal('KEY_INVALID');
    expect(await codeOf(() => pool.put('k', 'text' as unknown as Uint8Array))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => pool.create('k', -1))).to.equal('OPTION_INVALID');
  });

  it('takes the lowest host that is free where an emulated one is not named, and says so when none is', async () => {
    const path = opened.path();
    const [zero, one] = [
      await opened.connect(path, { ...EMULATE, create: SMALL }),
      await opened.connect(path, EMULATE),
    ];
    expect([zero.node.id, one.node.id]).to.deep.equal([0, 1]);
    expect(await codeOf(() => connect(path, EMULATE))).to.equal('TOO_MANY_NODES');
    await zero.disconnect();
    expect((await opened.connect(path, EMULATE)).node.id).to.equal(0);
  });

  it('redoes a format that was cut off after its first line, with create and not without', async () => {
    for (const length of [64, 4096, 300_000]) {
      const path = opened.path();
      writeFileSync(path, emulatedBeginning(), { mode: 0o600 });
      truncateSync(path, length);
      expect(await codeOf(() => connect(path, EMULATE)), String(length)).to.equal('POOL_CORRUPT');
      const pool = await opened.connect(path, { ...EMULATE, create: SMALL });
      expect(pool.put('k', bytes)).to.equal(true);
    }
  });

  it('keeps out a host whose number one under another kernel has, by its heartbeat, and lets nobody format under that', async () => {
    const path = opened.path();
    const zero = await opened.connect(path, { ...EMULATE, create: SMALL });
    const file = PoolFile.open(path, { writable: true, trustUids: [] });
    const machine = new LinuxMachine();
    const device = HostDevice.emulated(file, file.stats().size, machine);
    const surroundings = { elapsedMs: () => machine.elapsedMs(), pause: () => {} };
    const tenant = { boot: 1, process: 1, sinceSeconds: 1 };
    const stranger = new Joining(device.lines, surroundings, { host: 1, waitMs: 10, tenant }).join();
    const beats = setInterval(() => stranger.beat(), 20);
    try {
      const said = await connect(path, { ...EMULATE, host: 1 }).catch((error: Error) => error.message);
      expect(said).to.match(/^IN_USE: .*under another kernel/);
      expect(zero.nodes().map(({ id, state }) => [id, state])).to.deep.equal([
        [0, 'alive'],
        [1, 'alive'],
      ]);
    } finally {
      clearInterval(beats);
      stranger.leave();
      device.close();
      file.close();
    }
  });

  it('shows life by its calls, too, while its event loop does not turn', async () => {
    const pool = await opened.connect(opened.path(), { ...EMULATE, create: SMALL });
    const { members } = pool.parts.host.parts;
    const heartbeat = () => members.loadRow(members.self).heartbeat;
    const before = heartbeat();
    for (const endMs = performance.now() + 400; performance.now() < endMs; ) pool.has('k');
    expect(heartbeat() - before).to.be.above(2);
  });

  it('tells a host that was silent for a whole lease that it was declared dead, and gives its keys away, not its pages', async () => {
    const path = opened.path();
    const zero = await opened.connect(path, { ...EMULATE, create: SMALL, leaseMs: 150 });
    const one = await opened.connect(path, EMULATE);
    one.put('page', bytes);
    one.create('draft', 5);
    one.parts.host.beat = () => {};
    await eventually(() => expect(zero.nodes()[1]?.state).to.equal('dead'));
    expect(zero.put('draft', bytes)).to.equal(true);
    expect(zero.has('page')).to.equal(true);
    expect(await codeOf(() => one.put('late', bytes))).to.equal('NODE_FENCED');
    expect(await codeOf(() => one.get('page'))).to.equal('NODE_FENCED');
    await one.disconnect();
    const again = await opened.connect(path, EMULATE);
    expect([again.node.id, again.has('page'), again.has('late')]).to.deep.equal([1, true, false]);
  });

  it('gives away the key of a page whose time is over, also to a host that had not heard of the page', async () => {
    const path = opened.path();
    const zero = await opened.connect(path, { ...EMULATE, create: SMALL });
    const one = await opened.connect(path, EMULATE);
    one.parts.host.beat = () => {};
    zero.put('k', bytes, { ttlMs: 1, metadata: bytes.subarray(0, 7), retain: true });
    await pause(3);
    zero.parts.host.forget = () => {};
    expect(one.parts.host.parts.directory.all()).to.deep.equal([]);
    expect(one.put('k', bytes.subarray(0, 9), { metadata: bytes.subarray(1, 70) })).to.equal(true);
    const page = zero.get('k');
    expect([page?.size, page?.metadata, page?.copy()]).to.deep.equal([9, bytes.slice(1, 70), bytes.slice(0, 9)]);
  });

  it('leaves nothing of a put that could not be sealed', async () => {
    const zero = await opened.connect(opened.path(), { ...EMULATE, create: SMALL, syncWaitMs: 0 });
    const { host } = zero.parts;
    const seal = host.sealDraft;
    host.sealDraft = () => {
      throw new PoolError('BUSY', 'Another host has not read the log.');
    };
    expect(await codeOf(() => zero.put('k', bytes))).to.equal('BUSY');
    host.sealDraft = seal;
    expect([zero.stats().drafts, zero.put('k', bytes)]).to.deep.equal([0, true]);
  });

  it('waits for hosts that have not read its log yet, and is BUSY after its limit', async () => {
    const path = opened.path();
    const zero = await opened.connect(path, { ...EMULATE, create: SMALL, syncWaitMs: 0 });
    const one = await opened.connect(path, EMULATE);
    let code = 'nothing thrown';
    for (let i = 0; code === 'nothing thrown'; i++)
      code = await codeOf(() => zero.put(`k ${i}`, new Uint8Array(5)) && zero.delete(`k ${i}`));
    expect(code).to.equal('BUSY');
    expect(one.has('k')).to.equal(false);
    await eventually(() => expect(zero.put('k', bytes)).to.equal(true));
  });

  it('tells of a page whose end is read before it: of another host than who made it', async () => {
    const path = opened.path();
    const pools: SoftwarePool[] = [];
    for (let i = 0; i < 3; i++) pools.push(await opened.connect(path, { ...EMULATE, create: { ...SMALL, hosts: 3 } }));
    const [zero, one, two] = pools as [SoftwarePool, SoftwarePool, SoftwarePool];
    const subscription = two.subscribe();
    one.put('k', bytes);
    zero.delete('k');
    const seen: string[] = [];
    for await (const { type } of subscription) if (seen.push(type) === 2) break;
    expect(seen).to.deep.equal(['sealed', 'deleted']);
  });
});
