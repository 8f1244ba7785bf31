/** Whether there is memory for a pool, by what the kernel's files say; here they say what the claim needs. */
import { expect } from 'chai';
import { kernelFiles, type MemoryReaders, shortageAtFormat, shortageAtPrefault } from '../../../lib/linux/memory.js';
import { connect, format } from '../../../src/index.js';
import { codeOf, folderFor, MIB, pause, usePools } from '../../support/pools.js';

const PATH = '/dev/shm/shop';
const MEMINFO = `MemTotal:       ${8192 * 1024} kB\nMemFree:         100 kB\nMemAvailable:   ${4096 * 1024} kB\nSwapFree:       ${
  1024 * 1024
} kB\n`;

/** A machine whose kernel shows these files, over one with 5 GiB to be had and 6 GiB in /dev/shm. */
function machine(files: Record<string, string | number>, freeMiB = 6144): MemoryReaders {
  const all: Record<string, string | number> = { '/proc/meminfo': MEMINFO, ...files };
  return {
    text: (path) => (path in all ? `${all[path]}\n` : undefined),
    freeBytes: (folder) => (folder === '/dev/shm' && freeMiB >= 0 ? freeMiB * MIB : undefined),
  };
}

const V2 = {
  '/proc/self/cgroup': '0::/pod/app',
  '/sys/fs/cgroup/pod/app/memory.max': 'max',
  '/sys/fs/cgroup/pod/memory.max': 1024 * MIB,
  '/sys/fs/cgroup/pod/memory.current': 800 * MIB,
  '/sys/fs/cgroup/pod/memory.stat': `anon 1\nfile ${600 * MIB}\ninactive_file ${200 * MIB}\nactive_file ${100 * MIB}\nshmem 4096`,
};
const V1 = {
  '/proc/self/cgroup': '9:cpu,memory:/docker/abc\n0::/',
  '/sys/fs/cgroup/memory/memory.limit_in_bytes': 512 * MIB,
  '/sys/fs/cgroup/memory/memory.usage_in_bytes': 100 * MIB,
  '/sys/fs/cgroup/memory/memory.stat': `cache 1\ntotal_inactive_file ${10 * MIB}\ntotal_active_file ${10 * MIB}`,
};

describe('memory for a pool', () => {
  const cases: readonly [what: string, readers: MemoryReaders, roomMiB: number, says: string][] = [
    ['the limit of a group above', machine(V2), 524, '/pod (memory.max) leaves 524 MiB of 1024 MiB'],
    [
      'the limit of version 1, seen from a container',
      machine(V1),
      432,
      '/ (memory.limit_in_bytes) leaves 432 MiB of 512 MiB',
    ],
    [
      'what the machine has free, swap included',
      machine({}),
      5120,
      'the free memory of the machine leaves 5120 MiB of 9216 MiB',
    ],
    ['the file system', machine({}, 64), 64, 'the file system of /dev/shm leaves 64 MiB:'],
  ];
  for (const [what, readers, roomMiB, says] of cases) {
    it(`is bounded by ${what}: said for a byte more than there is, and for no less`, () => {
      expect(shortageAtFormat(PATH, roomMiB * MIB, readers)).to.equal(undefined);
      expect(shortageAtFormat(PATH, (roomMiB + 1) * MIB, readers))
        .to.contain(`Making the pool ${PATH} takes ${roomMiB + 1} MiB of memory`)
        .and.contain(says)
        .and.contain('raise that limit');
    });
  }

  it('is bounded by nothing where nothing can be read, or nothing is limited', () => {
    const unlimited = {
      '/proc/self/cgroup': '4:memory:/a\n0::/b',
      '/sys/fs/cgroup/memory/a/memory.limit_in_bytes': '9223372036854771712',
      '/sys/fs/cgroup/b/memory.max': 'max',
      '/proc/meminfo': 'garbage',
    };
    for (const readers of [machine(unlimited, -1), { text: () => undefined, freeBytes: () => undefined }])
      expect(shortageAtFormat(PATH, 2 ** 43, readers)).to.equal(undefined);
  });

  it('is bounded at prefault by the limits of groups alone, whatever is in use', () => {
    expect(shortageAtPrefault(PATH, 1024 * MIB, machine(V2, 1))).to.equal(undefined);
    expect(shortageAtPrefault(PATH, 1025 * MIB, machine(V2, 1)))
      .to.contain('Mapping all of the pool')
      .and.contain('(memory.max) leaves 1024 MiB:');
  });
});

if (folderFor(MIB) === '/dev/shm') {
  describe('memory that there is not', () => {
    const pools = usePools();
    const size = '8TiB';
    const { text } = kernelFiles;
    afterEach(() => {
      kernelFiles.text = text;
    });

    it('is warned of at a connect with prefault, under a limit below the pool, and at no other', async () => {
      const pool = await pools.create({ size: MIB });
      const warnings: string[] = [];
      const note = (warning: Error & { code?: string }) => {
        if (warning.code === 'SEALPOOL_MEMORY_SHORT') warnings.push(warning.message);
      };
      process.on('warning', note);
      const limited: Record<string, string> = {
        '/proc/self/cgroup': '0::/',
        '/sys/fs/cgroup/memory.max': `${MIB - 1}`,
      };
      kernelFiles.text = (path) => limited[path];
      for (const prefault of ['none', 'sync', 'background'] as const) await pools.connect(pool.path, { prefault });
      limited['/sys/fs/cgroup/memory.max'] = `${MIB}`;
      await pools.connect(pool.path, { prefault: 'sync' });
      await pause(5);
      process.off('warning', note);
      expect(warnings).to.have.length(2);
      expect(warnings[0]).to.contain(`Mapping all of the pool ${pool.path}`);
    });

    it('is warned of, once, before the pool is refused', async () => {
      const warnings: string[] = [];
      const note = (warning: Error & { code?: string }) => {
        if (warning.code === 'SEALPOOL_MEMORY_SHORT') warnings.push(warning.message);
      };
      process.on('warning', note);
      const path = pools.path();
      expect(await codeOf(() => format(path, { size, pageSize: 65_536 }))).to.equal('NO_SPACE');
      await pause(5);
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.contain(`Making the pool ${path} takes 8388608 MiB`);
      expect(await codeOf(() => connect(path, { create: { size, pageSize: 65_536 } }))).to.equal('NO_SPACE');
      await pools.connect(path, { create: { size: MIB }, prefault: 'sync' });
      await pause(5);
      process.off('warning', note);
      expect(warnings).to.have.length(2);
    });
  });
}
