import { expect } from 'chai';
import type { AttachedPool } from '../../src/pool/pool.js';
import { contentOf } from '../support/content.js';
import { codeOf, KIB, MIB, pause, usePools } from '../support/pools.js';

const SMALL = { size: 4 * MIB, pageSize: 4 * KIB, maxNodes: 8 } as const;

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

function callsOf(pool: AttachedPool): Record<string, () => unknown> {
  return {
    create: () => pool.create('k', 1),
    put: () => pool.put('k', new Uint8Array(1)),
    get: () => pool.get('k'),
    getBinary: () => pool.get(Uint8Array.of(1)),
    getMany: () => pool.getMany(['k']),
    waitForMany: () => pool.waitForMany(['k'], { timeoutMs: 1 }),
    waitFor: () => pool.waitFor('k', { timeoutMs: 1 }),
    has: () => pool.has('k'),
    delete: () => pool.delete('k'),
    list: () => [...pool.list()],
    evict: () => pool.evict(1),
    sync: () => pool.sync(),
    stats: () => pool.stats(),
    nodes: () => pool.nodes(),
    node: () => pool.node,
  };
}

describe('conformance: after disconnect', () => {
  const pools = usePools();

  for (const readOnly of [false, true]) {
    it(`every call of a ${readOnly ? 'read-only' : 'writing'} node says DISCONNECTED, and disconnect may be repeated`, async () => {
      const other = await pools.create(SMALL);
      other.put('k', bytesOf('here'));
      const pool = await pools.connect(other.path, { readOnly });
      const listing = pool.list();
      await pool.disconnect();
      await pool.disconnect();
      await pool[Symbol.asyncDispose]();
      for (const [name, call] of Object.entries(callsOf(pool))) {
        expect(await codeOf(call), name).to.equal('DISCONNECTED');
      }
      expect(await codeOf(() => [...listing])).to.equal('DISCONNECTED');
      expect(text(other.get('k')?.bytes)).to.equal('here');
    });
  }

  it('a waiting node that is disconnected gets DISCONNECTED', async () => {
    const pool = await pools.create(SMALL);
    const waiting = codeOf(() => pool.waitFor('never', { timeoutMs: 60_000 }));
    await pause(5);
    await pool.disconnect();
    expect(await waiting).to.equal('DISCONNECTED');
  });

  it('a page that outlives its pool object says so, and may be released', async () => {
    const pool = await pools.create(SMALL);
    pool.put('k', contentOf('k', 1, 5000), { metadata: bytesOf('m') });
    const page = pool.get('k');
    await pool.disconnect();
    for (const read of [() => page?.bytes, () => page?.metadata, () => page?.size, () => page?.copy()]) {
      expect(await codeOf(read)).to.equal('DISCONNECTED');
    }
    page?.release();
    page?.release();
  });

  it('bytes that outlive their pool object are empty or zero, never others, never a fault, even when the file is gone', async () => {
    const pool = await pools.create(SMALL);
    pool.put('k', contentOf('k', 1, 5000));
    const held = pool.get('k')?.bytes as Uint8Array;
    const draft = pool.create('d', 100);
    const writable = draft.bytes;
    await pool.disconnect();
    expect(Buffer.compare(held, new Uint8Array(held.length))).to.equal(0);
    if (writable.length > 0) writable[0] = 1;
    expect(await codeOf(() => draft.seal())).to.equal('DISCONNECTED');
    draft.abort();
  });

  it('a draft left open is undone by its node disconnecting', async () => {
    const other = await pools.create(SMALL);
    const pool = await pools.connect(other.path);
    pool.create('k', 5000);
    pool.create('l', 0);
    await pool.disconnect();
    expect([other.stats().drafts, other.stats().bytesUsed]).to.deep.equal([0, 0]);
    expect(other.put('k', bytesOf('new'))).to.equal(true);
  });
});
