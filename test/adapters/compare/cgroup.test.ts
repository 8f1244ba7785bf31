import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openCacheLimit } from '../../../adapters/compare/cgroup.js';
import { ownFolder } from '../../../lib/linux/index.js';

describe('the limit of an OS cache', () => {
  let root: string;
  beforeEach(() => {
    root = ownFolder(tmpdir(), 'test');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const places = (...lines: readonly string[]) => {
    const list = join(root, 'list');
    writeFileSync(list, `${lines.join('\n')}\n`);
    return { list, root };
  };

  it('is refused with the reason where this process is in no group that limits memory', () => {
    expect(openCacheLimit({ list: join(root, 'absent'), root })).to.match(/^this process is in no group/);
    expect(openCacheLimit(places('7:cpu:/one', '4:memory:/absent', '0::/absent'))).to.match(
      /^this process is in no group/,
    );
  });

  it('is refused with the reason where no group can be made', () => {
    writeFileSync(join(root, 'closed'), '');
    expect(openCacheLimit(places('0::/closed'))).to.match(/^a memory cgroup cannot be made here: .*mkdir/);
  });

  it('leaves no group behind that has no limit', () => {
    mkdirSync(join(root, 'memory', 'own'), { recursive: true });
    mkdirSync(join(root, 'unified'));
    expect(openCacheLimit(places('4:memory:/own', '0::/unified'))).to.match(/^this process is in no group/);
    expect(readdirSync(join(root, 'memory', 'own'))).to.deep.equal([]);
    expect(readdirSync(join(root, 'unified'))).to.deep.equal([]);
  });
});
