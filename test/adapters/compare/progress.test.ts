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
  it('writes the first word, then a plain line at most every three seconds, whatever arm it is of', () => {
    const { written, clock, progress } = stage(false);
    for (let step = 0; step < 100; step++) {
      clock.ms = step * 100;
      progress.update({ arm: step < 50 ? 'private-lru' : 'shared', fraction: step / 200, text: `step ${step}` });
    }
    expect(written).to.deep.equal([
      'private-lru: 0 %, step 0\n',
      'private-lru: 15 %, step 30\n',
      'shared: 30 %, step 60\n',
      'shared: 45 %, step 90\n',
    ]);
  });

  it('writes the last word that it held back when it finishes, and once', () => {
    const { written, progress } = stage(false);
    progress.update({ arm: 'shared', fraction: 0, text: '' });
    progress.update({ arm: 'shared', fraction: 0.7, text: '' });
    progress.update({ arm: 'shared', fraction: 1, text: 'done' });
    progress.finish();
    progress.finish();
    expect(written).to.deep.equal(['shared: 0 %\n', 'shared: 100 %, done\n']);
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
  it('draws one line, over and over, whatever arm it is of, and leaves none', () => {
    const { written, clock, progress } = stage(true);
    progress.begin('What comes.', 'And what of it.');
    progress.update({ arm: 'private-lru', fraction: 1, text: '' });
    progress.update({ arm: 'shared', fraction: 0, text: '' });
    clock.ms = 500;
    progress.update({ arm: 'shared', fraction: 0.5, text: '' });
    progress.finish();
    progress.finish();
    expect(written).to.have.length(5);
    expect(written[0]).to.equal('What comes.\nAnd what of it.\n');
    for (const text of written.slice(1)) {
      expect(text.startsWith('\r\u001b[2K')).to.equal(true);
      expect(text).to.not.contain('\n');
    }
    expect(written[3]).to.contain('shared').and.to.contain(' 50 %');
    expect(written[4]).to.equal('\r\u001b[2K');
  });

  it('redraws at most ten times a second, but at once for another arm, and for the end of one', () => {
    const { written, clock, progress } = stage(true);
    for (let step = 0; step < 1000; step++) {
      clock.ms = step;
      progress.update({ arm: 'shared', fraction: step / 1001, text: `step ${step}` });
    }
    expect(written).to.have.length(10);
    progress.update({ arm: 'shared', fraction: 1, text: '' });
    progress.update({ arm: 'os-cache', fraction: 0, text: '' });
    expect(written).to.have.length(12);
  });

  it('keeps every line within the terminal', () => {
    for (const columns of [1, 20, 40, 80, 200]) {
      expect(armLine('private-s3-fifo', 0.5, 'text '.repeat(50), columns).length).to.be.below(Math.max(columns, 2));
    }
  });

  it('shows 100 % only for an arm that is done', () => {
    expect(armLine('shared', 0.9999, '', 80)).to.contain(' 99 %');
    expect(armLine('shared', 1, '', 80)).to.contain(' 100 %');
    expect(armLine('shared', Number.NaN, '', 80)).to.contain('  0 %');
  });
});
