/** Pools whose file is taken away from under their nodes, and paths that are none. */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { connect, destroy, format, SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { codeOf, eventually, pause, usePools } from '../support/pools.js';
import { root } from '../tidy/sources.js';

const SMALL = { size: '1MiB', pageSize: 4096, maxNodes: 8 };
const CODE = 'SEALPOOL_FILE_LOST';

function upkeep(pool: AttachedPool, ticks: number): void {
  for (let tick = 0; tick < ticks; tick++) (pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
}

async function warningsOf(work: () => void): Promise<string[]> {
  const warnings: string[] = [];
  const listen = (warning: Error & { code?: string }) => {
    if (warning.code === CODE) warnings.push(warning.message);
  };
  process.on('warning', listen);
  work();
  await pause(10);
  process.off('warning', listen);
  return warnings;
}

describe('a pool whose file is taken away', () => {
  const pools = usePools();

  it('is lost to its node, which says so once, by the path, and in stats; and goes on', async () => {
    const pool = await pools.create(SMALL);
    const reading = await pools.connect(pool.path, { readOnly: true });
    expect(await warningsOf(() => upkeep(pool, 2))).to.deep.equal([]);
    expect(pool.stats()).not.to.have.property('lost');
    rmSync(pool.path);
    const [warning, ...others] = await warningsOf(() => upkeep(pool, 3));
    expect(others).to.deep.equal([]);
    expect(warning).to.contain(pool.path).and.to.contain('removed or renamed');
    expect([pool.stats().lost, reading.stats().lost]).to.deep.equal(['removed', 'removed']);
    expect(pool.put('k', new Uint8Array(4))).to.equal(true);
  });

  it('is told apart from one in whose place another was put, and is there again when that is undone', async () => {
    const pool = await pools.create(SMALL);
    renameSync(pool.path, `${pool.path}-kept`);
    const second = await pools.connect(pool.path, { create: SMALL });
    expect([pool.stats().lost, second.stats().lost]).to.deep.equal(['replaced', undefined]);
    const [warning] = await warningsOf(() => upkeep(pool, 1));
    expect(warning).to.contain('replaced by another file');
    expect(await warningsOf(() => upkeep(second, 1))).to.deep.equal([]);
    renameSync(`${pool.path}-kept`, pool.path);
    expect([pool.stats().lost, second.stats().lost]).to.deep.equal([undefined, 'replaced']);
  });
});

interface Recipe {
  readonly pool: AttachedPool;
  readonly cache: SharedCache;
}

/** The module of docs/OPERATIONS.md that connects anew, over the path. */
async function recipe(folder: string, path: string): Promise<Recipe> {
  const [, code = ''] =
    /## The file is removed[\s\S]*?```js\n([\s\S]*?)```/.exec(readFileSync(join(root, 'docs/OPERATIONS.md'), 'utf8')) ??
    [];
  const file = join(folder, 'recipe.mjs');
  const index = pathToFileURL(join(root, 'dist/src/index.js')).href;
  writeFileSync(file, code.replace("'sealpool'", `'${index}'`));
  Object.assign(process.env, { POOL: path, POOL_SIZE: '1MiB' });
  return (await import(pathToFileURL(file).href)) as Recipe;
}

describe('a pool that is told of by onMoved', () => {
  const pools = usePools();

  it('is told once, how it was lost, in place of the warning', async () => {
    for (const lost of ['removed', 'replaced'] as const) {
      const told: string[] = [];
      const pool = await pools.create(SMALL, { onMoved: (how) => told.push(how) });
      expect(await warningsOf(() => upkeep(pool, 2))).to.deep.equal([]);
      expect(told).to.deep.equal([]);
      if (lost === 'removed') rmSync(pool.path);
      else renameSync((await pools.create(SMALL)).path, pool.path);
      expect(await warningsOf(() => upkeep(pool, 3))).to.deep.equal([]);
      expect(told).to.deep.equal([lost]);
    }
    const warned = await pools.create(SMALL, { onMoved: 'warn' });
    rmSync(warned.path);
    expect(await warningsOf(() => upkeep(warned, 1))).to.have.length(1);
  });

  it('of another word is OPTION_INVALID, and says where the lines for it are', async () => {
    const refused = await connect(pools.path(), { create: SMALL, onMoved: 'follow' as never }).catch(
      ({ message }) => message,
    );
    expect(refused).to.contain("connect.onMoved: expected 'warn' or a function").and.contain('docs/OPERATIONS.md');
  });

  it('as the document has it, is left for the new one, when nothing of it is held any more', async () => {
    const path = pools.path();
    const node = await recipe(dirname(path), path);
    const first = node.pool;
    node.cache.set('k', Uint8Array.of(1));
    const held = node.cache.get('k');
    rmSync(path);
    const other = new SharedCache(await pools.connect(path, { create: { size: '1MiB' } }));
    other.set('k', Uint8Array.of(2));
    await eventually(() => expect(node.cache.borrow('k')?.[0]).to.equal(2));
    expect(node.pool).not.to.equal(first);
    node.cache.set('k', Uint8Array.of(3));
    expect(other.borrow('k')?.[0]).to.equal(3);
    await pause(300);
    expect([first.session.isOpen, held?.bytes[0]]).to.deep.equal([true, 1]);
    held?.release();
    await eventually(() => expect(first.session.isOpen).to.equal(false));
    await node.pool.disconnect();
  });
});

describe('the path of a pool', () => {
  const pools = usePools();

  it('that is none is OPTION_INVALID, and a URL is told how it becomes one', async () => {
    for (const path of [pathToFileURL(pools.path()), 7, null, undefined, '', 'a\u0000b'] as never[]) {
      for (const call of [() => connect(path, { create: SMALL }), () => format(path, SMALL), () => destroy(path)])
        expect(await codeOf(call)).to.equal('OPTION_INVALID');
      expect(await codeOf(() => connect(path, { readOnly: true }))).to.equal('OPTION_INVALID');
    }
    const refused = await connect(pathToFileURL(pools.path()) as never).catch((error: Error) => error.message);
    expect(refused).to.contain('fileURLToPath');
  });

  it('is opened by no part of the call that asks for it, which may be cut and would leave its locks', async () => {
    const path = pools.path();
    const pool = await pools.connect(path, { create: SMALL });
    await pool.disconnect();
    const opened = () => readdirSync('/proc/self/fd').length;
    const before = opened();
    const asked = [pools.connect(path), pools.connect(path, { readOnly: true })];
    expect(opened()).to.equal(before);
    await Promise.all(asked);
    expect(opened()).to.be.above(before);
  });
});
