import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ownFolder } from '../../../lib/linux/index.js';
import { root } from '../../tidy/sources.js';

describe('the live database of the README', () => {
  it('runs as it stands there, but for its paths, and shows a snapshot that moves by refresh', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const block =
      [...readme.matchAll(/^```ts\n(.*?)^```$/gms)]
        .map(([, code = '']) => code)
        .find((code) => code.includes('openWriter')) ?? '';
    expect(
      block
        .trim()
        .split('\n')
        .filter((line) => line !== ''),
    ).to.have.length.within(10, 15);
    const folder = ownFolder(tmpdir(), 'readme');
    const pool = `/dev/shm/sealpool-readme-${process.pid}`;
    // Inside the package, so that it finds itself by its name.
    const program = join(root, 'dist', `readme-${process.pid}.mjs`);
    const code = block.replaceAll('/data/', `${folder}/`).replaceAll('/dev/shm/pages', pool).replace('512MiB', '16MiB');
    const end = 'reader.close(); writer.close(); await pool.disconnect();\n';
    writeFileSync(program, code.replaceAll(/^using /gm, 'const ') + end);
    try {
      const { stdout, stderr, status } = spawnSync(process.execPath, [program], { encoding: 'utf8' });
      expect(status, stderr).to.equal(0);
      expect(stdout).to.match(/^0\n1 \{ lsn: \d+, ageMs: \d+ \}\n$/);
    } finally {
      for (const path of [program, folder, pool]) rmSync(path, { recursive: true, force: true });
    }
  });
});
