import { closeSync, existsSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Mapping, ownFolder } from '../../../lib/linux/index.js';

const HUGE = 2 * 1024 ** 2;
const SHARED_MEMORY = '/dev/shm';
const SETTING = '/sys/kernel/mm/transparent_hugepage/shmem_enabled';

/** The lines of this process's memory map, and the ranges of addresses they are about. */
function memoryMap(file: 'maps' | 'smaps'): { from: number; to: number; text: string }[] {
  const parts = readFileSync(`/proc/self/${file}`, 'latin1').split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/);
  return parts.map((text) => {
    const [from, to] = text.split(' ', 1)[0]!.split('-') as [string, string];
    return { from: Number.parseInt(from, 16), to: Number.parseInt(to, 16), text };
  });
}

function kernelMakesHugePages(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (!existsSync(SHARED_MEMORY) || !existsSync(SETTING) || major < 6 || (major === 6 && minor < 1)) return false;
  const { bavail, bsize } = statfsSync(SHARED_MEMORY);
  return bavail * bsize > 64 * HUGE && !readFileSync(SETTING, 'utf8').includes('[deny]');
}

describe('a mapping of a file', () => {
  const folder = ownFolder(existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(), 'mapping');
  const contents = new Uint8Array(5 * HUGE).map((_, index) => index >>> 12);
  const descriptors: number[] = [];
  const mappings: Mapping[] = [];
  after(() => {
    for (const mapping of mappings) mapping.unmap();
    for (const descriptor of descriptors) closeSync(descriptor);
    rmSync(folder, { recursive: true });
  });

  function fileNamed(name: string): number {
    const descriptor = openSync(join(folder, name), 'w+');
    descriptors.push(descriptor);
    writeSync(descriptor, contents);
    return descriptor;
  }

  const common = fileNamed('common');

  function map(offset: number, byteLength: number, writable = false, descriptor = common): Mapping {
    const mapping = new Mapping(descriptor, offset, byteLength, writable);
    mappings.push(mapping);
    return mapping;
  }

  function expectContents(mapping: Mapping, offset: number): void {
    const { byteLength } = mapping;
    expect(Buffer.compare(new Uint8Array(mapping.buffer), contents.subarray(offset, offset + byteLength))).to.equal(0);
  }

  it('shows its bytes, and lies in huge pages as they do in the file when it is as large as one', () => {
    for (const [offset, byteLength] of [
      [0, HUGE],
      [0, 5 * HUGE],
      [0, 2 * HUGE + 100],
      [4096, 3 * HUGE - 4096],
      [HUGE - 4096, 4 * HUGE + 4096],
      [3 * 4096, 8192],
    ] as const) {
      for (const writable of [false, true]) {
        const mapping = map(offset, byteLength, writable);
        expectContents(mapping, offset);
        if (byteLength >= HUGE) expect(mapping.address % HUGE, `${offset}`).to.equal(offset % HUGE);
      }
    }
  });

  /** Bytes of addresses that are taken and lead nowhere. */
  function reservedBytes(): number {
    const reserved = memoryMap('maps').filter(({ text }) => / ---p 00000000 00:00 0/.test(text));
    return reserved.reduce((total, { from, to }) => total + to - from, 0);
  }

  it('keeps no addresses beside its own', () => {
    const before = reservedBytes();
    map(HUGE, 3 * HUGE + 5000);
    expect(reservedBytes()).to.equal(before);
  });

  it('is refused with a code, and what was reserved for it given back', () => {
    const readOnly = openSync(join(folder, 'common'), 'r');
    try {
      const before = reservedBytes();
      expect(() => new Mapping(readOnly, 0, 3 * HUGE, true)).to.throw(/ACCESS_DENIED.*EACCES/);
      expect(reservedBytes()).to.equal(before);
    } finally {
      closeSync(readOnly);
    }
  });

  if (kernelMakesHugePages()) {
    for (const how of ['populate', 'populateInBackground'] as const) {
      it(`is made of huge pages by ${how}, for other mappings too, with the same bytes`, async () => {
        const file = fileNamed(how);
        const mapping = map(0, 5 * HUGE, false, file);
        const earlier = map(0, 5 * HUGE, true, file);
        expectContents(earlier, 0);
        await mapping[how]();
        for (const one of [mapping, earlier, map(0, 5 * HUGE, false, file)]) {
          expectContents(one, 0);
          const { text } = memoryMap('smaps').find(({ from }) => from === one.address)!;
          expect(Number(/^ShmemPmdMapped: +(\d+) kB$/m.exec(text)?.[1]), text).to.be.above(0);
        }
      });
    }
  }
});
