import { expect } from 'chai';
import { OutOfLine } from '../../lib/outofline.js';

describe('a call out of line', () => {
  it('gives both arguments on, and the answer or what was thrown back', () => {
    const joined = new OutOfLine((a: string, b: number) => `${a}${b}`);
    expect(joined.call('a', 1)).to.equal('a1');
    const thrown = new Error('thrown');
    const throwing = new OutOfLine(() => {
      throw thrown;
    });
    expect(() => throwing.call(undefined, undefined)).to.throw(thrown);
  });

  it('is of each its own', () => {
    const numbers = [1, 2, 3].map((number) => new OutOfLine((more: number, _: undefined) => number + more));
    expect(numbers.map((each) => each.call(10, undefined))).to.deep.equal([11, 12, 13]);
  });
});
