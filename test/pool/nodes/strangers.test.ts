/** Nodes of another boot id: which of them are refused, which are cleaned up after, and what one finds that was taken for dead. */
import fs, { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { expect } from 'chai';
import { type ConnectOptions, destroy, format, inspect } from '../../../src/index.js';
import { attach } from '../../../src/pool/attach.js';
import { HazardHead, NodeRow } from '../../../src/pool/layout/index.js';
import { STILL_MS, Strangers } from '../../../src/pool/nodes/strangers.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { CrashStepper } from '../../sim/crash/stepper.js';
import { attachSimulated, machineOf } from '../../sim/node.js';
import { SMALL, World } from '../../sim/world.js';
import { MIB, usePools } from '../../support/pools.js';

const OTHER = '01234567-89ab-cdef-0123-456789abcdef';
const { readFileSync: read } = fs;

/** Runs `work` under the boot id of another kernel. */
async function elsewhere<T>(work: () => Promise<T>): Promise<T> {
  fs.readFileSync = ((path: string, ...rest: []) =>
    String(path).endsWith('boot_id') ? OTHER : read(path, ...rest)) as typeof read;
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    fs.readFileSync = read;
    syncBuiltinESMExports();
  }
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error) => error.code,
  );
const upkeepOf = (pool: AttachedPool) => (pool as unknown as { upkeep: { tick(): void; stop(): void } }).upkeep;

/** The word of the node's row, and what is there. */
function word(pool: AttachedPool, name: 'heartbeat' | 'incarnation' | 'bootId') {
  const { words, geometry, nodes } = pool.session.parts;
  const at = geometry.regions.nodeRows.word + nodes.self * NodeRow.words + NodeRow.word[name];
  return { at, value: words.load(at), set: (value: number) => words.store(at, value) };
}

/** Keeps the heart beating, and lets nothing else of the node's upkeep store. */
function onlyBeats(pool: AttachedPool): () => void {
  upkeepOf(pool).stop();
  const timer = setInterval(() => pool.session.parts.nodes.beat(), 50).unref();
  return () => clearInterval(timer);
}

describe('a pool in which a node of another boot id lives', () => {
  const pools = usePools();

  it('is neither joined, destroyed, replaced nor formatted, and none of its bytes changes but the heartbeat', async () => {
    const create = { size: MIB, pageSize: 4096, maxNodes: 4 };
    const first = await elsewhere(() => pools.create(create));
    first.put('key', Uint8Array.of(1, 2, 3));
    const draft = first.create('draft', 8);
    const stop = onlyBeats(first);
    const { at } = word(first, 'heartbeat');
    const bytes = () => readFileSync(first.path).fill(0, at * 4, at * 4 + 4);
    const before = bytes();
    const error = await pools.connect(first.path).catch((thrown) => thrown);
    expect([error.code, error.details.node.id]).to.deep.equal(['UNSUPPORTED', 0]);
    expect(error.message).to.contain(first.path).and.to.contain('another boot id');
    const other: ConnectOptions = { create: { ...create, maxNodes: 5 }, onMismatch: 'replace' };
    expect(await codeOf(pools.connect(first.path, other))).to.equal('IN_USE');
    expect(await codeOf(destroy(first.path))).to.equal('IN_USE');
    expect(await codeOf(format(first.path, { ...create, force: true }))).to.equal('IN_USE');
    expect((await inspect(first.path)).nodes.map(({ state }) => state)).to.deep.equal(['alive']);
    expect(before.equals(bytes())).to.equal(true);
    stop();
    upkeepOf(first).tick();
    draft.seal();
    expect(first.get('key')?.bytes[2]).to.equal(3);
    expect((await elsewhere(() => pools.connect(first.path))).get('draft')?.size).to.equal(8);
  });

  it('is refused to the one that comes, also where a node of his own boot was refused before; the attached one goes on', async () => {
    const pool = await pools.create({ size: MIB, pageSize: 4096, maxNodes: 4 });
    const stop = onlyBeats(pool);
    for (let i = 0; i < 2; i++) expect(await codeOf(elsewhere(() => pools.connect(pool.path)))).to.equal('UNSUPPORTED');
    stop();
    for (let i = 0; i < 2; i++) upkeepOf(pool).tick();
    expect(pool.put('key', Uint8Array.of(1))).to.equal(true);
    expect(pool.nodes().length).to.equal(1);
  });

  it('is looked at until the signal', async () => {
    const first = await elsewhere(() => pools.create({ size: MIB, pageSize: 4096, maxNodes: 4 }));
    upkeepOf(first).stop();
    expect(await codeOf(pools.connect(first.path, { signal: AbortSignal.timeout(300) }))).to.equal('ABORTED');
    expect(first.nodes().length).to.equal(1);
  });
});

describe('a node of another boot id that stands still', () => {
  const pools = usePools();

  it('is cleaned up after; when it goes on after all it is fenced, and stores no more', async function () {
    this.timeout(60_000);
    const first = await elsewhere(() => pools.create({ size: MIB, pageSize: 4096, maxNodes: 4 }));
    upkeepOf(first).stop();
    first.put('key', Uint8Array.of(7));
    const page = first.get('key');
    first.create('draft', 8);
    first.session.parts.locks.acquire(0);
    expect((await inspect(first.path)).nodes.map(({ state }) => state)).to.deep.equal(['dead']);
    const started = performance.now();
    const second = await pools.connect(first.path);
    expect(performance.now() - started).to.be.at.least(STILL_MS - 10);
    expect(second.nodes().map(({ id }) => id)).to.deep.equal([1]);
    expect(second.stats().drafts).to.equal(0);
    for (let i = 0; i < 50; i++) expect(second.put(`k${i}`, Uint8Array.of(i))).to.equal(true);
    expect(second.get('key')?.bytes[0]).to.equal(7);

    const hold = word(first, 'heartbeat').value;
    expect(() => first.put('late', Uint8Array.of(1))).to.throw('NODE_FENCED');
    expect(() => first.delete('key')).to.throw('NODE_FENCED');
    upkeepOf(first).tick();
    const { words, geometry } = second.session.parts;
    expect(words.load(geometry.regions.nodeRows.word + NodeRow.word.heartbeat)).to.equal(hold);
    expect(() => first.get('key')).to.throw('NODE_FENCED');
    expect(() => first.stats()).to.throw('NODE_FENCED');
    page?.release();
    await first.disconnect();
    await first.disconnect();
    expect(second.get('late')).to.equal(undefined);
    expect(second.put('late', Uint8Array.of(2))).to.equal(true);
    // The row is free for the next one.
    expect((await pools.connect(first.path)).node.id).to.equal(0);
  });

  it('is dead after STILL_MS of looks, of which none counts for more than a second, and lives again by any word of its own', () => {
    const world = new World(SMALL);
    const { geometry } = world;
    const words = world.plainWords();
    let nowMs = 0;
    const machine = { bootId: Int32Array.of(9, 9, 9, 9), elapsedMs: () => nowMs };
    const strangers = new Strangers(words, geometry, machine as never);
    const lookAfter = (ms: number) => {
      nowMs += ms;
      return strangers.look(2);
    };
    const rows = geometry.regions.nodeRows.word + 2 * NodeRow.words;
    const heads = geometry.regions.hazardHeads.word + 2 * HazardHead.words;
    expect(strangers.isOne(2)).to.equal(false);
    words.store(rows + NodeRow.word.bootId, 5);
    expect(strangers.isOne(2)).to.equal(true);
    expect(lookAfter(0)).to.equal('unknown');
    // A pause of the looker's own machine.
    expect([1, 2, 3, 4].map(() => lookAfter(3_600_000))).to.deep.equal(Array(4).fill('unknown'));
    expect(lookAfter(999)).to.equal('unknown');
    expect(lookAfter(1)).to.equal('still');
    for (const at of [
      rows + NodeRow.word.heartbeat,
      rows + NodeRow.word.nearHits,
      heads + HazardHead.word.borrowCount,
    ]) {
      words.add(at, 1);
      expect(lookAfter(1000)).to.equal('moved');
      expect([1, 2, 3, 4].map(() => lookAfter(1000))).to.deep.equal(Array(4).fill('unknown'));
      expect(lookAfter(1000)).to.equal('still');
    }
  });
});

describe('two nodes of two boot ids that come at once', () => {
  const join = (boot: number, world: World, stepper = new CrashStepper(world.control)) =>
    attachSimulated(world, { name: `of ${boot}`, stepper, boot });

  it('find each other once their rows are there: at least one leaves again, and leaves nothing', () => {
    const world = new World(SMALL);
    const first = join(1, world);
    expect(() => join(2, world)).to.throw('UNSUPPORTED');
    const { nodes } = first.session.parts;
    expect(nodes.list(true).map(({ id, state }) => [id, state])).to.deep.equal([[0, 'alive']]);
    expect(nodes.beat()).to.equal(true);
    expect(join(1, world).row).to.equal(1);
  });

  it('do not share a row: who is slower by a step is refused, and who had it finds out at his next heartbeat', () => {
    const world = new World(SMALL);
    const slower = machineOf(world, { name: 'slower', stepper: new CrashStepper(world.control), boot: 2 });
    const { compareExchange } = slower.segment.words;
    let first: ReturnType<typeof join> | undefined;
    slower.segment.words.compareExchange = function (index, expected, value) {
      // Its kernel's locks say nothing of the other's.
      if (first === undefined) {
        world.control.letGo(0);
        first = join(1, world);
      }
      return compareExchange.call(this, index, expected, value);
    };
    const options = { name: 'slower', nearEntries: 8, copies: 'none' } as const;
    expect(() => attach(slower.segment, slower.machine, slower.liveness, options)).to.throw('UNSUPPORTED');
    expect(first?.row).to.equal(0);
    expect(first?.session.parts.nodes.isTakenOver()).to.equal(false);
    // What the slower one had written before.
    const row = world.geometry.regions.nodeRows.word;
    world.plainWords().write(row + NodeRow.word.bootId, 2);
    expect(first?.session.parts.nodes.beat()).to.equal(false);
    first?.upkeep.tick();
    expect(() => first?.pool.get('a')).to.throw('NODE_FENCED');
  });
});

describe('a fenced node', () => {
  const pools = usePools();

  for (const [how, fence] of [
    ['was cleaned', (pool: AttachedPool) => pool.session.parts.nodes.markCleaned(0, word(pool, 'incarnation').value)],
    ['was taken', (pool: AttachedPool) => word(pool, 'incarnation').set(word(pool, 'incarnation').value + 1)],
    ['has another heartbeat', (pool: AttachedPool) => word(pool, 'heartbeat').set(word(pool, 'heartbeat').value + 1)],
    ['has another boot id', (pool: AttachedPool) => word(pool, 'bootId').set(word(pool, 'bootId').value + 1)],
  ] as const) {
    it(`whose row ${how} ends at upkeep, and what waits in it ends too`, async () => {
      const pool = await pools.create({ size: MIB, pageSize: 4096, maxNodes: 4 });
      pool.put('key', Uint8Array.of(1));
      expect(pool.get('key')?.bytes[0]).to.equal(1);
      const waited = codeOf(pool.waitFor('never'));
      fence(pool);
      upkeepOf(pool).tick();
      expect(() => pool.get('key')).to.throw('NODE_FENCED');
      expect(await waited).to.equal('DISCONNECTED');
      expect(await codeOf(Promise.resolve().then(() => pool.put('k', Uint8Array.of(1))))).to.equal('NODE_FENCED');
      await pool.disconnect();
    });
  }
});
