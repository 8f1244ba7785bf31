import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { root } from './tidy/sources.js';

type Targets = string | { readonly [condition: string]: Targets };

function filesOf(targets: Targets): string[] {
  return typeof targets === 'string' ? [targets] : Object.values(targets).flatMap(filesOf);
}

describe('package.json', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

  it('names only files that the build makes, whose types come before what is run', () => {
    const { main, types, bin, exports } = manifest;
    const named = [main, types, ...filesOf(bin), ...filesOf(exports)];
    expect(named.filter((file) => !existsSync(join(root, file)))).to.deep.equal([]);
    for (const target of Object.values<Targets>(exports))
      if (typeof target !== 'string') expect(Object.keys(target)).to.deep.equal(['types', 'default']);
  });

  it('gives tools that do not read exports the same entry', () => {
    const { main, types, exports } = manifest;
    expect({ types, default: main }).to.deep.equal(exports['.']);
  });

  it('has a command that can be run', () => {
    expect(statSync(join(root, manifest.bin.sealpool)).mode & 0o111).to.equal(0o111);
  });
});
