/** The commands against a real pool, each in a process of its own, as a shell runs them. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { parseSize } from '../../../adapters/cli/size.js';
import { connect, parseSize as parseSizeOfPool } from '../../../src/pool/index.js';
import { productMain, run } from './world.js';

describe('the commands on a real pool', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sealpool-real-'));
  const path = join(folder, 'pool');
  after(() => rmSync(folder, { recursive: true }));

  it('format makes a pool of the size asked for, and refuses to make it twice without --force', async () => {
    const words = ['format', path, '--size', '16MiB', '--page-size', '4KiB', '--json'];
    const first = await run(productMain, words);
    expect(first.exitCode, first.stderr).to.equal(0);
    expect(JSON.parse(first.stdout)).to.include({ size: 16_777_216, pageSize: 4096 });
    const second = await run(productMain, words);
    expect(second.exitCode).to.equal(1);
    expect(second.stderr).to.contain('POOL_EXISTS').and.not.contain('    at ');
    expect((await run(productMain, [...words, '--force'])).exitCode).to.equal(0);
  });

  it('what one process puts another lists, reads and removes', async () => {
    const file = join(folder, 'object');
    const text = 'page contents\n'.repeat(1000);
    writeFileSync(file, text);
    expect((await run(productMain, ['put', path, 'a/1', file])).exitCode).to.equal(0);
    const [object] = JSON.parse((await run(productMain, ['ls', path, '--prefix', 'a/', '--json'])).stdout);
    expect(object).to.include({ key: 'a/1', size: text.length, state: 'sealed' });
    expect((await run(productMain, ['ls', path, '--prefix', 'b/', '--json'])).stdout).to.equal('[]\n');
    expect((await run(productMain, ['cat', path, 'a/1'])).stdout).to.equal(text);
    expect((await run(productMain, ['rm', path, 'a/1'])).exitCode).to.equal(0);
    expect((await run(productMain, ['cat', path, 'a/1'])).exitCode).to.equal(1);
  });

  it('put stores a file larger than is read at once, and says of a pipe what came out of it', async () => {
    const large = join(folder, 'large');
    const file = join(folder, 'of-many-pieces');
    const bytes = Buffer.alloc(33 * 2 ** 20 + 5, 'piece by piece. ');
    writeFileSync(file, bytes);
    await run(productMain, ['format', large, '--size', '96MiB']);
    expect((await run(productMain, ['put', large, 'whole', file])).exitCode).to.equal(0);
    const pool = await connect(large);
    using page = pool.get('whole');
    expect(page !== undefined && Buffer.compare(page.bytes, bytes)).to.equal(0);
    await pool.disconnect();
    expect((await run(productMain, ['put', large, 'whole', file])).stderr).to.contain('has an object "whole" already');
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const [{ exitCode }] = await Promise.all([
      run(productMain, ['put', large, 'piped', fifo]),
      writeFile(fifo, 'drops'),
    ]);
    expect(exitCode).to.equal(0);
    expect((await run(productMain, ['cat', large, 'piped'])).stdout).to.equal('drops');
  });

  it('destroy removes the file, and every command then says that there is no pool', async () => {
    expect((await run(productMain, ['destroy', path])).exitCode).to.equal(0);
    expect(existsSync(path)).to.equal(false);
    for (const words of [
      ['ls', path],
      ['cat', path, 'k'],
      ['rm', path, 'k'],
      ['destroy', path],
    ]) {
      const { exitCode, stderr } = await run(productMain, words);
      expect(exitCode).to.equal(1);
      expect(stderr).to.contain('POOL_NOT_FOUND');
    }
  });

  it('a file that is no pool is refused, and left as it was', async () => {
    const file = join(folder, 'letter');
    writeFileSync(file, 'Dear reader');
    for (const command of ['ls', 'destroy']) expect((await run(productMain, [command, file])).exitCode).to.equal(1);
    expect(readFileSync(file, 'utf8')).to.equal('Dear reader');
  });
});

describe('a size on the command line', () => {
  it('is the size that the library takes it for', () => {
    const unit = fc.constantFrom('', 'B', 'KB', 'KiB', 'k', 'MB', 'MiB', 'M', 'GB', 'GiB', 'g', 'TiB', ' MiB');
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4000 }), unit, (count, name) => {
        expect(parseSize(`${count}${name}`)).to.equal(parseSizeOfPool(`${count}${name}`));
      }),
    );
  });
});
