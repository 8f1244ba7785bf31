import { expect } from 'chai';
import { armLine, createProgress } from '../../../adapters/compare/progress.js';

/** Standard error and a clock that only the test moves. */
function stage(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const target = { isTTY, columns, write: (text: string) => written.push(text) };
  return { written, clock, progress: createProgress(target, () => clock.ms) };
}

describe('progress where there is no terminal', () => {
  it('writes the first word of an arm, then a plain line at most every two seconds', () => {
    const { written, clock, progress } = stage(false);
    for (let step = 0; step < 100; step++) {
      clock.ms = step * 100;
      progress.update({ arm: 'shared', fraction: step / 200, text: `step ${step}` });
    }
    expect(written).to.deep.equal([0, 20, 40, 60, 80].map((step) => `shared: ${step / 2} %, step ${step}\n`));
  });

  it('writes the end of an arm at once, and once', () => {
    const { written, progress } = stage(false);
    progress.update({ arm: 'shared', fraction: 0, text: '' });
    progress.update({ arm: 'shared', fraction: 1, text: 'done' });
    progress.update({ arm: 'shared', fraction: 1, text: 'done' });
    progress.finish();
    expect(written).to.deep.equal(['shared: 0 %\n', 'shared: 100 %, done\n']);
  });

  it('writes what it held back when it finishes', () => {
    const { written, progress } = stage(false);
    progress.update({ arm: 'shared', fraction: 0.1, text: '' });
    progress.update({ arm: 'shared', fraction: 0.7, text: '' });
    progress.finish();
    expect(written).to.deep.equal(['shared: 10 %\n', 'shared: 70 %\n']);
  });

  it('sends no control characters, whatever an arm is called', () => {
    const { written, progress } = stage(false);
    progress.begin('trace \u001b]0;x\u0007');
    progress.update({ arm: 'a\u001b[2J', fraction: 0.5, text: 'b\r' });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is the claim
    expect(written.join('').replaceAll('\n', '')).to.not.match(/[\u0000-\u001f]/);
  });
});

describe('progress on a terminal', () => {
  it('goes back over exactly the lines it drew', () => {
    const { written, clock, progress } = stage(true);
    progress.update({ arm: 'private-lru', fraction: 1, text: '' });
    progress.update({ arm: 'shared', fraction: 0, text: '' });
    clock.ms = 500;
    progress.update({ arm: 'shared', fraction: 0.5, text: '' });
    expect(written).to.have.length(3);
    expect(written[0]).to.not.contain('A\r');
    expect(written[1]?.startsWith('\u001b[1A\r')).to.equal(true);
    expect(written[2]?.startsWith('\u001b[2A\r')).to.equal(true);
    for (const text of written.slice(1)) expect(text.split('\n')).to.have.length(3);
  });

  it('redraws at most ten times a second, and draws the last word when it finishes', () => {
    const { written, clock, progress } = stage(true);
    for (let step = 0; step < 1000; step++) {
      clock.ms = step;
      progress.update({ arm: 'shared', fraction: step / 1001, text: `step ${step}` });
    }
    expect(written).to.have.length(10);
    progress.finish();
    progress.finish();
    expect(written).to.have.length(11);
    expect(written[10]).to.contain('step 999');
  });

  it('does not go back over the lines of an earlier run', () => {
    const { written, progress } = stage(true);
    progress.update({ arm: 'shared', fraction: 1, text: '' });
    progress.begin('next trace');
    progress.update({ arm: 'shared', fraction: 1, text: '' });
    expect(written.at(-1)).to.not.contain('A\r');
  });

  it('keeps every line within the terminal', () => {
    for (const columns of [1, 20, 40, 80, 200]) {
      expect(armLine('private-s3-fifo', 0.5, 'text '.repeat(50), 15, columns).length).to.be.below(Math.max(columns, 2));
    }
  });

  it('shows 100 % only for an arm that is done', () => {
    expect(armLine('shared', 0.9999, '', 6, 80)).to.contain(' 99 %');
    expect(armLine('shared', 1, '', 6, 80)).to.contain(' 100 %');
    expect(armLine('shared', Number.NaN, '', 6, 80)).to.contain('  0 %');
  });
});
