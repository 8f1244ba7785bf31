import { expect } from 'chai';
import {
  bytesText,
  countText,
  mebibytesText,
  microsecondsText,
  percentText,
  secondsText,
  timesOf,
  timesText,
  visible,
} from '../../../adapters/compare/figures.js';

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
      [1.5 * 2 ** 60, '1536 PiB'],
    ];
    for (const [bytes, text] of known) expect(bytesText(bytes)).to.equal(text);
  });

  it('write microseconds with three digits that carry meaning', () => {
    expect([0.4, 8.314, 24.51, 1204.4].map(microsecondsText)).to.deep.equal(['0.40', '8.31', '24.5', '1,204']);
  });

  it('write whole counts, seconds and MiB, the nearest ones', () => {
    expect([0.4, 1_234.5, 1_234_567].map(countText)).to.deep.equal(['0', '1,235', '1,234,567']);
    expect([4, 12_345].map(secondsText)).to.deep.equal(['0.00', '12.35']);
    expect([0, 2 ** 20, 1.25 * 2 ** 30].map(mebibytesText)).to.deep.equal(['0.0', '1.0', '1,280.0']);
  });

  it('write how many times one is the other, where that has a meaning', () => {
    expect([timesOf(3, 2), timesOf(3, 0), timesOf(0, 0), timesOf(1, -1), timesOf(Number.NaN, 1)]).to.deep.equal([
      1.5,
      ...[undefined, undefined, undefined, undefined],
    ]);
    expect([1.006, 99.994, 1_234.5].map(timesText)).to.deep.equal(['1.01x', '99.99x', '1,235x']);
  });

  it('write a dash for what is not a number', () => {
    for (const text of [percentText, bytesText, countText, mebibytesText, microsecondsText, secondsText])
      expect([text(Number.NaN), text(Number.POSITIVE_INFINITY)], text.name).to.deep.equal(['–', '–']);
    expect(timesText(undefined)).to.equal('–');
  });

  it('show every control character and every change of direction', () => {
    expect(visible('a\tb\u007f\u009b\u202ec é')).to.equal('a\\u0009b\\u007f\\u009b\\u202ec é');
    expect(visible('\u2028\u202a\u2066\u2069')).to.equal('\\u2028\\u202a\\u2066\\u2069');
  });
});
