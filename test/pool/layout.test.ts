import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { Words } from '../../lib/words.js';
import { fillRegions } from '../../src/pool/formatter.js';
import { defaultMaxObjects } from '../../src/pool/layout/capacity.js';
import { geometryOf, type Plan } from '../../src/pool/layout/geometry.js';
import { LAYOUT_VERSION, renderLayout, Slot } from '../../src/pool/layout/layout.js';
import type { Segment } from '../../src/pool/layout/segment.js';
import type { Eviction } from '../../src/pool/layout/types.js';
import { root } from '../tidy/sources.js';

describe('src/pool/layout/LAYOUT.md', () => {
  it('is what the layout renders: a change of the layout is seen in review', () => {
    const rendered = renderLayout();
    expect(rendered).to.match(/^\| byte \| size \| field \| kind \| written by \|$/m);
    const kept = readFileSync(join(root, 'src/pool/layout/LAYOUT.md'), 'utf8');
    expect(kept, 'print renderLayout() into src/pool/layout/LAYOUT.md').to.equal(rendered);
  });
});

function plan(size: number, pageSize: number, eviction: Eviction = 's3-fifo'): Plan {
  const room = { size, pageSize, maxNodes: 64, eviction };
  return { ...room, maxObjects: defaultMaxObjects(room) };
}

describe('the defaults of a pool', () => {
  const sizes = [2 ** 20, 3 * 2 ** 20, 2 ** 23, 2 ** 28, 2 ** 30, 2 ** 33, 2 ** 36, 2 ** 40, 2 ** 44];

  it('give a pool with room for data at every size from 1 MiB to 16 TiB and every page size from 64 B to 64 MiB', () => {
    for (const size of sizes) {
      for (let pageSize = 64; pageSize <= 2 ** 26; pageSize *= 2) {
        const { dataBytes, dataOffset, maxObjects } = geometryOf(plan(size, pageSize));
        const what = `${pageSize} in ${size}`;
        // Of pages that there is room for, either bytes or slots hold a usable number.
        expect(Math.min(maxObjects, dataBytes / Math.min(pageSize, dataBytes)), what).to.be.at.least(1);
        expect(dataOffset + dataBytes, what).to.be.above(size * 0.9);
      }
    }
  });

  it('let bytes and not slots limit pages of the typical size, as long as one window describes them', () => {
    for (const size of sizes.filter((each) => each >= 2 ** 23)) {
      for (let pageSize = 64; pageSize <= 2 ** 22; pageSize *= 2) {
        const made = geometryOf(plan(size, pageSize));
        const isWhole = made.dataOffset > 0.9 * 2 ** 32;
        if (!isWhole) expect(made.maxObjects * pageSize, `${pageSize} in ${size}`).to.be.above(made.dataBytes * 0.9);
      }
    }
  });

  it('give metadata at most a third of a pool of pages of 1 KiB and more, beside what nodes take', () => {
    for (const size of sizes.filter((each) => each >= 2 ** 28)) {
      for (let pageSize = 1024; pageSize <= 2 ** 26; pageSize *= 2) {
        expect(geometryOf(plan(size, pageSize)).dataOffset / size, `${pageSize} in ${size}`).to.be.below(0.35);
      }
    }
  });
});

describe('the first state of a pool', () => {
  it('is made in steps of one shard at most, between which others may run', () => {
    const geometry = geometryOf(plan(2 ** 26, 1024));
    const words = new Words(new ArrayBuffer(geometry.dataOffset));
    const slot = (shard: number) => geometry.regions.slots.word + shard * geometry.slotsPerShard * Slot.words;
    let [done, steps] = [0, 0];
    for (const _ of fillRegions({ words } as Segment, geometry)) {
      const made = Array.from({ length: geometry.shards }, (_, shard) => words.read(slot(shard))).filter(
        Boolean,
      ).length;
      expect(made - done).to.be.at.most(1);
      done = made;
      steps++;
    }
    expect([done, geometry.shards > 8, steps >= 2 * geometry.shards]).to.deep.equal([geometry.shards, true, true]);
  });
});

describe('the geometry of a pool', () => {
  it('follows from its plan as it did when the layout version was given: nodes of one version agree', () => {
    const plans = [2 ** 26, 2 ** 28, 2 ** 31, 2 ** 34, 2 ** 40].flatMap((size) =>
      [8192, 65_536].flatMap((pageSize) =>
        (['adaptive-2q', 's3-fifo', 'lru', 'none'] as const).map((each) => plan(size, pageSize, each)),
      ),
    );
    const digest = createHash('sha256')
      .update(JSON.stringify(plans.map(geometryOf)))
      .digest('hex');
    // Another digest wants another version: the superblock keeps the plan, and every node works out the rest by itself.
    expect([LAYOUT_VERSION, digest.slice(0, 16)]).to.deep.equal([8, '2086d254037979d9']);
  });
});
