import { execFileSync } from 'node:child_process';
import { existsSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ownFolder } from '../../lib/linux/index.js';
import { format } from '../../src/index.js';
import { useProcesses } from '../process/child.js';
import { codeOf, folderFor, GIB, KIB, LONG, MIB, roomAt, usePools } from '../support/pools.js';

function unmount(folder: string): void {
  // Lazily: a mapping may outlive its pool object.
  execFileSync('umount', ['-l', folder]);
  rmdirSync(folder);
}

/** A file system of 16 MiB in memory, or undefined where this process may not mount one. */
function mountSmall(): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const folder = ownFolder(tmpdir(), 'mount');
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'none', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmdirSync(folder);
    return undefined;
  }
}

describe('conformance: memory', () => {
  const pools = usePools();
  const processes = useProcesses();
  const probe = mountSmall();
  if (probe !== undefined) unmount(probe);
  let small = '';
  before(() => {
    small = mountSmall() ?? '';
  });
  after(() => {
    if (small !== '') unmount(small);
  });

  if (probe === undefined) {
    it('a pool larger than the free memory is NO_SPACE, and no file is left (small file systems cannot be mounted here)', async () => {
      const folder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
      const path = join(folder, `sealpool-test-full-${process.pid}`);
      const size = roomAt(folder) + GIB;
      try {
        expect(await codeOf(() => format(path, { size, pageSize: MIB }))).to.equal('NO_SPACE');
        expect(existsSync(path)).to.equal(false);
      } finally {
        rmSync(path, { force: true });
      }
    });
  } else {
    it('a pool larger than its file system is NO_SPACE, leaves no file, and a smaller one can be made at once', async () => {
      const path = join(small, 'pool');
      expect(await codeOf(() => format(path, { size: '17MiB' }))).to.equal('NO_SPACE');
      expect(existsSync(path)).to.equal(false);
      expect(await codeOf(() => pools.connect(path, { create: { size: '1GiB' } }))).to.equal('NO_SPACE');
      expect(existsSync(path)).to.equal(false);
      const pool = await pools.connect(path, { create: { size: '8MiB' } });
      expect(pool.put('k', new Uint8Array(100))).to.equal(true);
      await pool.disconnect();
      rmSync(path);
    });

    it('in a file system that filled up after the format, every page of the pool can be written and read', async () => {
      const path = join(small, 'pool');
      const node = await processes.start();
      await node.call('format', path, { size: '8MiB', pageSize: 4 * KIB });
      expect(() => writeFileSync(join(small, 'ballast'), new Uint8Array(16 * MIB))).to.throw(/ENOSPC/);
      expect(roomAt(small)).to.equal(0);
      await node.call('connect', path);
      const { bytesData } = await node.call('stats');
      for (let i = 0; i * 4 * KIB < bytesData * 1.5; i++) await node.call('fill', `k${i}`, i, 4 * KIB);
      expect((await node.call('stats')).bytesUsed).to.be.above(bytesData * 0.9);
      for (const { key } of await node.call('list'))
        expect(await node.call('check', key)).to.equal(Number(key.slice(1)));
      rmSync(join(small, 'ballast'));
    });
  }

  it('a format that the file size limit of its process cuts off is NO_SPACE', async () => {
    const path = pools.path();
    const program = `
      import('${new URL('../../src/index.js', import.meta.url).href}').then(({ format }) =>
        format(${JSON.stringify(path)}, { size: '64MiB' }).then(() => 'done', (error) => error.code).then(console.log));`;
    const limited = `ulimit -f 1024; trap '' XFSZ; exec ${process.execPath} -e "$0"`;
    const told = execFileSync('bash', ['-c', limited, program], { encoding: 'utf8', timeout: 60_000 });
    expect(told.trim()).to.equal('NO_SPACE');
    expect(existsSync(path)).to.equal(false);
  });
});

describe('conformance: shared memory', () => {
  const pools = usePools();
  const processes = useProcesses();
  const wanted = LONG ? 4 * GIB : GIB;
  const bytes = roomAt(folderFor(wanted)) > wanted * 1.25 ? wanted : 32 * MIB;

  it(`two processes that read ${bytes / MIB} MiB of pages grow by no more than 1.1 times that together`, async function () {
    this.timeout(180_000);
    const path = pools.path();
    const writer = await processes.start();
    const create = { size: bytes + bytes / 8 + 16 * MIB, pageSize: 256 * KIB };
    await writer.call('connect', path, { create });
    const readers = [await processes.start(), await processes.start()];
    // Each will hold nearly all of the pool.
    for (const reader of readers) await reader.call('connect', path, { maxPinShare: 1 });
    for (let i = 0; i < bytes / (256 * KIB); i++) await writer.call('fill', `page-${i}`, i, 256 * KIB);
    // Whoever wrote the pages maps them too, and would carry its share of them.
    await writer.kill();
    const before = await Promise.all(readers.map((reader) => reader.call('pss')));
    for (const reader of readers) await reader.call('readWhole', 'page-');
    const after = await Promise.all(readers.map((reader) => reader.call('pss')));
    expect((await readers[0]?.call('stats'))?.pins).to.equal((2 * bytes) / (256 * KIB));
    const growth = after.reduce((sum, pss, i) => sum + pss - (before[i] as number), 0);
    expect(growth).to.be.at.least(bytes * 0.9);
    expect(growth).to.be.at.most(bytes * 1.1);
    await processes.killAll();
    pools.remove();
  });
});
