/** What is said of a cause: its code, what is wrong with what, and what would be right. One row a cause. */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ownFolder } from '../../lib/linux/index.js';
import { connect, format, PoolError, parseSize, poolSizeFor, SharedCache, usableBytes } from '../../src/index.js';
import { nodesByDefault } from '../../src/pool/layout/options.js';
import { usePools } from '../support/pools.js';

const FORMS = "Give bytes as an integer, or a string such as '512MiB', '64 KB' or '4g'";

async function errorOf(work: () => unknown): Promise<PoolError> {
  try {
    await work();
  } catch (error) {
    expect(error).to.be.instanceOf(PoolError);
    return error as PoolError;
  }
  throw new Error('nothing was thrown');
}

describe('what is said of a cause', () => {
  const pools = usePools();
  const folder = ownFolder(tmpdir(), 'test');
  after(() => rmSync(folder, { recursive: true }));
  const create = (options: unknown) => connect(join(folder, 'pool'), { create: options as never });
  const cache = async () => new SharedCache(await pools.create({ size: '1MiB' }));

  const causes: readonly [cause: string, work: () => unknown, message: string][] = [
    ['no path', () => connect(undefined as never), 'path: expected the path of a file as a string, not undefined'],
    ['a folder', () => connect(folder), `path: ${folder} is a folder: give the path of a file in it`],
    ['a folder to create', () => connect(folder, { create: { size: '1MiB' } }), `${folder} is a folder`],
    ['no folder', () => connect(join(folder, 'no/pool'), { create: { size: '1MiB' } }), 'there is no folder'],
    ['a folder that takes no files', () => connect('/proc/pool', { create: { size: '1MiB' } }), '/proc takes no files'],
    ['no size', () => create({}), `connect.create.size: undefined is no size. ${FORMS}`],
    ['a size of another kind', () => create({ size: '12 bananas' }), `size: "12 bananas" is no size. ${FORMS}`],
    ['half a byte', () => create({ size: 1e6 + 0.5 }), `1000000.5 is no size. ${FORMS}`],
    ['too small a size', () => create({ size: 1000 }), 'size: too small: a pool has at least 262144 bytes (256KiB)'],
    ['a size for options', () => create('4GiB'), "connect.create: expected an object such as { size: '512MiB' }"],
    [
      'the same at format',
      () => format(join(folder, 'pool'), {} as never),
      `format.size: undefined is no size. ${FORMS}`,
    ],
    [
      'another option',
      () => connect('/dev/shm/p', { tiemoutMs: 3 } as never),
      'connect: Unrecognized key: "tiemoutMs"',
    ],
    [
      'an option as text',
      () => connect('/dev/shm/p', { timeoutMs: '3' } as never),
      'connect.timeoutMs: expected number',
    ],
    ['parseSize of no size', () => parseSize('12 bananas'), `size: "12 bananas" is none. ${FORMS}`],
    ['parseSize of a bigint', () => parseSize(3n as never), `size: 3n is none. ${FORMS}`],
    ['parseSize of less than nothing', () => parseSize(-1), `size: -1 is none. ${FORMS}`],
    ['poolSizeFor of nothing', () => poolSizeFor(undefined as never), 'poolSizeFor: expected object'],
    ['poolSizeFor of half', () => poolSizeFor({ pageSize: 8192 } as never), 'poolSizeFor.maxObjects: expected number'],
    ['usableBytes of no size', () => usableBytes('many'), `"many" is no size. ${FORMS}`],
    [
      'a cache of nothing',
      () => new SharedCache(undefined as never),
      'pool: expected what connect() resolves to, not undefined',
    ],
    ['a cache of a promise', () => new SharedCache(connect as never), 'pool: expected what connect() resolves to, not'],
    [
      'no bytes',
      async () => (await cache()).set('k', undefined as never),
      'bytes: expected a Uint8Array, not undefined',
    ],
    ['no loader', async () => (await cache()).fetch('k', undefined as never), 'load: expected a function'],
  ];
  for (const [cause, work, message] of causes) {
    it(`${cause}: OPTION_INVALID, "${message.replace(folder, 'FOLDER')}"`, async () => {
      const error = await errorOf(work);
      expect(error.code).to.equal('OPTION_INVALID');
      expect(error.message)
        .to.contain(message)
        .and.not.match(/\.\.|NaN|\[object|a undefined/);
    });
  }

  it('fences of another name than there is: OPTION_INVALID', async () => {
    const before = process.env['SEALPOOL_FENCES'];
    process.env['SEALPOOL_FENCES'] = 'bogus';
    try {
      const error = await errorOf(() => pools.create({ size: '1MiB' }));
      expect(error.message).to.contain("OPTION_INVALID: SEALPOOL_FENCES: expected 'own', or nothing, not 'bogus'");
    } finally {
      if (before === undefined) delete process.env['SEALPOOL_FENCES'];
      else process.env['SEALPOOL_FENCES'] = before;
    }
  });

  it('a cache of a node that only reads: READ_ONLY', async () => {
    const pool = await pools.create({ size: '1MiB' });
    const reader = await pools.connect(pool.path, { readOnly: true });
    expect((await errorOf(() => new SharedCache(reader))).code).to.equal('READ_ONLY');
  });

  it('there is room for 64 nodes by default, and for four to a processor on a large machine', () => {
    expect([1, 2, 16, 17, 128, 1000].map((processors) => nodesByDefault(processors))).to.deep.equal([
      64, 64, 64, 68, 512, 1000,
    ]);
  });

  it('poolSizeFor knows a size for small objects, whose metadata are more than they are, and none that is twice too large', () => {
    for (const [pageSize, maxObjects] of [
      [100, 1_146_000],
      [64, 10_000_000],
      [64, 100],
      [300, 3_000_000],
    ] as const) {
      for (const eviction of ['none', 's3-fifo', 'adaptive-2q'] as const) {
        const size = poolSizeFor({ pageSize, maxObjects, eviction });
        expect(usableBytes(size, { pageSize, maxObjects, eviction })).to.be.at.least(pageSize * maxObjects);
        expect(size).to.be.below((pageSize + 512) * maxObjects * 2 + 32 * 2 ** 20);
      }
    }
  });

  it('a pool of the size that poolSizeFor gives has the bytes that it was asked for, and usableBytes says how many', async () => {
    for (const [pageSize, maxObjects] of [
      [100, 5000],
      [8192, 1000],
      [65_536, 20],
    ] as const) {
      const size = poolSizeFor({ pageSize, maxObjects });
      const usable = usableBytes(size, { pageSize, maxObjects });
      expect(usable)
        .to.be.at.least(pageSize * maxObjects)
        .and.below(size);
      const pool = await pools.create({ size, pageSize, maxObjects });
      expect(pool.stats().bytesData).to.equal(usable);
      for (let i = 0; i < maxObjects; i++) pool.put(`k${i}`, new Uint8Array(pageSize));
      // Keys fall to the shards by chance, each of which has its part of maxObjects.
      expect(pool.stats().objects).to.be.at.least(maxObjects * 0.95);
      expect(pool.stats().bytesFree).to.be.at.least(0);
      await pool.disconnect();
    }
  });
});
