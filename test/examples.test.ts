import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { root } from './tidy/sources.js';

function run(name: string): string[] {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'examples', name)], { encoding: 'utf8' });
  expect(status, stderr).to.equal(0);
  return stdout.trimEnd().split('\n');
}

/** The 32-bit words that the nodes of examples/shuffle.mjs start from, made here a second time. */
function numbersOfShuffle(): number[] {
  return [1, 2, 3, 4].flatMap((seed) => {
    let state = seed;
    return Array.from({ length: 250_000 }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      return state >>> 0;
    });
  });
}

if (process.platform === 'linux' && existsSync('/dev/shm')) {
  describe('the examples', () => {
    it('object-store: what one process sealed is read by another, and its answer comes back', () => {
      const lines = run('object-store.mjs');
      expect(lines).to.have.members([
        "writer: before the seal the pool has 'prices': false",
        'writer: a second put is accepted: false',
        'reader: read 1000000 prices in place',
        'writer: the reader added up 4999995000.00',
      ]);
      expect(lines.at(-1)).to.equal('writer: the reader added up 4999995000.00');
    }).timeout(120_000);

    it('shuffle: four processes sort what they dealt out to each other', () => {
      const numbers = numbersOfShuffle();
      const smallest = numbers.reduce((a, b) => Math.min(a, b));
      const largest = numbers.reduce((a, b) => Math.max(a, b));
      expect(run('shuffle.mjs')).to.deep.equal([
        '1000000 numbers from 4 processes, in order: true',
        `smallest ${smallest}, largest ${largest}`,
      ]);
    }).timeout(120_000);

    it('are each shorter than 80 lines and linked from the README', () => {
      const readme = readFileSync(join(root, 'README.md'), 'utf8');
      for (const name of ['object-store.mjs', 'shuffle.mjs']) {
        expect(readme).to.include(`(examples/${name})`);
        expect(readFileSync(join(root, 'examples', name), 'utf8').split('\n').length - 1).to.be.below(80);
      }
    });
  });
}
