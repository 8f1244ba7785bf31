import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openStorage } from '../../../adapters/storage/index.js';
import { PoolError } from '../../../lib/errors.js';
import { ALIGNMENT, alignedBuffer, isAligned } from '../../../lib/linux/aligned.js';
import { ownFolder } from '../../../lib/linux/index.js';

const SIZE = 3 * 1024 * 1024 + 777;

describe('storage reads', () => {
  let folder: string;
  let file: string;
  const content = new Uint8Array(SIZE);
  for (let index = 0; index < SIZE; index += 1) content[index] = (index * 2654435761) >>> 24;

  before(() => {
    folder = ownFolder(tmpdir(), 'test');
    file = join(folder, 'data');
    writeFileSync(file, content);
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const direct of [false, true]) {
    it(`${direct ? 'direct' : 'buffered'} reads of any range give the bytes of the file and zero reads past its end`, () => {
      using storage = openStorage(file, { direct });
      expect(storage.size).to.equal(SIZE);
      const ranges = [
        [0, 8192],
        [8192, 8192],
        [24, 16],
        [4095, 2],
        [5000, 100_000],
        [100, 2 * 1024 * 1024 + 9],
        [SIZE - 10, 8192],
        [SIZE - (SIZE % ALIGNMENT), ALIGNMENT],
        [SIZE, 10],
        [SIZE + 100_000, 10],
      ] as const;
      for (const [offset, length] of ranges) {
        const target = new Uint8Array(length);
        const count = storage.read(offset, target);
        const expected = content.subarray(offset, offset + length);
        expect(count, `count at ${offset}`).to.equal(expected.length);
        expect(Buffer.compare(target.subarray(0, count), expected), `bytes at ${offset}`).to.equal(0);
      }
    });
  }

  it('what is appended after the opening is not read', () => {
    const growing = join(folder, 'growing');
    writeFileSync(growing, content.subarray(0, 5000));
    for (const direct of [false, true]) {
      using storage = openStorage(growing, { direct });
      appendFileSync(growing, content.subarray(0, 5000));
      expect(storage.read(4096, new Uint8Array(8192))).to.equal(storage.size - 4096);
    }
  });

  it('a direct read into aligned memory is one read of just its bytes, and into other memory the same bytes', () => {
    using storage = openStorage(file, { direct: true });
    const aligned = alignedBuffer(16_384).subarray(ALIGNMENT, ALIGNMENT + 8192);
    expect(storage.read(8192, aligned)).to.equal(8192);
    expect([storage.readCount, storage.readBytes]).to.deep.equal([1, 8192]);
    const shifted = alignedBuffer(16_384).subarray(1, 8193);
    expect(storage.read(8192, shifted)).to.equal(8192);
    expect(Buffer.compare(aligned, shifted)).to.equal(0);
    expect(storage.readCount).to.equal(2);
  });

  it('alignment is told of the view, not of its buffer', () => {
    const buffer = alignedBuffer(3 * ALIGNMENT);
    expect(isAligned(buffer)).to.equal(true);
    expect(isAligned(buffer.subarray(ALIGNMENT))).to.equal(true);
    expect(isAligned(buffer.subarray(512))).to.equal(false);
    expect(isAligned(buffer.subarray(0, 0))).to.equal(false);
  });

  it('aligned memory is zeroed and of the size asked for', () => {
    const buffer = alignedBuffer(5000);
    expect(buffer.length).to.equal(5000);
    expect(buffer.every((byte) => byte === 0)).to.equal(true);
  });

  it('a file system that refuses direct reads is read buffered, with a note that says so', () => {
    // procfs files are regular and refuse O_DIRECT at open.
    using storage = openStorage('/proc/self/status', { direct: true });
    expect(storage.direct).to.equal(false);
    expect(storage.note).to.match(/refuses O_DIRECT/);
  });

  it('direct storage says that it is direct exactly when it has no note', () => {
    using storage = openStorage(file, { direct: true });
    expect(storage.note === undefined).to.equal(storage.direct);
  });

  it('what is missing or no regular file is refused with a code', () => {
    for (const path of [join(folder, 'absent'), folder]) {
      for (const direct of [false, true]) {
        expect(() => openStorage(path, { direct }))
          .to.throw(PoolError)
          .with.property('code', 'OPTION_INVALID');
      }
    }
  });

  it('a read after close is refused with a code', () => {
    const storage = openStorage(file, { direct: true });
    storage.close();
    storage.close();
    expect(() => storage.read(0, new Uint8Array(1)))
      .to.throw(PoolError)
      .with.property('code', 'DISCONNECTED');
  });
});
