/** Pools of another layout: nobody's are replaced, those in which somebody lives are not, whichever version he is of. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ownFolder } from '../../lib/linux/index.js';
import { connect, destroy, format, inspect, LAYOUT, PoolError } from '../../src/index.js';
import { codeOf, eventually, MIB, pause, usePools } from '../support/pools.js';
import { root } from '../tidy/sources.js';

const SMALL = { size: MIB, pageSize: 4096, maxNodes: 8 } as const;
/** Written down here once more: no change of the sources may move them. */
const LOCKS = 2 ** 48;
const MEMBERSHIP = LOCKS + 4096;
const VERSION_BYTE = 8;
const FINGERPRINT_BYTE = 12;

async function errorOf(work: () => unknown): Promise<PoolError> {
  try {
    await work();
  } catch (error) {
    expect(error).to.be.instanceOf(PoolError);
    return error as PoolError;
  }
  throw new Error('nothing was thrown');
}

/** A program that lives until its claim is through; resolves with its first words. */
function usePrograms() {
  const running: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of running.splice(0)) await end(child);
  });
  return async (words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<[ChildProcess, string]> => {
    const child = spawn(process.execPath, words, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    running.push(child);
    const [said] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as [unknown];
    return [child, String(said).trim()];
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

function forge(path: string, byte: number, value: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt32LE(value, byte);
  writeFileSync(path, bytes);
}

const HOLDER = fileURLToPath(new URL('./holder.process.js', import.meta.url));

describe('what every version keeps to', () => {
  const pools = usePools();
  const start = usePrograms();

  it('the file begins with the magic, the version and the fingerprint of its layout', async () => {
    const path = pools.path();
    const { layout } = await format(path, SMALL);
    const bytes = readFileSync(path);
    expect(bytes.toString('latin1', 0, 8)).to.equal('sealpool');
    const print = bytes.readUInt32LE(FINGERPRINT_BYTE).toString(16).padStart(8, '0');
    expect(`${bytes.readUInt32LE(VERSION_BYTE)}-${print}`)
      .to.equal(layout)
      .and.equal(LAYOUT);
  });

  it('each attached node has the lock of one byte, until it leaves; one that only reads has none', async () => {
    const first = await pools.create(SMALL);
    const others = [await pools.connect(first.path), await pools.connect(first.path)];
    await pools.connect(first.path, { readOnly: true });
    const held = async (byte: number) => {
      const [child, said] = await start([HOLDER, first.path, String(byte)]);
      await end(child);
      return said === 'refused';
    };
    expect([await held(LOCKS), await held(LOCKS + 1), await held(LOCKS + 2), await held(LOCKS + 3)]).to.deep.equal([
      ...[true, true, true],
      false,
    ]);
    await others[0]?.disconnect();
    expect([await held(LOCKS), await held(LOCKS + 1), await held(LOCKS + 2)]).to.deep.equal([true, false, true]);
  });

  it('whoever has the lock of membership keeps all others waiting', async () => {
    const path = pools.path();
    await format(path, SMALL);
    const [holder] = await start([HOLDER, path, String(MEMBERSHIP)]);
    expect(await codeOf(() => connect(path, { timeoutMs: 30 }))).to.equal('TIMEOUT');
    await end(holder);
    await pools.connect(path);
  });
});

describe('a pool of another layout', () => {
  const pools = usePools();
  const start = usePrograms();
  const replacing = (path: string) => pools.connect(path, { create: SMALL, replace: 'mismatch' });

  for (const [what, byte] of [
    ['another version', VERSION_BYTE],
    ['another fingerprint', FINGERPRINT_BYTE],
  ] as const) {
    it(`of ${what} is refused with both layouts, and replaced where that was asked for`, async () => {
      const path = pools.path();
      await format(path, SMALL);
      forge(path, byte, 77);
      for (const look of [() => connect(path, { create: SMALL }), () => inspect(path)]) {
        const { code, message } = await errorOf(look);
        expect(code).to.equal('FORMAT_MISMATCH');
        expect(message)
          .to.contain(LAYOUT)
          .and.contain('no node is attached')
          .and.contain("replace: 'mismatch'")
          .and.match(/77-|-0000004d/);
      }
      const { message } = await errorOf(() => format(path, SMALL));
      expect(message).to.contain('is a pool of another layout').and.contain('force');
      expect((await replacing(path)).put('k', Uint8Array.of(1))).to.equal(true);
    });
  }

  it('is taken away by destroy and by format with force, without a circle of errors', async () => {
    const path = pools.path();
    for (const takeAway of [() => destroy(path), () => format(path, { ...SMALL, force: true })]) {
      await format(path, { ...SMALL, force: true });
      forge(path, VERSION_BYTE, 77);
      await takeAway();
      expect(existsSync(path) && readFileSync(path).readUInt32LE(VERSION_BYTE)).not.to.equal(77);
    }
    expect((await inspect(path)).ok).to.equal(true);
  });

  it('in which somebody lives is taken from him by nobody, who is told who it is; when he has left it is free', async () => {
    for (const row of [0, 5, 4095]) {
      const path = pools.path();
      await format(path, SMALL);
      forge(path, VERSION_BYTE, 77);
      const [holder, said] = await start([HOLDER, path, String(LOCKS + row)]);
      expect(said).to.equal('held');
      const before = readFileSync(path);
      const { ino } = statSync(path);
      for (const take of [
        () => connect(path, { create: SMALL, replace: 'mismatch' }),
        () => format(path, { ...SMALL, force: true }),
        () => destroy(path),
      ]) {
        const { code, message } = await errorOf(take);
        expect([row, code]).to.deep.equal([row, 'IN_USE']);
        expect(message).to.contain('1 node is attached').and.contain(`pid ${holder.pid}, `);
      }
      expect((await errorOf(() => connect(path))).message).to.contain(`pid ${holder.pid}`);
      expect(statSync(path).ino).to.equal(ino);
      expect(readFileSync(path).equals(before)).to.equal(true);
      await end(holder);
      await eventually(() => replacing(path));
    }
  });

  it('locks beside those of nodes keep nobody out', async () => {
    const path = pools.path();
    await format(path, SMALL);
    forge(path, VERSION_BYTE, 77);
    for (const byte of [0, LOCKS - 1, MEMBERSHIP + 1]) await start([HOLDER, path, String(byte)]);
    await replacing(path);
  });

  it('what is no pool is replaced by nobody who did not force it', async () => {
    const path = pools.path();
    writeFileSync(path, Buffer.alloc(4096, 'SQLite format 3'));
    const { code, message } = await errorOf(() => replacing(path));
    expect([code, await codeOf(() => destroy(path))]).to.deep.equal(['FORMAT_MISMATCH', 'FORMAT_MISMATCH']);
    expect(message).to.contain('does not begin like a pool').and.contain('remove it yourself');
    expect(readFileSync(path, 'latin1').slice(0, 6)).to.equal('SQLite');
    expect((await errorOf(() => connect(path, { replace: 'mismatch' }))).message).to.contain('replace: without create');
  });

  it('a pool whose first page was overwritten is not made anew under those who live in it', async () => {
    const pool = await pools.create(SMALL);
    pool.put('k', Uint8Array.of(7));
    const start = readFileSync(pool.path).subarray(0, 128);
    const spoilt = [Buffer.alloc(128, 1), Buffer.concat([start.subarray(0, 8), Buffer.alloc(120)])];
    for (const bytes of spoilt) {
      writeStart(pool.path, bytes);
      const codes = [
        await codeOf(() => format(pool.path, { ...SMALL, force: true })),
        await codeOf(() => destroy(pool.path)),
        await codeOf(() => connect(pool.path, { create: SMALL, replace: 'mismatch' })),
      ];
      const elsewise = bytes === spoilt[0] ? 'FORMAT_MISMATCH' : 'IN_USE';
      expect(codes).to.deep.equal(['IN_USE', elsewise, elsewise]);
      using page = pool.get('k');
      expect(page?.copy()).to.deep.equal(Uint8Array.of(7));
    }
    writeStart(pool.path, start);
    await pools.connect(pool.path);
  });
});

/** In place: what is mapped stays. */
function writeStart(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
}

/** This version once more, but for the number of its layout. */
function otherVersion(folder: string, version: number): string {
  for (const part of ['lib', 'src']) cpSync(join(root, 'dist', part), join(folder, 'dist', part), { recursive: true });
  const file = join(folder, 'dist/src/pool/layout/layout.js');
  const text = readFileSync(file, 'utf8');
  expect(text).to.contain(`LAYOUT_VERSION = ${LAYOUT.split('-')[0]};`);
  writeFileSync(file, text.replace(/LAYOUT_VERSION = \d+;/, `LAYOUT_VERSION = ${version};`));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  return folder;
}

/** The program of the recipe in docs/OPERATIONS.md, in a file of the project at `home`, followed by `tail`. */
function recipeIn(home: string, tail: string): string {
  const [, code = ''] =
    /### Rolling deploys\n[^`]*`LAYOUT`[\s\S]*?```js\n([\s\S]*?)```/.exec(
      readFileSync(join(root, 'docs/OPERATIONS.md'), 'utf8'),
    ) ?? [];
  const file = join(home, 'recipe.mjs');
  // What is a minute there is a moment here.
  writeFileSync(file, `${code.replace('60_000).unref()', '500)')}\n${tail}`);
  return file;
}

describe('a deploy of a release with another layout', () => {
  const start = usePrograms();
  let folder: string;
  beforeEach(() => {
    folder = ownFolder(tmpdir(), 'test');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('as the document has it: both releases run side by side, and the old pool goes with its last node', async () => {
    const env = { POOL_FOLDER: join(folder, 'pools'), POOL_SIZE: '1MiB' };
    for (const name of ['old', 'new', 'pools']) mkdirSync(join(folder, name));
    const tail = "pool.put('k', new Uint8Array(4)); console.log(LAYOUT, pool.stats().objects, pool.nodes().length);";
    const older = recipeIn(otherVersion(join(folder, 'old'), 76), tail);
    const newer = recipeIn(otherVersion(join(folder, 'new'), 78), tail);
    const [[first, saidFirst], [second]] = [await start([older], env), await start([older], env)];
    const [, saidThird] = await start([newer], env);
    expect([saidFirst.slice(0, 3), saidThird.slice(0, 3)]).to.deep.equal(['76-', '78-']);
    expect([saidFirst.slice(-4), saidThird.slice(-4)]).to.deep.equal([' 1 1', ' 1 1']);
    const [, saidFourth] = await start([newer], env);
    expect(saidFourth.slice(-4)).to.equal(' 1 2');
    const versions = () =>
      readdirSync(env.POOL_FOLDER)
        .filter((name) => name.startsWith('pages-'))
        .map((name) => name.slice(6, 8));
    expect(versions().sort()).to.deep.equal(['76', '78']);
    await end(first);
    await pause(1200);
    expect(versions().sort()).to.deep.equal(['76', '78']);
    await end(second);
    await eventually(() => expect(versions()).to.deep.equal(['78']));
  });
});
