/** What the kernel refuses is told by a PoolError that names the cause, and loses nothing. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { expect } from 'chai';
import { describeLimit, describeShortage } from '../../../lib/linux/failures.js';
import { ownName } from '../../../lib/linux/index.js';

const program = (path: string) => `
  const { closeSync, openSync } = await import('node:fs');
  const { connect, format, destroy, inspect } = await import('${new URL('../../../src/index.js', import.meta.url)}');
  const path = '${path}';
  const pool = await connect(path, { create: { size: '4MiB' } });
  pool.put('kept', Uint8Array.of(1, 2, 3));
  const open = [];
  try {
    for (;;) open.push(openSync('/dev/null'));
  } catch {}
  const codes = {};
  const attempts = {
    connect: () => connect(path),
    readOnly: () => connect(path, { readOnly: true }),
    create: () => connect(path + '-new', { create: { size: '4MiB' } }),
    format: () => format(path + '-new', { size: '4MiB' }),
    inspect: () => inspect(path),
    destroy: () => destroy(path),
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      await attempt();
      codes[name] = 'nothing thrown';
    } catch (error) {
      codes[name] = [error.name, error.code, /ulimit -n/.test(error.message)].join(' ');
    }
  }
  // One descriptor is enough for the name, and too few for the mapping.
  for (let spare = 1; spare <= 4; spare++) {
    for (let i = 0; i < spare; i++) closeSync(open.pop());
    try {
      await (await connect(path)).disconnect();
    } catch (error) {
      codes['connect with ' + spare] = [error.name, error.code, /ulimit -n/.test(error.message)].join(' ');
    }
    for (let i = 0; i < spare; i++) open.push(openSync('/dev/null'));
  }
  pool.put('more', Uint8Array.of(4));
  for (const descriptor of open) closeSync(descriptor);
  const again = await connect(path);
  codes.kept = [...again.get('kept').bytes, ...again.get('more').bytes].join(' ');
  codes.clean = (await inspect(path)).ok;
  await again.disconnect();
  await pool.disconnect();
  await destroy(path);
  console.log(JSON.stringify(codes));
`;

describe('limits of the system', () => {
  it('are SYSTEM_LIMIT with the name of the limit when no file can be opened, and the pool goes on afterwards', function () {
    this.timeout(60_000);
    const path = `/dev/shm/${ownName('failures')}`;
    try {
      const node = ['--input-type=module', '-e', program(path)];
      const run = spawnSync('sh', ['-c', 'ulimit -n 256; exec "$@"', 'sh', process.execPath, ...node], {
        encoding: 'utf8',
      });
      const codes = JSON.parse(run.stdout || `{"stderr":${JSON.stringify(run.stderr)}}`) as Record<string, string>;
      const { kept, clean, ...refused } = codes;
      expect([kept, clean], run.stderr).to.deep.equal(['1 2 3 4', true]);
      expect(Object.keys(refused)).to.include.members([
        'connect',
        'readOnly',
        'create',
        'format',
        'inspect',
        'destroy',
      ]);
      for (const [what, told] of Object.entries(refused)) expect(told, what).to.equal('PoolError SYSTEM_LIMIT true');
    } finally {
      rmSync(path, { force: true });
      rmSync(`${path}-new`, { force: true });
    }
  });

  it('are told from a lack of room and from what is forbidden', () => {
    for (const name of ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']) {
      expect(describeLimit('It', name, {}), name).to.have.property('code', 'SYSTEM_LIMIT');
      expect(describeShortage('It', name, {}), name).to.equal(undefined);
    }
    for (const name of ['ENOSPC', 'EDQUOT', 'EFBIG']) {
      expect(describeShortage('It', name, {}), name).to.have.property('code', 'NO_SPACE');
      expect(describeLimit('It', name, {}), name).to.equal(undefined);
    }
    expect([describeLimit('It', 'EACCES', {}), describeShortage('It', 'EACCES', {})]).to.deep.equal([
      undefined,
      undefined,
    ]);
  });

  it('of files are told as such where the native part cannot be loaded for them', function () {
    this.timeout(60_000);
    const code = `
      const { openSync } = await import('node:fs');
      const { connect } = await import('${new URL('../../../src/index.js', import.meta.url)}');
      try { for (;;) openSync('/dev/null'); } catch {}
      await connect('/dev/shm/sealpool-failures-none').catch((error) => process.stdout.write(error.code));`;
    const node = ['--input-type=module', '-e', code];
    const run = spawnSync('sh', ['-c', 'ulimit -n 256; exec "$@"', 'sh', process.execPath, ...node], {
      encoding: 'utf8',
    });
    expect(run.stdout, run.stderr).to.equal('SYSTEM_LIMIT');
  });
});
