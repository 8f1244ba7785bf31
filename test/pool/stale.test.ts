/** What killed commands of ours leave: found by their dead owner, and removed, but nothing else, and nothing in use. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect } from 'chai';
import { ownFolder, ownName } from '../../lib/linux/index.js';
import { connect, destroyStale, format } from '../../src/index.js';
import { eventually, folderFor, MIB, usePools } from '../support/pools.js';
import { root } from '../tidy/sources.js';

const SMALL = { size: MIB, pageSize: 4096, maxNodes: 8 } as const;

/** The name as a process had it that has ended. */
function ofTheDead(name: string): string {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  return name.replace(`-${process.pid}-`, `-${pid}-`);
}

describe('what a killed command of ours leaves', () => {
  const pools = usePools();
  let folder: string;
  beforeEach(() => {
    folder = ownFolder(folderFor(MIB), 'test');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is removed when its process is gone, and only then', () => {
    const mine = `${ownName('compare')}.pool`;
    const dead = ofTheDead(mine);
    const gone = [
      dead,
      `.${dead}.bell-1-77`,
      mine.replace(/-\d+-(\d+)\.pool$/, '-1-$1.pool'),
      ofTheDead(ownName('bench')),
    ];
    const stays = [
      ...[mine, ownName('test'), dead.replace(/-\d+\.pool$/, '-1.pool')],
      ...['sealpool-compare-notes.txt', `shop-${dead}`, 'sealpool-orders-1', dead.replace('sealpool', 'pool')],
    ];
    for (const name of [...gone, ...stays]) writeFileSync(join(folder, name), '');
    const { removed, kept } = destroyStale([folder, join(folder, 'not-there')]);
    expect(removed.map((path) => basename(path)).sort()).to.deep.equal(gone.sort());
    expect(kept).to.deep.equal([]);
    expect(readdirSync(folder).sort()).to.deep.equal(stays.sort());
  });

  it('is removed with all that is in it, where it is a folder; but no pool, however deep, while a node is attached', async () => {
    const home = join(folder, `${ofTheDead(ownName('compare'))}-Ab3dEf`);
    const lone = join(folder, `${ofTheDead(ownName('storm'))}.pool`);
    mkdirSync(join(home, 'inner'), { recursive: true });
    for (const path of [join(home, 'inner/pool'), lone]) await format(path, SMALL);
    const nodes = [await pools.connect(join(home, 'inner/pool')), await pools.connect(lone)];
    expect(destroyStale([folder])).to.deep.equal({
      removed: [],
      kept: readdirSync(folder).map((name) => join(folder, name)),
    });
    for (const node of nodes) {
      expect(node.put('k', Uint8Array.of(1))).to.equal(true);
      await node.disconnect();
    }
    expect(destroyStale([folder]).removed.sort()).to.deep.equal([home, lone].sort());
    expect(readdirSync(folder)).to.deep.equal([]);
  });

  it('is never a pool of a user, whatever state it is in', async () => {
    const path = join(folder, 'sealpool-shop');
    await (await connect(path, { create: SMALL })).disconnect();
    destroyStale([folder]);
    expect(existsSync(path)).to.equal(true);
  });

  it('of a comparison that was killed in the middle, is removed by the command that is for it', async () => {
    const trace = join(folder, 'ids.txt');
    writeFileSync(trace, Array.from({ length: 400_000 }, (_, i) => `${(i * 7919) % 20_011}`).join('\n'));
    const main = join(root, 'dist/adapters/cli/main.js');
    const child = spawn(process.execPath, [main, 'compare', trace, '--nodes', '2', '--memory', '10%'], {
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    const memory = folderFor(MIB);
    const left = () => readdirSync(memory).filter((name) => name.startsWith(`sealpool-compare-${child.pid}-`));
    await eventually(() => expect(left()).to.have.length(1), 60_000);
    child.kill('SIGKILL');
    await ended;
    expect(left()).to.have.length(1);
    // Its nodes see that it is gone, and leave.
    await eventually(() => {
      const told = spawnSync(process.execPath, [main, 'destroy', '--stale'], { encoding: 'utf8' });
      expect(told.status, told.stderr).to.equal(0);
      expect(left()).to.deep.equal([]);
    }, 60_000);
    expect(existsSync(dirname(trace))).to.equal(true);
  });
});
