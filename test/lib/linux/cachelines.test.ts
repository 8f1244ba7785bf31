import { mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { PoolError } from '../../../lib/errors.js';
import { CacheLines, chooseInstructions } from '../../../lib/linux/cachelines.js';
import { Mapping } from '../../../lib/linux/mapping.js';

const BYTES = 1024 ** 2;

function cpuinfo(flags: string, size = 64): string {
  return `processor\t: 0\nflags\t\t: fpu ${flags} sse2\nclflush size\t: ${size}\n\nprocessor\t: 1\n`;
}

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof PoolError && error.code === 'UNSUPPORTED') return error.message;
    throw error;
  }
  return 'taken';
}

function isSupported(): boolean {
  try {
    chooseInstructions(process.arch, readFileSync('/proc/cpuinfo', 'utf8'));
    return true;
  } catch {
    return false;
  }
}

describe('the instructions for lines', () => {
  it('are the best that the processor has', () => {
    const choose = (flags: string) => chooseInstructions('x64', cpuinfo(flags));
    expect(choose('clflush')).to.deep.equal({ writeback: 'clflush', invalidate: 'clflush' });
    expect(choose('clflush clflushopt')).to.deep.equal({ writeback: 'clflushopt', invalidate: 'clflushopt' });
    expect(choose('clflush clwb clflushopt')).to.deep.equal({ writeback: 'clwb', invalidate: 'clflushopt' });
  });

  it('are refused by the name of what is missing', () => {
    expect(refusal(() => chooseInstructions('arm64', ''))).to.include('arm64');
    expect(refusal(() => chooseInstructions('x64', cpuinfo('clflushopt')))).to.include('clflush, which');
    expect(refusal(() => chooseInstructions('x64', cpuinfo('clflush', 128)))).to.include('have 128');
    expect(refusal(() => chooseInstructions('x64', ''))).to.include('clflush');
  });
});

/** The shortest of many tries, in nanoseconds: what else the machine does only makes some of them longer. */
function shortest(act: () => number, before: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 400; i++) {
    before();
    const start = process.hrtime.bigint();
    act();
    least = Math.min(least, Number(process.hrtime.bigint() - start));
  }
  return least;
}

if (isSupported()) {
  describe('the lines of a mapping', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sealpool-lines-'));
    const path = join(folder, 'file');
    writeFileSync(path, '');
    truncateSync(path, BYTES);
    const mapping = new Mapping(openSync(path, 'r+'), 0, BYTES, true);
    const lines = new CacheLines(mapping);
    const words = new Int32Array(mapping.buffer);

    after(() => {
      mapping.unmap();
      rmSync(folder, { recursive: true });
    });

    it('keep what was stored when they are written back and dropped, all of them, and none beyond', () => {
      const count = BYTES / 64;
      for (let i = 0; i < words.length; i++) words[i] = i;
      lines.writeback(0, count);
      lines.invalidate(0, count);
      lines.order();
      expect(words.findIndex((word, i) => word !== i)).to.equal(-1);
      lines.writeback(count, 0);
      expect(() => lines.invalidate(1, count)).to.throw('not in the mapping');
      expect(() => lines.writeback(-1, 1)).to.throw('not in the mapping');
    });

    it('have to be fetched again once they were dropped', () => {
      const read = () => {
        let sum = 0;
        for (let word = 0; word < 4096; word += 16) sum += words[word] as number;
        return sum;
      };
      const known = shortest(read, read);
      const dropped = shortest(read, () => {
        lines.invalidate(0, 256);
        lines.order();
      });
      expect(dropped).to.be.greaterThan(2 * known);
    });
  });
}
