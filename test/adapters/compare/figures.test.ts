import { expect } from 'chai';
import { bytesText, microsecondsText, percentText, timesText, visible } from '../../../adapters/compare/figures.js';

describe('figures', () => {
  it('write 100 % only for a ratio of exactly 1', () => {
    expect(percentText(1)).to.equal('100.00 %');
    expect(percentText(0.999999)).to.equal('99.99 %');
    expect(percentText(0.12345)).to.equal('12.35 %');
  });

  it('write bytes in the unit that keeps the number between 1 and 1,024', () => {
    const known: [number, string][] = [
      [0, '0 B'],
      [1023, '1023 B'],
      [1024, '1 KiB'],
      [1_048_575, '1 MiB'],
      [67_108_864, '64 MiB'],
      [1_610_612_736, '1.5 GiB'],
    ];
    for (const [bytes, text] of known) expect(bytesText(bytes)).to.equal(text);
  });

  it('write microseconds with three digits that carry meaning', () => {
    expect([0.4, 8.314, 24.51, 1204.4].map(microsecondsText)).to.deep.equal(['0.40', '8.31', '24.5', '1,204']);
  });

  it('write a dash for what is not a number', () => {
    expect([percentText(Number.NaN), bytesText(Number.NaN), timesText(undefined)]).to.deep.equal(['–', '–', '–']);
  });

  it('show every control character and every change of direction', () => {
    expect(visible('a\tb\u007f\u009b\u202ec é')).to.equal('a\\u0009b\\u007f\\u009b\\u202ec é');
  });
});
