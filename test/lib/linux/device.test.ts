/** Memory devices, as far as this machine has any: what is one, and mappings that are parts of one. `npm run test:vm` has real ones. */
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { numbersOf } from '../../../lib/linux/device.js';
import {
  canDetach,
  type Device,
  deviceOf,
  LinuxMachine,
  Mapping,
  OS_PAGE_BYTES,
  ownFolder,
  PoolFile,
} from '../../../lib/linux/index.js';
import { WholeMapping } from '../../../lib/linux/mapping.js';
import { Pace } from '../../../lib/steps.js';
import { formatFile } from '../../../src/pool/formatter.js';
import { checkFormat, emptySuperblock, readIdentity, stateOf } from '../../../src/pool/layout/index.js';
import { codeOf, folderFor, MIB } from '../../support/pools.js';

const ALIGNMENT = 2 * MIB;

/** Whether a mapping of this process begins there, and of what. */
function mappedAt(address: number): string | undefined {
  const start = address.toString(16).padStart(8, '0');
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  return lines.find((line) => line.startsWith(`${start}-`));
}

describe('a memory device', () => {
  const folder = ownFolder(folderFor(64 * MIB), 'device');
  const path = join(folder, 'file');
  const garbage = Uint8Array.from({ length: 16 * MIB }, (_, i) => (i * 7919 + 1) & 0xff);
  beforeEach(() => writeFileSync(path, garbage));
  after(() => rmSync(folder, { recursive: true }));

  function opened<T>(name: string, use: (descriptor: number) => T): T {
    const descriptor = openSync(name, 'r');
    try {
      return use(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  const deviceAt = (name: string, sysfs?: string) =>
    opened(name, (descriptor) => deviceOf(descriptor, fstatSync(descriptor), sysfs));

  it('is a character device, with the size and alignment that sysfs tells, or a file of sysfs itself', () => {
    expect(numbersOf(statSync('/dev/zero').rdev)).to.deep.equal([1, 5]);
    // As makedev(259, 300) and makedev(2^12 + 1, 2^20 - 1) give them.
    expect(numbersOf(0x11032c)).to.deep.equal([259, 300]);
    expect(numbersOf(0x1000_fff0_01ff)).to.deep.equal([4097, 2 ** 20 - 1]);
    const sysfs = join(folder, 'sys');
    mkdirSync(join(sysfs, 'dev/char/1:5'), { recursive: true });
    const write = (name: string, text: string) => writeFileSync(join(sysfs, 'dev/char/1:5', name), text);
    expect(deviceAt('/dev/zero', sysfs)).to.deep.equal({ byteLength: undefined, alignment: OS_PAGE_BYTES });
    write('size', '266338304\n');
    write('align', '2097152\n');
    expect(deviceAt('/dev/zero', sysfs)).to.deep.equal({ byteLength: 266338304, alignment: ALIGNMENT });
    write('size', '0x10000000\n');
    write('align', 'nothing\n');
    expect(deviceAt('/dev/zero', sysfs)).to.deep.equal({ byteLength: 2 ** 28, alignment: OS_PAGE_BYTES });
    expect(deviceAt(path)).to.equal(undefined);
    const { size } = statSync('/sys/kernel/uevent_seqnum');
    expect(deviceAt('/sys/kernel/uevent_seqnum')).to.deep.equal({ byteLength: size, alignment: OS_PAGE_BYTES });
  });

  it('is mapped whole, and unmapped when the last part has ended', () => {
    const whole = opened(path, (descriptor) => new WholeMapping(descriptor, 16 * MIB, false));
    const parts = [0, 5 * MIB].map((offset) => new Mapping(whole, offset, MIB, false));
    expect(parts.map(({ address }) => address - whole.address)).to.deep.equal([0, 5 * MIB]);
    for (const [i, { buffer }] of parts.entries()) {
      const wanted = garbage.subarray(i * 5 * MIB, i * 5 * MIB + MIB);
      expect(Buffer.compare(new Uint8Array(buffer), wanted)).to.equal(0);
    }
    parts[0]?.unmapUnshared();
    parts[0]?.unmap();
    expect(mappedAt(whole.address)).to.contain(path);
    parts[1]?.unmapUnshared();
    expect(mappedAt(whole.address)).to.equal(undefined);
  });

  it('shows nothing to who holds a view of a part beyond its end', () => {
    const whole = opened(path, (descriptor) => new WholeMapping(descriptor, 16 * MIB, false));
    const [one, other] = [new Mapping(whole, 0, MIB, false), new Mapping(whole, MIB, MIB, false)];
    const late = new Uint8Array(one.buffer, 0, 100);
    one.unmap();
    other.unmapUnshared();
    expect(mappedAt(whole.address) ?? '').not.to.contain(path);
    if (canDetach()) expect(late.length).to.equal(0);
    else expect(late).to.deep.equal(new Uint8Array(100));
  });

  /** An ordinary file that says it is a device: like one, it can be mapped, and nothing else is asked of it. */
  function pretended(device: Device): PoolFile {
    const file = PoolFile.open(path, { writable: true, trustUids: [] });
    const refuse = () => {
      throw new Error('nothing of the kind is done to a device');
    };
    const asked = { device, truncate: refuse, reserve: refuse, setMode: refuse, unlink: refuse, syncFolder: refuse };
    return Object.assign(file, asked);
  }

  it('is formatted in place over whatever it holds, and is blank when the pool was taken away', async () => {
    const file = pretended({ byteLength: 16 * MIB, alignment: ALIGNMENT });
    try {
      expect(stateOf(file)).to.equal('foreign');
      const options = checkFormat({ size: '8MiB', pageSize: 4096 });
      await formatFile(file, options, new Pace(new LinuxMachine()));
      expect(stateOf(file)).to.equal('ready');
      expect(readIdentity(file).plan.size).to.equal(8 * MIB);
      expect(statSync(path).size).to.equal(16 * MIB);
      const wanted = garbage.subarray(9 * MIB, 10 * MIB);
      expect(Buffer.compare(readFileSync(path).subarray(9 * MIB, 10 * MIB), wanted)).to.equal(0);
      file.writeStart(emptySuperblock());
      expect(stateOf(file)).to.equal('blank');
    } finally {
      file.close();
    }
  });

  it('that is too small for the plan is left as it is', async () => {
    const file = pretended({ byteLength: 4 * MIB, alignment: ALIGNMENT });
    try {
      const options = checkFormat({ size: '8MiB', pageSize: 4096 });
      expect(await codeOf(() => formatFile(file, options, new Pace(new LinuxMachine())))).to.equal('OPTION_INVALID');
      expect(Buffer.compare(readFileSync(path), garbage)).to.equal(0);
    } finally {
      file.close();
    }
  });

  it('is mapped in multiples of its alignment', () => {
    const file = pretended({ byteLength: 16 * MIB, alignment: ALIGNMENT });
    try {
      const map = file.mapper(5 * MIB);
      const [head, tail, draft] = [map(0, MIB, false), map(4 * MIB, MIB, false), map(4 * MIB, MIB, true)];
      const [from = '', to = ''] = (mappedAt(head.address)?.split(' ')[0] ?? '').split('-');
      expect(Number.parseInt(to, 16) - Number.parseInt(from, 16)).to.equal(6 * MIB);
      expect(tail.address - head.address).to.equal(4 * MIB);
      new Uint8Array(draft.buffer)[7] = 77;
      expect(new Uint8Array(tail.buffer)[7]).to.equal(77);
      for (const mapping of [head, tail, draft]) mapping.unmapUnshared();
    } finally {
      file.close();
    }
  });

  it('that does not tell its size is asked by mapping it', () => {
    // Of zeros there are as many as anybody wants; what cannot be mapped is no device for a pool.
    for (const [name, isMappable] of [
      ['/dev/zero', true],
      ['/dev/null', false],
    ] as const) {
      const file = PoolFile.open(name, { writable: true, trustUids: 'all' });
      expect(file.isMappable(8 * MIB), name).to.equal(isMappable);
      file.close();
    }
  });
});
