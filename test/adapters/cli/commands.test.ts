import { expect } from 'chai';
import type { Context } from '../../../adapters/cli/context.js';
import { runCommandLine } from '../../../adapters/cli/program.js';
import { FakePool, fakeNode, fakeReport, fakeWorkloads } from './world.js';

interface Captured {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Its reader leaves after so many writes. */
function stream(into: string[], writesMax = Number.POSITIVE_INFINITY) {
  return {
    get writable() {
      return into.length < writesMax;
    },
    write: (chunk: string | Uint8Array) => into.push(Buffer.from(chunk as string).toString()),
  };
}

describe('the pool commands', () => {
  let pool: FakePool;

  async function command(words: readonly string[], input = '', writesMax?: number): Promise<Captured> {
    const stdout: string[] = [];
    const stderr: string[] = [];
    async function* stdin() {
      yield new Uint8Array(Buffer.from(input));
    }
    const context: Context = {
      stdin: stdin(),
      stdout: stream(stdout, writesMax),
      stderr: stream(stderr),
      loadApi: async () => pool,
      workloads: fakeWorkloads,
    };
    const exitCode = await runCommandLine(words, context);
    return { exitCode, stdout: stdout.join(''), stderr: stderr.join('') };
  }

  beforeEach(() => {
    pool = new FakePool();
  });

  it('format hands sizes over in bytes and leaves out what was not given', async () => {
    const words = ['format', 'p', '--size', '64MiB', '--page-size', '4KiB', '--max-nodes', '8', '--eviction', 'sieve'];
    expect((await command(words)).exitCode).to.equal(0);
    const options = { size: 67_108_864, pageSize: 4096, maxNodes: 8, eviction: 'sieve' };
    expect(pool.calls).to.deep.equal([['format', 'p', options]]);
  });

  it('format without a size is wrong usage and formats nothing', async () => {
    expect((await command(['format', 'p'])).exitCode).to.equal(2);
    expect(pool.calls).to.deep.equal([]);
  });

  it('info prints the fields of the pool and its figures', async () => {
    const { stdout } = await command(['info', 'p']);
    expect(stdout)
      .to.match(/^size +64 MiB$/m)
      .and.to.match(/^requests +4 \(75\.00 % hits\)$/m);
  });

  it('info --json prints the fields of the pool with its figures under stats', async () => {
    const value = JSON.parse((await command(['info', 'p', '--json'])).stdout);
    expect(value).to.include({ poolId: 'id', size: 67_108_864, createdAt: '1970-01-01T00:00:00.000Z' });
    expect(value.stats.hits).to.equal(3);
  });

  it('a pool that is not there is a failure told by its message without a stack', async () => {
    const { exitCode, stdout, stderr } = await command(['info', 'absent']);
    expect(exitCode).to.equal(1);
    expect(stdout).to.equal('');
    expect(stderr)
      .to.match(/^sealpool: POOL_NOT_FOUND: There is no pool at absent\. .*\n$/)
      .and.not.contain('    at ');
  });

  it('nodes lists each node and shows control characters of a name without sending them', async () => {
    pool.report = fakeReport({ nodes: [fakeNode(), fakeNode({ name: 'bad\u001b[2J', state: 'dead', pid: 78 })] });
    const { stdout } = await command(['nodes', 'p']);
    expect(stdout)
      .to.match(/^reader .* 77 +alive/m)
      .and.to.contain('bad\\u001b[2J')
      .and.not.contain('\u001b');
  });

  it('nodes --json prints a list of nodes', async () => {
    const nodes = JSON.parse((await command(['nodes', 'p', '--json'])).stdout);
    expect(nodes).to.have.length(1);
    expect(nodes[0]).to.include({ pid: 77, state: 'alive' });
  });

  it('verify of a sound pool succeeds', async () => {
    const { exitCode, stdout } = await command(['verify', 'p']);
    expect(exitCode).to.equal(0);
    expect(stdout).to.match(/^ok: 7 objects/);
  });

  it('verify names a repairable problem and succeeds all the same', async () => {
    const problem = { code: 'LEFT_DRAFT', where: 'slot 9', message: 'its node died', repairable: true };
    pool.report = fakeReport({ problems: [problem] });
    const { exitCode, stdout } = await command(['verify', 'p']);
    expect(exitCode).to.equal(0);
    expect(stdout).to.contain('repairable  LEFT_DRAFT at slot 9: its node died');
  });

  it('verify of a corrupt pool names every problem and fails', async () => {
    const problems = [1, 2].map((slot) => ({ code: 'BAD', where: `slot ${slot}`, message: 'torn', repairable: false }));
    pool.report = fakeReport({ ok: false, problems });
    const { exitCode, stdout } = await command(['verify', 'p']);
    expect(exitCode).to.equal(1);
    expect(stdout).to.contain('CORRUPT  BAD at slot 1: torn').and.to.contain('CORRUPT  BAD at slot 2: torn');
  });

  it('verify --json of a corrupt pool prints the report and fails', async () => {
    pool.report = fakeReport({ ok: false });
    const { exitCode, stdout } = await command(['verify', 'p', '--json']);
    expect(exitCode).to.equal(1);
    expect(JSON.parse(stdout).ok).to.equal(false);
  });

  it('put stores standard input, cat gives the same bytes back, rm removes them', async () => {
    expect((await command(['put', 'p', 'k'], 'hello')).exitCode).to.equal(0);
    expect(await command(['cat', 'p', 'k'])).to.include({ exitCode: 0, stdout: 'hello' });
    expect((await command(['rm', 'p', 'k'])).exitCode).to.equal(0);
    expect(await command(['cat', 'p', 'k'])).to.include({ exitCode: 1, stdout: '' });
  });

  it('put of a live key, and cat and rm of a key that is not there, fail', async () => {
    await command(['put', 'p', 'k'], 'one');
    expect((await command(['put', 'p', 'k'], 'two')).exitCode).to.equal(1);
    expect((await command(['cat', 'p', 'k'])).stdout).to.equal('one');
    expect((await command(['cat', 'p', 'other'])).exitCode).to.equal(1);
    expect((await command(['rm', 'p', 'other'])).exitCode).to.equal(1);
  });

  it('put of a file that is not there fails before it joins the pool', async () => {
    const { exitCode, stderr } = await command(['put', 'p', 'k', '/nowhere/file']);
    expect(exitCode).to.equal(1);
    expect(stderr).to.contain('ENOENT').and.not.contain('    at ');
    expect(pool.calls).to.deep.equal([]);
  });

  it('a key in base64url is taken as its bytes', async () => {
    pool.objects.set('a\0\xff', new Uint8Array([65]));
    const key = Buffer.from('a\0\xff', 'latin1').toString('base64url');
    expect((await command(['cat', 'p', key, '--base64url'])).stdout).to.equal('A');
    expect((await command(['cat', 'p', '!', '--base64url'])).exitCode).to.equal(2);
  });

  it('ls prints one line per object below the prefix', async () => {
    for (const key of ['a/1', 'a/2', 'b/1']) pool.objects.set(key, new Uint8Array(10));
    const { stdout } = await command(['ls', 'p', '--prefix', 'a/']);
    expect(stdout.trimEnd().split('\n')).to.have.length(3);
    expect(stdout)
      .to.match(/^ +10 {2}sealed {2}a\/1$/m)
      .and.not.contain('b/1');
  });

  it('ls stops when its reader has gone', async () => {
    for (let index = 0; index < 5000; index++) pool.objects.set(`key-${index}`, new Uint8Array(1));
    const { exitCode, stdout } = await command(['ls', 'p'], '', 3);
    expect(exitCode).to.equal(0);
    expect(stdout.trimEnd().split('\n')).to.have.length(3);
    expect(pool.connected).to.equal(0);
  });

  it('ls --json carries the bytes of each key', async () => {
    pool.objects.set('a\0b', new Uint8Array(10));
    const [object] = JSON.parse((await command(['ls', 'p', '--json'])).stdout);
    expect(object).to.include({ size: 10, state: 'sealed', keyBase64url: 'YQBi' }).and.not.have.property('keyBytes');
  });

  it('commands on objects leave no node behind, whether they succeed or fail', async () => {
    await command(['put', 'p', 'k'], 'one');
    for (const words of [
      ['cat', 'p', 'none'],
      ['put', 'p', 'k'],
      ['ls', 'p'],
      ['rm', 'p', 'none'],
    ])
      await command(words);
    expect(pool.calls).to.have.length(5);
    expect(pool.connected).to.equal(0);
  });

  it('info, nodes, verify and destroy hand over whom to trust', async () => {
    for (const name of ['info', 'nodes', 'verify', 'destroy'])
      await command([name, 'p', '--trust-uid', '7', '--trust-uid', '8']);
    const trusting = { trustUids: [7, 8] };
    expect(pool.calls).to.deep.equal([...[1, 2, 3].map(() => ['inspect', 'p', trusting]), ['destroy', 'p', trusting]]);
    expect((await command(['info', 'p', '--trust-uid', 'root'])).exitCode).to.equal(2);
  });

  it('destroy hands force over only when it was given', async () => {
    await command(['destroy', 'p']);
    await command(['destroy', 'p', '--force']);
    expect(pool.calls).to.deep.equal([
      ['destroy', 'p', {}],
      ['destroy', 'p', { force: true }],
    ]);
  });

  it('destroy --stale tells what it removed and what it left, and needs no path; force is not its business', async () => {
    const { stdout } = await command(['destroy', '--stale']);
    expect(stdout.split('\n').map((line) => line.slice(0, 10))).to.deep.equal([
      'removed  a',
      'removed  b',
      'kept     c',
      '',
    ]);
    expect(JSON.parse((await command(['destroy', '--stale', '/tmp', '--json'])).stdout)).to.deep.equal(pool.stale);
    expect(pool.calls).to.deep.equal([
      ['destroyStale', undefined],
      ['destroyStale', ['/tmp']],
    ]);
    pool.stale = { removed: [], kept: [] };
    expect((await command(['destroy', '--stale'])).stdout).to.equal('nothing is left of killed commands\n');
    for (const words of [['destroy'], ['destroy', '--stale', '--force']])
      expect((await command(words)).exitCode).to.equal(2);
  });

  for (const words of [
    ['top', 'p'],
    ['serve', 'p', '--port', '80'],
  ]) {
    it(`${words.join(' ')} says that it is not in this version and exits 2`, async () => {
      const { exitCode, stderr } = await command(words);
      expect(exitCode).to.equal(2);
      expect(stderr).to.contain('not in this version');
    });
  }
});
