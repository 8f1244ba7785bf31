import { expect } from 'chai';
import fc from 'fast-check';
import { formatSize, parseMemory, parseSize } from '../../../adapters/cli/size.js';
import { PoolError } from '../../../lib/errors.js';

function refusal(call: () => unknown): PoolError {
  try {
    call();
  } catch (failure) {
    if (failure instanceof PoolError) return failure;
    throw failure;
  }
  throw new Error('nothing was refused');
}

describe('sizes', () => {
  const known: [string, number][] = [
    ['65536', 65536],
    ['512KB', 524_288],
    ['512 kib', 524_288],
    ['64MiB', 67_108_864],
    ['64M', 67_108_864],
    ['1GiB', 1_073_741_824],
    ['2GB', 2_147_483_648],
    ['1.5 GiB', 1_610_612_736],
    ['1TiB', 2 ** 40],
    ['0.3KiB', 307],
    ['7b', 7],
  ];
  for (const [text, bytes] of known) {
    it(`${JSON.stringify(text)} are ${bytes} bytes`, () => {
      expect(parseSize(text)).to.equal(bytes);
    });
  }

  it('come back as they were from their text, for every whole number of bytes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        expect(parseSize(formatSize(bytes))).to.equal(bytes);
      }),
    );
  });

  it('come back as they were from their text, for whole binary units', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1023 }), fc.integer({ min: 0, max: 4 }), (count, power) => {
        const bytes = count * 1024 ** power;
        expect(formatSize(bytes)).to.equal(`${count}${['', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`);
        expect(parseSize(formatSize(bytes))).to.equal(bytes);
      }),
    );
  });

  for (const text of ['', 'MiB', '-1', '1e9', '64XiB', '0', '0.5', '99999999999TiB', '10%', '1.2.3', '5constructor']) {
    it(`refuse ${JSON.stringify(text)} and name the option and what was typed`, () => {
      const { code, message } = refusal(() => parseSize(text, '--size'));
      expect(code).to.equal('OPTION_INVALID');
      expect(message).to.contain('--size').and.to.contain(JSON.stringify(text));
    });
  }

  it('of memory may be a share in percent', () => {
    expect(parseMemory('10%')).to.equal('10%');
    expect(parseMemory(' 0.5 % ')).to.equal('0.5%');
    expect(parseMemory('64MiB')).to.equal(67_108_864);
  });

  for (const text of ['0%', '0.00001%', '%', '1001%', '-5%', 'ten%']) {
    it(`of memory refuse the share ${JSON.stringify(text)}`, () => {
      expect(refusal(() => parseMemory(text, '--memory')).message).to.contain('--memory');
    });
  }
});
