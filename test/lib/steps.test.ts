import { expect } from 'chai';
import { atOnce, Pace, type Steps } from '../../lib/steps.js';

/** Steps of so many milliseconds each, by a clock of their own. */
function scene(...durationsMs: number[]) {
  const log: string[] = [];
  let nowMs = 1000;
  function* steps(): Steps<string> {
    for (const ms of durationsMs) {
      nowMs += ms;
      log.push(`${ms}`);
      yield;
    }
    return 'done';
  }
  const machine = {
    elapsedMs: () => nowMs,
    sleep: (ms: number) => {
      log.push(`turn ${ms}`);
      return Promise.resolve();
    },
  };
  return { log, steps, machine };
}

describe('long work in steps', () => {
  it('is done at once, by who waits for it', () => {
    const { log, steps } = scene(9, 9);
    expect(atOnce(steps())).to.equal('done');
    expect(log).to.deep.equal(['9', '9']);
  });

  it('lets the event loop turn after steps that took long together, and not after each', async () => {
    const { log, steps, machine } = scene(1, 2, 3, 1, 30, 1);
    expect(await new Pace(machine).run(steps())).to.equal('done');
    expect(log).to.deep.equal(['1', '2', '3', 'turn 0', '1', '30', 'turn 0', '1']);
  });

  it('counts from the last turn, also over one run of steps and the next', async () => {
    const { log, steps, machine } = scene(3);
    const pace = new Pace(machine);
    await pace.run(steps());
    await pace.run(steps());
    expect(log).to.deep.equal(['3', '3', 'turn 0']);
  });

  it('ends with what a step throws', async () => {
    function* failing(): Steps<string> {
      yield;
      throw new Error('no');
    }
    const { machine } = scene();
    expect(() => atOnce(failing())).to.throw('no');
    const error: unknown = await new Pace(machine).run(failing()).catch((caught: unknown) => caught);
    expect(error).to.be.an('error').with.property('message', 'no');
  });
});
