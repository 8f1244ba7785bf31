import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { defaultMaxObjects, geometryOf } from '../../src/pool/geometry.js';
import { LAYOUT_VERSION, renderLayout } from '../../src/pool/layout.js';
import { root } from '../tidy/sources.js';

describe('src/pool/LAYOUT.md', () => {
  it('is what the layout renders: a change of the layout is seen in review', () => {
    const rendered = renderLayout();
    expect(rendered).to.match(/^\| byte \| size \| field \| kind \| written by \|$/m);
    const kept = readFileSync(join(root, 'src/pool/LAYOUT.md'), 'utf8');
    expect(kept, 'print renderLayout() into src/pool/LAYOUT.md').to.equal(rendered);
  });
});

describe('the geometry of a pool', () => {
  it('follows from its plan as it did when the layout version was given: nodes of one version agree', () => {
    const plans = [2 ** 26, 2 ** 28, 2 ** 31, 2 ** 34].flatMap((size) =>
      [8192, 65_536].flatMap((pageSize) =>
        (['s3-fifo', 'lru', 'none'] as const).map((eviction) => {
          return { size, pageSize, maxObjects: defaultMaxObjects(size, pageSize), maxNodes: 64, eviction };
        }),
      ),
    );
    const digest = createHash('sha256')
      .update(JSON.stringify(plans.map(geometryOf)))
      .digest('hex');
    // Another digest wants another version: the superblock keeps the plan, and every node works out the rest by itself.
    expect([LAYOUT_VERSION, digest.slice(0, 16)]).to.deep.equal([1, '2b278e793d5ba7f0']);
  });
});
