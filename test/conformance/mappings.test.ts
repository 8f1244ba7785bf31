import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { expect } from 'chai';
import { alignedBuffer, canDetach } from '../../lib/linux/index.js';
import { connect, destroy, SharedCache } from '../../src/index.js';
import { collectGarbage } from '../support/garbage.js';
import { KIB, MIB, usePools } from '../support/pools.js';

/** Mappings of this process: of the named file, or all. */
function mappings(path = ''): string[] {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes(path));
}

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').map((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      return '';
    }
  });
}

/** KiB of shared memory that this process has mapped and touched. */
function residentShared(): number {
  return Number(/RssShmem:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

describe('conformance: what a pool leaves in a process that left it', () => {
  const pools = usePools();

  it('disconnect gives the whole of its memory back, whoever still holds pages', async () => {
    const pool = await pools.create({ size: 16 * MIB });
    const before = residentShared();
    const other = await pools.connect(pool.path);
    const cache = new SharedCache(other);
    cache.set('k', new Uint8Array(4 * MIB).fill(7));
    const held = cache.get('k')!.bytes;
    const kept = new SharedCache(pool);
    expect(new Set(held)).to.deep.equal(new Set([7]));
    expect(residentShared() - before).to.be.above(7 * KIB);
    await other.disconnect();
    expect(residentShared() - before).to.be.below(KIB);
    expect(mappings(pool.path)).to.have.length(3);
    // Whoever reads what he should not hold any more meets nothing, and the process goes on.
    let others = 0;
    for (let i = 0; i < held.length; i++) if (held[i] !== 0) others++;
    expect(others).to.equal(0);
    expect(new Set(kept.borrow('k'))).to.deep.equal(new Set([7]));
  });

  it('of a pool that was destroyed no mapping and no descriptor is left, which would keep its memory', async () => {
    const path = pools.path();
    for (let i = 0; i < 5; i++) {
      const pool = await connect(path, { create: { size: 16 * MIB } });
      const cache = new SharedCache(pool);
      cache.pages('r', { pageSize: 64 }).put(1, new Uint8Array(64));
      cache.set('k', new Uint8Array(MIB).fill(7));
      cache.borrow('k');
      pool.create('unfinished', 1000);
      await pool.disconnect();
      await (await connect(path, { readOnly: true })).disconnect();
      await destroy(path);
      expect(mappings(path)).to.deep.equal([]);
      expect(openFiles().filter((file) => file.includes(path))).to.deep.equal([]);
    }
  });

  it('hundreds of connects leave no mapping each', async () => {
    const pool = await pools.create({ size: MIB });
    const large = await pools.create({ size: 16 * MIB });
    const cycle = async (times: number) => {
      for (let i = 0; i < times; i++) {
        for (const { path } of [pool, large]) {
          const node = await connect(path);
          node.put('k', new Uint8Array(10));
          node.get('k');
          await node.disconnect();
          const reader = await connect(path, { readOnly: true });
          await reader.disconnect();
        }
      }
      await collectGarbage();
    };
    await cycle(20);
    const before = mappings().length;
    await cycle(60);
    // The runtime's own heap grows by some dozens.
    expect(mappings().length - before).to.be.below(120);
  });

  it('a view that its holder transferred keeps addresses, and neither memory of the pool nor a fault', async () => {
    const pool = await pools.create({ size: 4 * MIB });
    const cache = new SharedCache(pool);
    cache.set('k', new Uint8Array(MIB).fill(3));
    const { buffer, byteOffset } = cache.borrow('k') as Uint8Array<ArrayBuffer & { transfer?: () => ArrayBuffer }>;
    const taken = new Uint8Array(canDetach() ? buffer.transfer!() : buffer, byteOffset, MIB);
    expect(new Set(taken)).to.deep.equal(new Set([3]));
    await pool.disconnect();
    expect(mappings(pool.path)).to.deep.equal([]);
    expect(new Set(taken)).to.deep.equal(new Set([0]));
  });

  it('aligned buffers are given back when nobody holds them', async () => {
    const resident = () => Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
    await collectGarbage();
    const before = resident();
    const kept = alignedBuffer(4096).fill(9);
    for (let i = 0; i < 64; i++) alignedBuffer(MIB).fill(1);
    await collectGarbage();
    expect(resident() - before).to.be.below(32 * KIB);
    expect(kept.every((byte) => byte === 9)).to.equal(true);
  });
});
