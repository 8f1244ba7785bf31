import { expect } from 'chai';
import { inspect, SharedCache } from '../../src/index.js';
import type { Checkpoint, CheckpointWriter } from '../../src/pool/layout/types.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { checkContent, contentOf } from '../support/content.js';
import { codeOf, KIB, MIB, settle, usePools } from '../support/pools.js';

const SMALL = { size: 4 * MIB, pageSize: 2 * KIB, maxNodes: 4 } as const;

/** Every part's generation, as its content says. */
function generationsOf(checkpoint: Checkpoint | undefined): Record<string, number> {
  const found: Record<string, number> = {};
  for (const part of checkpoint?.parts() ?? []) {
    using page = checkpoint?.get(part);
    found[part] = checkContent(page?.bytes ?? new Uint8Array(), part);
  }
  return found;
}

function put(writer: CheckpointWriter, part: string, generation: number, size = 3000): void {
  writer.put(part, contentOf(part, generation, size));
}

describe('conformance: checkpoints', () => {
  const pools = usePools();

  async function twoNodes(): Promise<[AttachedPool, AttachedPool]> {
    const primary = await pools.create(SMALL);
    return [primary, await pools.connect(primary.path)];
  }

  it('another node restores what was committed: every part, the metadata, when and how often', async () => {
    const [primary, standby] = await twoNodes();
    const before = Date.now();
    const writer = primary.checkpoint('state');
    for (const [i, size] of [16, 17, 4096, 70_000, 300_000].entries()) put(writer, `part-${i}`, i, size);
    writer.put('empty', new Uint8Array(0));
    const draft = writer.create('drafted', 500);
    draft.bytes.set(contentOf('drafted', 9, 500));
    const info = writer.commit(Buffer.from('offset 17'));
    expect(info).to.include({ name: 'state', sequence: 1, parts: 7, owner: primary.node.id });
    expect(info.bytes).to.equal(16 + 17 + 4096 + 70_000 + 300_000 + 500);
    expect(info.committedAt.getTime()).to.be.within(before, Date.now());
    expect(standby.checkpoints()).to.deep.equal([info]);
    using found = standby.restore('state');
    expect([found?.name, found?.sequence]).to.deep.equal(['state', 1]);
    expect(found?.committedAt).to.deep.equal(info.committedAt);
    expect(Buffer.from(found?.metadata ?? []).toString()).to.equal('offset 17');
    expect(found?.parts()).to.deep.equal([...[0, 1, 2, 3, 4].map((i) => `part-${i}`), 'empty', 'drafted']);
    expect(found?.get('empty').size).to.equal(0);
    for (const i of [0, 1, 2, 3, 4]) {
      using page = found?.get(`part-${i}`);
      expect([page?.key, checkContent(page?.bytes ?? new Uint8Array(), `part-${i}`)]).to.deep.equal([`part-${i}`, i]);
    }
    expect(checkContent(found?.get('drafted').bytes ?? new Uint8Array(), 'drafted')).to.equal(9);
  });

  it('nothing of a checkpoint is seen before its commit, and nothing stays of an aborted one', async () => {
    const [primary, standby] = await twoNodes();
    const writer = primary.checkpoint('state');
    put(writer, 'a', 1);
    writer.create('b', 1000);
    expect(standby.restore('state')).to.equal(undefined);
    expect(standby.checkpoints()).to.deep.equal([]);
    writer.abort();
    writer.abort();
    await settle(primary);
    const { objects, drafts, bytesUsed, limbo } = primary.stats();
    expect({ objects, drafts, bytesUsed, limbo }).to.deep.equal({ objects: 0, drafts: 0, bytesUsed: 0, limbo: 0 });
    {
      using disposed = primary.checkpoint('state');
      put(disposed, 'a', 1);
    }
    await settle(primary);
    expect(primary.stats().bytesUsed).to.equal(0);
    expect((await inspect(primary.path)).problems).to.deep.equal([]);
  });

  it('a commit replaces the last one whole; parts carried over are not copied', async () => {
    const [primary, standby] = await twoNodes();
    const first = primary.checkpoint('state');
    expect(first.reuse('fixed')).to.equal(false);
    put(first, 'fixed', 1, 100_000);
    put(first, 'gone', 1);
    put(first, 'changed', 1);
    first.commit();
    const generation = standby.restore('state')?.get('fixed').generation;
    const { bytesUsed } = primary.stats();
    const second = primary.checkpoint('state');
    expect([second.reuse('fixed'), second.reuse('fixed'), second.reuse('nowhere')]).to.deep.equal([true, true, false]);
    expect(primary.stats().bytesUsed).to.equal(bytesUsed);
    put(second, 'changed', 2);
    expect(second.commit().sequence).to.equal(2);
    using found = standby.restore('state');
    expect(generationsOf(found)).to.deep.equal({ fixed: 1, changed: 2 });
    // The same slot and generation: not a byte was moved.
    expect(found?.get('fixed').generation).to.equal(generation);
    await standby.disconnect();
    await settle(primary);
    expect(primary.stats().bytesUsed).to.be.below(bytesUsed);
  });

  it('who restored keeps an old checkpoint whole until it lets go; then its space comes back', async () => {
    const [primary, standby] = await twoNodes();
    const commit = (generation: number) => {
      const writer = primary.checkpoint('state');
      for (const part of ['a', 'b', 'c']) put(writer, part, generation, 20_000);
      writer.commit();
    };
    commit(1);
    await settle(primary);
    const { bytesUsed } = primary.stats();
    const old = standby.restore('state');
    for (let generation = 2; generation < 30; generation++) commit(generation);
    expect(generationsOf(old)).to.deep.equal({ a: 1, b: 1, c: 1 });
    primary.forget('state');
    expect(generationsOf(old)).to.deep.equal({ a: 1, b: 1, c: 1 });
    await settle(primary);
    expect(primary.stats().bytesUsed).to.be.closeTo(bytesUsed, 1000);
    const kept = old?.get('b');
    old?.release();
    old?.release();
    await settle(primary);
    expect(primary.stats().bytesUsed).to.be.within(20_000, 21_000);
    expect(checkContent(kept?.bytes ?? new Uint8Array(), 'b')).to.equal(1);
    kept?.release();
    await settle(primary);
    expect([primary.stats().bytesUsed, primary.stats().objects]).to.deep.equal([0, 0]);
    expect(await codeOf(() => old?.get('a'))).to.equal('RELEASED');
  });

  it('checkpoints are never evicted, and only forget drops them', async () => {
    const [primary, standby] = await twoNodes();
    const writer = primary.checkpoint('state');
    for (let i = 0; i < 20; i++) put(writer, `part-${i}`, i, 10_000);
    writer.commit();
    const cache = new SharedCache(standby);
    for (let i = 0; i < 3000; i++) cache.set(`k${i}`, new Uint8Array(3000));
    expect(primary.evict(16 * MIB)).to.be.above(MIB);
    cache.clear();
    for (const { keyBytes } of [...primary.list()]) primary.delete(keyBytes);
    using found = standby.restore('state');
    expect(Object.values(generationsOf(found))).to.deep.equal(Array.from({ length: 20 }, (_, i) => i));
    expect([primary.forget('state'), primary.forget('state')]).to.deep.equal([true, false]);
    expect(standby.restore('state')).to.equal(undefined);
  });

  it('parts are in no list and under no key, but in the counts', async () => {
    const [primary] = await twoNodes();
    primary.put('mine', new Uint8Array(10));
    const writer = primary.checkpoint('state');
    put(writer, 'mine', 1);
    writer.commit();
    expect([...primary.list()].map(({ key }) => key)).to.deep.equal(['mine']);
    expect(primary.get('mine')?.size).to.equal(10);
    expect(primary.stats()).to.include({ objects: 3, checkpoints: 1 });
    const reserved = Uint8Array.of(0xfe, 0x63, 0x6b, 0x70, 1, 2, 3);
    for (const call of [
      () => primary.get(reserved),
      () => primary.put(reserved, reserved),
      () => primary.delete(reserved),
    ])
      expect(await codeOf(call)).to.equal('KEY_INVALID');
    const report = await inspect(primary.path);
    expect([report.ok, report.problems, report.stats.checkpoints]).to.deep.equal([true, [], 1]);
  });

  it('pages and cache entries of whatever name are none of its parts', async () => {
    const [primary, standby] = await twoNodes();
    const names = ['ckp', 'cp', 'ckp'.padEnd(13, 'x'), 'cp'.padEnd(13, 'x'), 'ckp'.padEnd(19, 'x')];
    const all = names.flatMap((name) => [
      new SharedCache(primary).pages(name, { pageSize: 64 }),
      new SharedCache(primary, { namespace: name }).pages('p', { pageSize: 64 }),
    ]);
    for (const pages of all) pages.put(3, new Uint8Array(64).fill(7));
    for (const name of names) primary.put(name, new Uint8Array(5), { retain: true });
    // A take-over collects what nothing leads to.
    primary.checkpoint('state').put('part', new Uint8Array(10));
    standby.checkpoint('state').commit();
    await settle(primary);
    for (const pages of all) expect(pages.borrow(3)?.[63]).to.equal(7);
    const listed = [...primary.list()];
    expect(listed).to.have.length(all.length + names.length);
    for (const { keyBytes } of listed) expect(primary.has(keyBytes)).to.equal(true);
    expect(primary.stats().objects).to.equal(listed.length + 1);
  });

  it('a writer whose name another node took cannot commit, nor begin again before it has restored', async () => {
    const [primary, standby] = await twoNodes();
    const first = primary.checkpoint('state');
    put(first, 'a', 1);
    first.commit();
    const late = primary.checkpoint('state');
    put(late, 'a', 2);
    const taken = standby.checkpoint('state');
    expect(await codeOf(() => late.commit())).to.equal('NODE_FENCED');
    expect(await codeOf(() => late.commit())).to.equal('NOT_OWNER');
    expect(await codeOf(() => primary.checkpoint('state'))).to.equal('NODE_FENCED');
    expect(taken.reuse('a')).to.equal(true);
    put(taken, 'b', 3);
    expect(taken.commit()).to.include({ sequence: 2, owner: standby.node.id });
    // Between two checkpoints it is just as superseded.
    expect(await codeOf(() => primary.checkpoint('state'))).to.equal('NODE_FENCED');
    using found = primary.restore('state');
    expect(generationsOf(found)).to.deep.equal({ a: 1, b: 3 });
    const back = primary.checkpoint('state');
    expect(back.commit()).to.include({ sequence: 3, parts: 0 });
    expect(await codeOf(() => standby.checkpoint('state'))).to.equal('NODE_FENCED');
    await settle(primary);
    expect((await inspect(primary.path)).problems).to.deep.equal([]);
  });

  it('a forgotten name fences its writer, and begins at 1 again', async () => {
    const [primary, standby] = await twoNodes();
    primary.checkpoint('state').commit();
    const writer = primary.checkpoint('state');
    put(writer, 'a', 1);
    expect(standby.forget('state')).to.equal(true);
    expect(await codeOf(() => writer.commit())).to.equal('NODE_FENCED');
    expect(standby.checkpoint('state').commit().sequence).to.equal(1);
    await settle(primary);
    expect(primary.stats().objects).to.equal(1);
  });

  it('wrong use says what is wrong', async () => {
    const [primary] = await twoNodes();
    for (const name of ['', 'x'.repeat(193), '\ud800', 5 as unknown as string]) {
      expect(await codeOf(() => primary.checkpoint(name))).to.equal('KEY_INVALID');
      expect(await codeOf(() => primary.restore(name))).to.equal('KEY_INVALID');
    }
    expect(primary.restore('never')).to.equal(undefined);
    const writer = primary.checkpoint('state');
    for (const part of ['', 'x'.repeat(1025), '\udc00']) {
      expect(await codeOf(() => writer.put(part, new Uint8Array(1)))).to.equal('KEY_INVALID');
    }
    put(writer, 'a', 1);
    expect(await codeOf(() => put(writer, 'a', 2))).to.equal('KEY_EXISTS');
    expect(await codeOf(() => writer.create('a', 2))).to.equal('KEY_EXISTS');
    writer.create('b', 10).abort();
    put(writer, 'b', 1);
    expect(await codeOf(() => writer.create('c', -1))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => writer.create('c', 1e12))).to.equal('OBJECT_TOO_LARGE');
    expect(await codeOf(() => writer.commit('m' as unknown as Uint8Array))).to.equal('OPTION_INVALID');
    writer.commit();
    for (const call of [() => writer.commit(), () => put(writer, 'z', 1), () => writer.reuse('a')])
      expect(await codeOf(call)).to.equal('ALREADY_SEALED');
    expect(await codeOf(() => primary.restore('state')?.get('z'))).to.equal('PART_NOT_FOUND');
    await primary.disconnect();
    for (const call of [() => primary.checkpoint('x'), () => primary.restore('x'), () => primary.checkpoints()])
      expect(await codeOf(call)).to.equal('DISCONNECTED');
  });

  it('the longest names, and as many as the directory has room for', async () => {
    const pool = await pools.create({ size: 2 * MIB, pageSize: 4 * KIB, maxNodes: 2 });
    const { checkpoints } = pool.session.parts.geometry;
    const nameOf = (i: number) => `${i} ${'é'.repeat(90)}`;
    for (let i = 0; i < checkpoints; i++) {
      const writer = pool.checkpoint(nameOf(i));
      put(writer, 'part'.repeat(256), i, 16);
      writer.commit();
    }
    expect(await codeOf(() => pool.checkpoint('one more'))).to.equal('TOO_MANY_CHECKPOINTS');
    expect(pool.checkpoints().map(({ name }) => name)).to.have.members(
      Array.from({ length: checkpoints }, (_, i) => nameOf(i)),
    );
    expect(pool.forget(nameOf(3))).to.equal(true);
    expect(pool.checkpoint('one more').commit().sequence).to.equal(1);
    using found = pool.restore(nameOf(4));
    expect(generationsOf(found)).to.deep.equal({ ['part'.repeat(256)]: 4 });
    expect((await inspect(pool.path)).problems).to.deep.equal([]);
  });

  it('a commit that finds no room leaves the last checkpoint and the writer as they were', async () => {
    const [primary] = await twoNodes();
    const first = primary.checkpoint('state');
    put(first, 'a', 1, 2 * MIB);
    first.commit();
    const second = primary.checkpoint('state');
    expect(await codeOf(() => put(second, 'b', 2, 2 * MIB))).to.equal('POOL_FULL');
    put(second, 'c', 2);
    expect(second.commit().parts).to.equal(1);
    using found = primary.restore('state');
    expect(generationsOf(found)).to.deep.equal({ c: 2 });
  });

  it('a node that leaves gives up what it was writing; what it committed stays', async () => {
    const [primary, standby] = await twoNodes();
    const first = standby.checkpoint('state');
    put(first, 'a', 1);
    first.commit();
    const writer = standby.checkpoint('state');
    put(writer, 'a', 2);
    writer.create('b', 100);
    await standby.disconnect();
    writer.abort();
    await settle(primary);
    expect([primary.stats().objects, primary.stats().drafts]).to.deep.equal([2, 0]);
    using found = primary.restore('state');
    expect(generationsOf(found)).to.deep.equal({ a: 1 });
    expect(await codeOf(() => writer.commit())).to.equal('NOT_OWNER');
  });

  it('a read-only node restores private copies, and writes none', async () => {
    const [primary] = await twoNodes();
    const writer = primary.checkpoint('state');
    put(writer, 'a', 1);
    writer.commit();
    const reader = await pools.connect(primary.path, { readOnly: true });
    using found = reader.restore('state');
    primary.forget('state');
    expect(generationsOf(found)).to.deep.equal({ a: 1 });
    expect(reader.checkpoints()).to.deep.equal([]);
    expect(await codeOf(() => reader.checkpoint('state'))).to.equal('READ_ONLY');
    expect(await codeOf(() => reader.forget('state'))).to.equal('READ_ONLY');
  });
});
