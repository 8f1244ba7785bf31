import { execFile, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ownFolder } from '../../../lib/linux/index.js';
import { fakeMain, productMain, run, traceFolder } from './world.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

describe('the executable', () => {
  it('begins with the line that makes it run under node', () => {
    expect(readFileSync(productMain, 'utf8')).to.match(/^#!\/usr\/bin\/env node\n/);
  });

  it('prints the version of the package', async () => {
    expect(await run(productMain, ['--version'])).to.deep.equal({
      exitCode: 0,
      stdout: `${manifest.version}\n`,
      stderr: '',
    });
  });

  for (const words of [
    [],
    ['nonsense'],
    ['compare', '--nonsense'],
    ['compare', '--nodes', '0'],
    ['compare', '--nodes', '1.5'],
    ['compare', '--memory', 'lots'],
    ['compare', '--eviction', 'none'],
    ['compare', '--seed', '-1'],
    ['compare', '/nowhere/trace.u32'],
    ['compare', '--workload', 'sqlite', 'trace.u32'],
    ['format', 'p', '--size', '64XB'],
    ['cat', 'p'],
    ['ls', 'p', 'q'],
  ]) {
    it(`takes "${['sealpool', ...words].join(' ')}" for wrong usage and exits 2`, async () => {
      const { exitCode, stdout, stderr } = await run(productMain, words);
      expect(exitCode, stderr).to.equal(2);
      expect(stdout).to.equal('');
      expect(stderr).to.not.equal('').and.not.contain('    at ');
    });
  }

  it('prints the install line of an engine that is not installed, with its version, and exits 2', async () => {
    const folder = ownFolder(tmpdir(), 'bare');
    try {
      cpSync(join(root, 'package.json'), join(folder, 'package.json'));
      for (const part of ['lib', 'src', 'adapters']) {
        cpSync(join(root, 'dist', part), join(folder, 'dist', part), { recursive: true });
      }
      mkdirSync(join(folder, 'node_modules'));
      for (const name of Object.keys(manifest.dependencies)) {
        symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
      }
      const { exitCode, stdout, stderr } = await run(join(folder, 'dist/adapters/cli/main.js'), ['compare']);
      expect(exitCode, stderr).to.equal(2);
      expect(stdout).to.equal('');
      const version = manifest.peerDependencies['@sqlite.org/sqlite-wasm'];
      expect(stderr.split('\n')).to.include(`  npm install @sqlite.org/sqlite-wasm@${version}`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('compare', () => {
  const traces = traceFolder();
  after(() => traces.remove());
  const good = traces.path('good');

  it('exits 0 when all checks passed, and prints the table', async () => {
    const { exitCode, stdout, stderr } = await run(fakeMain, ['compare', good]);
    expect(exitCode, stderr).to.equal(0);
    expect(stdout)
      .to.match(/^shared +1,000,000 /m)
      .and.to.match(/^PASS /m);
  });

  it('ends with a command that draws what was just printed, as a shell in a checkout takes it', async () => {
    const folder = ownFolder(tmpdir(), 'next');
    try {
      const { stdout } = await run(fakeMain, ['compare', '--seed', '7', '--', good]);
      const command = /^Next: see it drawn with npx sealpool (.*)$/m.exec(stdout)?.[1];
      expect(command).to.be.a('string');
      const shell = spawnSync('sh', ['-c', `"$0" "$1" ${command}`, process.execPath, fakeMain], { cwd: folder });
      expect(shell.status, shell.stderr.toString()).to.equal(0);
      expect(readFileSync(join(folder, 'sealpool-report.html'), 'utf8')).to.contain('Seed&nbsp;7.');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('exits 1 when a check failed, and still prints everything', async () => {
    const { exitCode, stdout, stderr } = await run(fakeMain, ['compare', traces.path('failing')]);
    expect(exitCode).to.equal(1);
    expect(stdout).to.match(/^FAIL {2}Every page was right\.$/m);
    expect(stderr).to.contain('1 check failed');
  });

  it('tells an operating error by its message alone and exits 1', async () => {
    const { exitCode, stderr } = await run(fakeMain, ['compare', traces.path('damaged')]);
    expect(exitCode).to.equal(1);
    expect(stderr).to.contain('sealpool: POOL_CORRUPT: The pool at X').and.not.contain('    at ');
  });

  it('shows the stack of what nobody foresaw and exits 1', async () => {
    const { exitCode, stderr } = await run(fakeMain, ['compare', traces.path('broken')]);
    expect(exitCode).to.equal(1);
    expect(stderr).to.contain('a defect of ours').and.to.contain('    at ');
  });

  it('writes nothing but JSON to standard output under --json', async () => {
    const { exitCode, stdout, stderr } = await run(fakeMain, [
      'compare',
      good,
      '--nodes',
      '3',
      '--seed',
      '9',
      '--json',
    ]);
    expect(exitCode).to.equal(0);
    expect(JSON.parse(stdout)).to.include({ nodes: 3, seed: 9, workload: 'good' });
    expect(stderr).to.contain('shared: 100 %, done');
  });

  it('runs the sqlite workload when it is given no trace', async () => {
    const { stdout } = await run(fakeMain, ['compare', '--json']);
    expect(JSON.parse(stdout).workload).to.equal('sqlite');
  });

  it('runs the htap workload, and takes no trace for it', async () => {
    const { stdout } = await run(fakeMain, ['compare', '--json', '--workload', 'htap']);
    expect(JSON.parse(stdout).workload).to.equal('htap');
    const { exitCode, stderr } = await run(fakeMain, ['compare', '--workload', 'htap', good]);
    expect(exitCode).to.equal(2);
    expect(stderr).to.contain('the htap workload takes no trace');
  });

  it('takes traces as words and as values of --workload, in that order', async () => {
    const { stdout } = await run(fakeMain, ['compare', good, '--json', '--workload', traces.path('second')]);
    expect(JSON.parse(stdout).runs.map((one: { workload: string }) => one.workload)).to.deep.equal(['good', 'second']);
  });

  it('writes JSON, report and picture to files beside the table, and over its own earlier output', async () => {
    const json = traces.path('out.json');
    const report = traces.path('out.html');
    const picture = traces.path('out.svg');
    for (const seed of ['1', '2']) {
      const { exitCode, stdout, stderr } = await run(fakeMain, [
        ...['compare', good, '--seed', seed],
        ...['--json', json, '--report', report, '--picture', picture],
      ]);
      expect(exitCode, stderr).to.equal(0);
      expect(stdout).to.contain(`(seed ${seed})`);
      expect(JSON.parse(readFileSync(json, 'utf8')).seed).to.equal(Number(seed));
      expect(readFileSync(report, 'utf8')).to.contain(`Seed&nbsp;${seed}.`).and.to.contain('<svg');
      const drawn = readFileSync(picture, 'utf8');
      expect(drawn)
        .to.contain(`--seed ${seed} `)
        .and.to.match(/\(Linux [\d.]+, \d+ x .*, Node v\d.*, load \d+\.\d before\)/);
    }
  });

  it('refuses a picture of several runs before the work', async () => {
    const picture = traces.path('several.svg');
    const words = ['compare', good, traces.path('second'), '--picture', picture];
    const { exitCode, stderr } = await run(fakeMain, words);
    expect(exitCode).to.equal(2);
    expect(stderr).to.contain('of one run').and.not.contain('shared:');
    expect(existsSync(picture)).to.equal(false);
  });

  it('refuses to write over a file that it did not write, such as a trace after --json', async () => {
    const mine = traces.path('mine.txt');
    writeFileSync(mine, '17\n18\n');
    for (const option of ['--json', '--report', '--picture']) {
      const { exitCode, stderr } = await run(fakeMain, ['compare', option, mine]);
      expect(exitCode).to.equal(2);
      expect(stderr).to.contain(mine);
    }
    expect(readFileSync(mine, 'utf8')).to.equal('17\n18\n');
  });

  it('takes a trace that is not there for wrong usage before it runs those that are', async () => {
    const { exitCode, stderr } = await run(fakeMain, ['compare', good, traces.path('absent')]);
    expect(exitCode).to.equal(2);
    expect(stderr).to.contain(traces.path('absent')).and.not.contain('shared:');
  });

  it('takes FILE:COLUMN for a trace whose file is there', async () => {
    const { exitCode, stdout } = await run(fakeMain, ['compare', `${good}:page`, '--json']);
    expect(exitCode).to.equal(0);
    expect(JSON.parse(stdout).workload).to.equal('good:page');
  });

  it('says first what a trace was recognised as, on both outputs, before the name of the file', async () => {
    const file = traces.path('recognised');
    const { stdout, stderr } = await run(fakeMain, ['compare', file]);
    const line = 'format: arc-lis, 1,234 accesses to 567 pages of 4096 bytes';
    expect(stdout.split('\n')[0]).to.equal(line);
    expect(stderr.split('\n').slice(0, 2)).to.deep.equal([line, file]);
    const json = await run(fakeMain, ['compare', file, '--json']);
    expect(JSON.parse(json.stdout)).to.include({
      format: 'arc-lis',
      accesses: 1234,
      pages: 567,
      workingSet: 2_322_432,
    });
    expect(json.stderr.split('\n')[0]).to.equal(line);
  });

  it('takes the page size and the format of a trace, and refuses them where there is none', async () => {
    const file = traces.path('recognised');
    const { stdout } = await run(fakeMain, ['compare', file, '--page-size', '16KiB', '--format', 'u64']);
    expect(stdout).to.match(/^format: u64, .* of 16384 bytes/);
    const { exitCode, stderr } = await run(fakeMain, ['compare', '--page-size', '16KiB']);
    expect(exitCode).to.equal(2);
    expect(stderr).to.match(/--page-size and --format are of traces/);
  });

  it('refuses a trace that could be read in two ways with exit code 2 and the command that says which', async () => {
    const file = traces.path('mine.txt');
    writeFileSync(file, '1 17\n2 18\n');
    const { exitCode, stdout, stderr } = await run(productMain, ['compare', file]);
    expect([exitCode, stdout]).to.deep.equal([2, '']);
    expect(stderr).to.match(/fields 1: 1, 2: 17.*sealpool compare \S+mine\.txt:\d /);
  });

  it('fails before the work when the folder of an output is not there', async () => {
    const { exitCode, stderr } = await run(fakeMain, ['compare', good, '--report', '/nowhere/at/all.html']);
    expect(exitCode).to.equal(1);
    expect(stderr).to.contain('ENOENT').and.not.contain('shared:');
  });

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`exits ${code} on ${signal}, after the exit handlers of the workload ran`, async () => {
      const { exitCode, stdout } = await run(fakeMain, ['compare', traces.path('endless')], (stderr, kill) => {
        if (stderr.includes('50 %')) kill(signal);
      });
      expect(exitCode).to.equal(code);
      expect(stdout).to.equal('exit handlers ran\n');
    });
  }
});

describe('a reader that leaves early', () => {
  it('ends a long listing without a complaint and with exit code 0', () => {
    const script = '"$0" "$1" ls p | head -n 1; exit "$' + '{PIPESTATUS[0]}"';
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script, process.execPath, fakeMain], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: '' });
    expect(stdout.trim().split('\n')).to.have.length(1);
  });

  it('does not hide that a check failed', (done) => {
    const traces = traceFolder();
    const script = '"$0" "$1" compare "$2" 2> /dev/null | true; exit "$' + '{PIPESTATUS[0]}"';
    const child = execFile('bash', ['-c', script, process.execPath, fakeMain, traces.path('failing')]);
    child.on('close', (code) => {
      rmSync(dirname(traces.path('failing')), { recursive: true });
      done(code === 1 ? undefined : new Error(`exit code ${code}`));
    });
  });
});
