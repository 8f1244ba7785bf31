/** The commands against a real pool, each in a process of its own, as a shell runs them. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { parseSize } from '../../../adapters/cli/size.js';
import { ownFolder } from '../../../lib/linux/index.js';
import { SharedCache } from '../../../src/index.js';
import { connect, parseSize as parseSizeOfPool } from '../../../src/pool/index.js';
import { productMain, run } from './world.js';

describe('the commands on a real pool', () => {
  const folder = ownFolder(tmpdir(), 'real');
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

  it('what ls shows of a key, an entry, a page or bytes is what cat and rm take', async () => {
    const named = join(folder, 'named');
    const pool = await connect(named, { create: { size: '4MiB', pageSize: 512 } });
    const text = (word: string) => new TextEncoder().encode(word);
    const shop = new SharedCache(pool, { namespace: 'shop' });
    const plain = new SharedCache(pool);
    pool.put('object', text('1'));
    pool.put(Uint8Array.of(255, 0, 1), text('2'));
    pool.put('two\nlines', text('3'));
    plain.set('entry', text('4'));
    shop.set('entry', text('5'));
    shop.set('-dash', text('6'));
    shop.set('a#1', text('7'));
    plain.pages('orders', { pageSize: 1 }).put(7, text('8'));
    shop.pages('orders', { pageSize: 1 }).put(2 ** 40, text('9'));
    await pool.disconnect();
    const { stdout } = await run(productMain, ['ls', named]);
    const words = stdout
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/ +/).slice(2));
    expect(words.map((word) => word.join(' '))).to.include.members([
      ...['object', 'entry', 'entry --namespace shop', 'a#1 --namespace shop'],
      ...['orders#7', 'orders#1099511627776 --namespace shop', '_wAB --base64url'],
    ]);
    const contents: string[] = [];
    for (const word of words) {
      contents.push((await run(productMain, ['cat', named, ...word])).stdout);
      expect((await run(productMain, ['rm', named, ...word])).exitCode, word.join(' ')).to.equal(0);
    }
    expect(contents.sort().join('')).to.equal('123456789');
    expect((await run(productMain, ['ls', named, '--json'])).stdout).to.equal('[]\n');
  });

  it('ls shows a namespace or a page space alone, and cat takes a page by --space', async () => {
    const named = join(folder, 'spaces');
    const pool = await connect(named, { create: { size: '4MiB', pageSize: 512 } });
    const shop = new SharedCache(pool, { namespace: 'shop' });
    new SharedCache(pool).set('other', Uint8Array.of(48));
    shop.set('entry', Uint8Array.of(49));
    shop.pages('orders', { pageSize: 1 }).put(7, Uint8Array.of(50));
    shop.pages('items', { pageSize: 1 }).put(7, Uint8Array.of(51));
    await pool.disconnect();
    const sizes = async (...flags: string[]) =>
      JSON.parse((await run(productMain, ['ls', named, '--json', ...flags])).stdout).length;
    expect(await sizes()).to.equal(4);
    expect(await sizes('--namespace', 'shop')).to.equal(3);
    expect(await sizes('--namespace', 'shop', '--prefix', 'en')).to.equal(1);
    expect(await sizes('--namespace', 'shop', '--space', 'items')).to.equal(1);
    const flags = ['--namespace', 'shop', '--space', 'items'];
    expect((await run(productMain, ['cat', named, '7', ...flags])).stdout).to.equal('3');
    expect((await run(productMain, ['cat', named, 'seven', ...flags])).stderr).to.contain('it is the number of a page');
  });

  it('spaces lists what is under each name, and rm --all empties a page space or a namespace with its page spaces', async () => {
    const named = join(folder, 'names');
    const pool = await connect(named, { create: { size: '4MiB', pageSize: 512 } });
    for (const namespace of ['', 'shop']) {
      const cache = new SharedCache(pool, { namespace });
      cache.set('entry', new Uint8Array(64));
      for (const name of ['orders', 'items']) cache.pages(name, { pageSize: 128 }).put(1, new Uint8Array(128));
      cache.pages('items', { pageSize: 128 }).borrow(1);
    }
    await pool.disconnect();
    const spaces = async (...flags: string[]) =>
      JSON.parse((await run(productMain, ['spaces', named, '--json', ...flags])).stdout);
    expect((await spaces()).length).to.equal(6);
    const cache = { kind: 'cache', name: 'shop', namespace: 'shop', objects: 1, bytes: 64, hits: 0 };
    const page = { kind: 'pages', namespace: 'shop', pageSize: 128, objects: 1, bytes: 128, hits: 0 };
    const expected = [cache, { ...page, name: 'items', hits: 1 }, { ...page, name: 'orders' }];
    expect(await spaces('--namespace', 'shop')).to.deep.equal(expected);
    const { stdout } = await run(productMain, ['spaces', named]);
    const rows = stdout.split('\n').map((line) => line.trim().split(/ {2,}/));
    expect(rows[0]).to.deep.equal(['kind', 'namespace', 'space', 'page bytes', 'objects', 'bytes', 'hits']);
    expect(rows[2]).to.deep.equal(['pages', "''", 'items', '128', '1', '128', '1']);
    const remove = async (...words: string[]) => (await run(productMain, ['rm', named, ...words])).exitCode;
    expect(await remove('--space', 'orders', '--all')).to.equal(0);
    expect(await remove('--space', 'orders', '--all')).to.equal(1);
    expect((await spaces()).map((one: { name: string }) => one.name)).to.have.members([
      ...['', 'items'],
      ...['shop', 'orders', 'items'],
    ]);
    expect(await remove('--namespace', 'shop', '--all')).to.equal(0);
    expect(await remove('--namespace', 'shop', '--all')).to.equal(1);
    expect((await spaces()).map((one: { name: string }) => one.name)).to.deep.equal(['', 'items']);
    for (const wrong of [[], ['--all'], ['key', '--all', '--space', 'items'], ['--space', 'items']]) {
      expect(await remove(...wrong), wrong.join(' ')).to.equal(2);
    }
    expect((await spaces()).length).to.equal(2);
  });

  it('format takes the mode of the file', async () => {
    const grouped = join(folder, 'grouped');
    expect((await run(productMain, ['format', grouped, '--size', '1MiB', '--mode', '660'])).exitCode).to.equal(0);
    expect(statSync(grouped).mode & 0o777).to.equal(0o660);
    expect((await run(productMain, ['format', grouped, '--size', '1MiB', '--mode', 'rw'])).stderr).to.contain('octal');
    expect((await run(productMain, ['ls', grouped, '--trust-uid', '1', '--trust-uid', '2'])).exitCode).to.equal(0);
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
