/** Who sleeps is woken by the kernel and by nothing else, and costs whoever publishes nothing when nobody does. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect } from 'chai';
import { FifoDoorbells } from '../../lib/linux/index.js';
import type { Doorbells } from '../../lib/machine.js';
import { destroy, SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { eventually, MIB, pause, usePools } from '../support/pools.js';

const SMALL = { size: 4 * MIB, pageSize: 2048, maxNodes: 4 } as const;
const BYTES = new Uint8Array(10);

const upkeepOf = (pool: AttachedPool) => (pool as unknown as { upkeep: { tick(): void; stop(): void } }).upkeep;

/** From now on this node has no clock: only a bell can wake it. */
function stopClock(pool: AttachedPool): void {
  const { machine } = pool.session.parts;
  upkeepOf(pool).stop();
  machine.every = () => ({ stop() {} });
  machine.sleep = () => new Promise(() => {});
}

/** The bells that the node rings from now on. */
function ringsOf(pool: AttachedPool): number[] {
  const rung: number[] = [];
  const port = pool.session.parts.bells.port as Doorbells;
  const ring = port.ring.bind(port);
  port.ring = (row, bell) => {
    rung.push(row);
    return ring(row, bell);
  };
  return rung;
}

const bellsBeside = (path: string) =>
  readdirSync(dirname(path)).filter((name) => name.includes(`${basename(path)}.bell`));
describe('a node that sleeps', () => {
  const pools = usePools();

  async function makeTwo(): Promise<[AttachedPool, AttachedPool]> {
    const writer = await pools.create(SMALL);
    return [writer, await pools.connect(writer.path)];
  }

  it('is woken by the bell alone when the page it waits for is sealed, each of many', async () => {
    const [writer, sleeper] = await makeTwo();
    stopClock(sleeper);
    const keys = Array.from({ length: 50 }, (_, i) => `key-${i}`);
    const waiting = sleeper.waitForMany(keys);
    for (const key of keys.toReversed()) {
      writer.put(key, BYTES);
      await pause(1);
    }
    expect((await waiting).map(({ key }) => key)).to.deep.equal(keys);
  });

  it('is woken by the bell alone when the load it waits for ends: with a page, or with an error', async () => {
    const [writer, sleeper] = await makeTwo();
    stopClock(sleeper);
    const [loading, losing] = [new SharedCache(writer), new SharedCache(sleeper)];
    for (const isGood of [true, false]) {
      let end: (bytes: Uint8Array) => void = () => {};
      let fail: (error: Error) => void = () => {};
      const load = () =>
        new Promise<Uint8Array>((resolve, reject) => {
          [end, fail] = [resolve, reject];
        });
      const first = loading.fetch(`${isGood}`, load).catch((error: Error) => error.message);
      let loads = 0;
      const second = losing.fetch(`${isGood}`, () => {
        loads++;
        return Uint8Array.of(2);
      });
      await pause(5);
      if (isGood) end(Uint8Array.of(1));
      else fail(new Error('mine'));
      expect([...(await second).bytes]).to.deep.equal([isGood ? 1 : 2]);
      expect(loads).to.equal(isGood ? 0 : 1);
      if (!isGood) expect(await first).to.equal('mine');
    }
  });

  it('is woken by the bell alone when a page space it waits on has the page', async () => {
    const [writer, sleeper] = await makeTwo();
    stopClock(sleeper);
    const [loading, losing] = [writer, sleeper].map((pool) => new SharedCache(pool).pages('t', { pageSize: 64 }));
    let end = () => {};
    const first = loading?.fetch(7, () => new Promise<void>((resolve) => (end = resolve)));
    const second = losing?.fetch(7, () => expect.fail('the page was loaded twice'));
    await pause(5);
    end();
    expect((await second)?.size).to.equal((await first)?.size);
  });

  it('is woken by the bell alone for an event', async () => {
    const [writer, sleeper] = await makeTwo();
    stopClock(sleeper);
    const events = sleeper.subscribe()[Symbol.asyncIterator]();
    for (let i = 0; i < 50; i++) {
      const next = events.next();
      await pause(i % 3);
      writer.put(`key-${i}`, BYTES);
      expect((await next).value).to.include({ key: `key-${i}` });
    }
  });

  it('is woken without a bell by what it does itself', async () => {
    const pool = await pools.create(SMALL);
    stopClock(pool);
    const rung = ringsOf(pool);
    const [waiting, event] = [pool.waitFor('key'), pool.subscribe()[Symbol.asyncIterator]().next()];
    pool.put('key', BYTES);
    expect((await waiting).key).to.equal('key');
    expect((await event).value).to.include({ key: 'key' });
    expect(rung).to.deep.equal([]);
  });

  it('is not woken for other keys, but for one tag in 256', async () => {
    const [writer, sleeper] = await makeTwo();
    const rung = ringsOf(writer);
    stopClock(sleeper);
    const waiting = sleeper.waitFor('key');
    for (let i = 0; i < 512; i++) {
      writer.put(`other-${i}`, BYTES);
      await pause(0);
    }
    expect(rung.length).to.be.below(64);
    writer.put('key', BYTES);
    expect((await waiting).key).to.equal('key');
  });

  it('is rung once, however much is published before it wakes; and nobody is rung when nobody sleeps', async () => {
    const [writer, sleeper] = await makeTwo();
    const rung = ringsOf(writer);
    const put = (name: string) => {
      for (let i = 0; i < 300; i++) writer.put(`${name}-${i}`, BYTES);
    };
    put('before');
    expect(rung).to.deep.equal([]);
    const subscription = sleeper.subscribe();
    put('during');
    expect(rung).to.deep.equal([sleeper.node.id]);
    await pause(20);
    subscription.close();
    put('after');
    expect(rung).to.deep.equal([sleeper.node.id]);
  });

  it('whom nobody can ring looks by itself: where it has no bell, and where others cannot reach it', async () => {
    const [writer, deaf] = await makeTwo();
    const hidden = await pools.connect(writer.path);
    (deaf.session.parts.bells.port as Doorbells).open = () => undefined;
    (writer.session.parts.bells.port as Doorbells).ring = () => false;
    const waiting = [deaf, hidden].map((pool) => pool.waitFor('key'));
    const events = [deaf, hidden].map((pool) => pool.subscribe()[Symbol.asyncIterator]().next());
    await pause(10);
    writer.put('key', BYTES);
    for (const page of await Promise.all(waiting)) expect(page.key).to.equal('key');
    for (const { value } of await Promise.all(events)) expect(value).to.include({ key: 'key' });
  });

  it('leaves no bell behind: not when it waits no more, not when it leaves, not when it died', async () => {
    const [pool, other] = await makeTwo();
    expect(bellsBeside(pool.path)).to.have.length(0);
    const waiting = other.waitFor('key');
    expect(bellsBeside(pool.path)).to.have.length(1);
    pool.put('key', BYTES);
    await waiting;
    for (let i = 0; i < 2; i++) upkeepOf(other).tick();
    expect(bellsBeside(pool.path)).to.have.length(0);
    other.subscribe();
    expect(bellsBeside(pool.path)).to.have.length(1);
    await other.disconnect();
    expect(bellsBeside(pool.path)).to.have.length(0);
    const dying = await pools.connect(pool.path);
    dying.subscribe();
    const { nodes, segment } = dying.session.parts;
    segment.file.unlock(nodes.self);
    upkeepOf(pool).tick();
    expect(bellsBeside(pool.path)).to.have.length(0);
  });

  it('destroy takes down the bells that a pool without nodes left, and nothing else', async () => {
    const pool = await pools.create(SMALL);
    const folder = dirname(pool.path);
    const name = basename(pool.path);
    await pool.disconnect();
    const others = [`.${name}.bell-x`, `.${name}x.bell-0-1`, `${name}.bell-0-1`];
    for (const file of [...others, `.${name}.bell-0-17`]) writeFileSync(join(folder, file), '');
    await destroy(pool.path);
    expect(existsSync(join(folder, `.${name}.bell-0-17`))).to.equal(false);
    for (const file of others) expect(existsSync(join(folder, file)), file).to.equal(true);
  });
});

describe('a doorbell', () => {
  const pools = usePools();

  it('rings through the event loop, once or more for many rings, and is quiet when it was closed', async () => {
    const path = pools.path();
    const [one, two] = [0, 1].map(
      () => new FifoDoorbells(path, { mode: 0o600, group: process.getgid?.() ?? 0, owner: process.getuid?.() ?? 0 }),
    );
    let rings = 0;
    const bell = one?.open(3, -5, () => rings++);
    // More than it takes before it is read.
    for (let i = 0; i < 65_600; i++) if (two?.ring(3, -5) !== true) expect.fail('not rung');
    await eventually(() => expect(rings).to.be.at.least(1));
    bell?.close();
    await pause(5);
    const before = rings;
    // Its name is gone for whoever has not rung it before, its reader for whoever has.
    expect(two?.ring(3, -5)).to.equal(true);
    two?.close();
    expect(two?.ring(3, -5)).to.equal(false);
    await pause(5);
    expect(rings).to.equal(before);
    one?.close();
  });

  it('does not write to what is no FIFO, nor follow a link', () => {
    const path = pools.path();
    const doorbells = new FifoDoorbells(path, {
      mode: 0o600,
      group: process.getgid?.() ?? 0,
      owner: process.getuid?.() ?? 0,
    });
    const name = (bell: number) => join(dirname(path), `.${basename(path)}.bell-0-${bell}`);
    writeFileSync(name(1), 'mine');
    writeFileSync(`${path}-target`, 'mine');
    symlinkSync(`${path}-target`, name(2));
    mkdirSync(name(3));
    for (const bell of [1, 2, 3, 4]) expect(doorbells.ring(0, bell)).to.equal(false);
    expect(readFileSync(name(1), 'utf8')).to.equal('mine');
    expect(readFileSync(name(2), 'utf8')).to.equal('mine');
    doorbells.close();
  });

  it('cannot hang where nothing can be made', () => {
    const doorbells = new FifoDoorbells('/proc/pool', { mode: 0o600, group: 0, owner: 0 });
    expect(doorbells.open(0, 1, () => {})).to.equal(undefined);
  });
});
