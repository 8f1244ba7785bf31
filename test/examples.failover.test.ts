import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { root } from './tidy/sources.js';

if (process.platform === 'linux' && existsSync('/dev/shm')) {
  describe('the fail-over example', () => {
    it('counts on where the killed process had committed, and loses and repeats nothing', () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'examples/failover.mjs')], {
        encoding: 'utf8',
      });
      expect(status, stderr).to.equal(0);
      const [first, ...others] = stdout.trimEnd().split('\n');
      expect(first).to.match(/^standby: took over checkpoint \d+ of words and counts$/);
      expect(others).to.deep.equal([
        'standby: the counts are those of an uninterrupted run',
        'standby: committed true',
      ]);
    }).timeout(120_000);
  });
}
