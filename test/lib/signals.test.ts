import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import { whenAborted } from '../../lib/signals.js';

describe('listening to an abort signal', () => {
  it('takes one listener however many listen, and none when the last has ended', () => {
    const controller = new AbortController();
    const { signal } = controller;
    const ends = Array.from({ length: 50 }, () => whenAborted(signal, () => {}));
    expect(getEventListeners(signal, 'abort')).to.have.length(1);
    for (const end of ends) end();
    expect(getEventListeners(signal, 'abort')).to.have.length(0);
    whenAborted(signal, () => {});
    expect(getEventListeners(signal, 'abort')).to.have.length(1);
  });

  it('calls each of them once, those that ended meanwhile not at all, and nobody of a signal that has aborted', () => {
    const controller = new AbortController();
    const told: string[] = [];
    let endThird = () => {};
    const one = () => {
      told.push('one');
      endThird();
    };
    whenAborted(controller.signal, one);
    whenAborted(controller.signal, one);
    endThird = whenAborted(controller.signal, () => told.push('third'));
    const end = whenAborted(controller.signal, () => told.push('ended'));
    end();
    end();
    controller.abort();
    whenAborted(controller.signal, () => told.push('late'));
    whenAborted(undefined, () => {});
    expect(told).to.deep.equal(['one', 'one']);
  });
});
