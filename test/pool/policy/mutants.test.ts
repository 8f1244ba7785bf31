/** Broken policies: each is one statement of the compiled code left out or changed; what compares policies has to see it. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'chai';
import type { makePolicy, PolicyKind } from '../../../src/pool/policy/index.js';
import { isCode, mutate } from '../../sim/coroutines/build.js';
import { hashOf } from './shard.js';
import { changing, none, references, Twins, zipfAndScans } from './twins.js';

type Make = typeof makePolicy;

const compiled = fileURLToPath(new URL('../../../', import.meta.url));
const folder = join(compiled, 'policy-mutants');
const ROOMS = ['lib', 'src/pool/policy'];

/** File, what is broken, and how. */
const MUTANTS: readonly (readonly [file: string, name: string, find: string, replace: string])[] = [
  ['adaptive-2q', 'a hit within the window counts', '>= this.window()) {', '>= 0) {'],
  ['adaptive-2q', 'the window is all of small', 'small * window, 10_000', 'small, 100'],
  ['adaptive-2q', 'hits are not sampled', '        this.learning.call(queue.hash(slot), undefined);\n', ''],
  [
    'adaptive-2q',
    'misses are not sampled',
    '        this.learning.call(hash, undefined);\n        const reach',
    '        const reach',
  ],
  ['adaptive-2q', 'the ghost is not asked', 'if (this.ghost.takeHash(hash, reach)) {', 'if (false) {'],
  ['adaptive-2q', 'the ghost reaches as far with every choice', 'total, this.sizes().ghost, 100', 'total, 200, 100'],
  ['adaptive-2q', 'small is as large with every choice', 'return this.sizes().small;', 'return 10;'],
  ['adaptive-2q', 'what is chosen is not kept', 'if (next !== choice)', 'if (false)'],
  ['adaptive-2q', 'the clock of small stands still', 'this.clockWord, (clock + 1) | 0', 'this.clockWord, clock'],
  ['adaptive-2q', 'departures are not remembered', 'this.ghost.add(hash);', ''],
  ['adaptive-2q', 'samples are taken of all', '        this.shadows?.full(this.count());\n', ''],
  ['aged-ghost', 'an old departure counts', '<< this.unitBits <= reach', '<< this.unitBits >= 0'],
  ['aged-ghost', 'what was met in the ghost stays there', '            this.forget(word, line);\n', ''],
  ['aged-ghost', 'departures have all one time', 'this.clockWord, nextSequence(clock)', 'this.clockWord, clock'],
  ['shadows', 'a shadow counts hits within the window', 'if (this.ageInSmall(word) >= this.window)', ''],
  ['shadows', 'a shadow leaves its main empty', ' || this.mainHasRoom()', ''],
  [
    'shadows',
    'a shadow puts what its ghost knew into small',
    'this.putMain(id);\n        return',
    'this.putSmall(id);\n        return',
  ],
  ['shadows', 'a shadow gives no other round', 'if ((entry & COUNTER_MASK) === 0)', 'if (true)'],
  ['shadows', 'a shadow has no ghost', '        words.write(ghost + next, id);\n', ''],
  ['shadows', 'scores do not decay', 'score - (score >>> DECAY_SHIFT)', 'score'],
  ['shadows', 'a lead by chance is enough', 'const LEAD_HITS = 16;', 'const LEAD_HITS = 0;'],
  ['shadows', 'decisions are twice as rare', 'const SAMPLES = 64;', 'const SAMPLES = 128;'],
  ['shadows', 'the sample is of other keys', '>= this.objects * 0x1_0000_0000', '< this.objects * 0x1_0000_0000'],
  ['two-queues', 'small has one more', 'inSmall * 100 >= smallWanted', 'inSmall * 100 > smallWanted'],
  ['two-queues', 'main gives no other round', 'main.requeue(slot, counter - 1);', 'main.requeue(slot, 0);'],
  ['two-queues', 'a held page of small goes to main', 'small.requeue(slot, counter);', 'this.promote(slot);'],
  ['s3-fifo', 'one hit leads to main', 'const PROMOTE_MIN = 2;', 'const PROMOTE_MIN = 1;'],
  ['s3-fifo', 'small has a fifth', 'const SMALL_SHARE = 10;', 'const SMALL_SHARE = 20;'],
  ['s3-fifo', 'the ghost is not asked', 'this.ghost.takeHash(hash | 0)', 'false'],
  ['s3-fifo', 'hits are not counted', 'if (counter < COUNTER_MAX)', 'if (false)'],
];

async function broken(index: number): Promise<Make> {
  const root = join(folder, String(index));
  for (const room of ROOMS) {
    mkdirSync(join(root, room), { recursive: true });
    cpSync(join(compiled, room), join(root, room), { recursive: true, filter: isCode });
  }
  const [name, , find, replace] = MUTANTS[index]!;
  const file = `src/pool/policy/${name}.js`;
  writeFileSync(join(root, file), mutate(readFileSync(join(compiled, file), 'utf8'), { file, find, replace }));
  const loaded = await import(pathToFileURL(join(root, 'src/pool/policy/index.js')).href);
  return (loaded as { makePolicy: Make }).makePolicy;
}

/** Drives the policy and its reference until they differ; whether they do. */
function differs(kind: PolicyKind, make?: Make): boolean {
  const [, makeReference] = references.find(([name]) => name === kind)!;
  try {
    for (const capacity of [60, 400]) {
      const twins = new Twins(kind, makeReference(capacity), capacity, make);
      for (const key of zipfAndScans(capacity, 3_000, 2 * capacity)) {
        twins.access(key, (one) => (hashOf(one) & 7) === 0);
      }
    }
    // As many departures as the ring of S3-FIFO's ghost has bits would be too many.
    if (kind === 's3-fifo') return false;
    const twins = new Twins(kind, makeReference(150), 150, make);
    for (const key of changing(150)) twins.access(key, none);
    return false;
  } catch {
    return true;
  }
}

describe('a broken eviction policy', () => {
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [index, [file, name]] of MUTANTS.entries()) {
    it(`is seen: ${file}, ${name}`, async () => {
      const make = await broken(index);
      const kinds = (['adaptive-2q', 's3-fifo'] as const).filter((kind) => differs(kind, make));
      if (file === 's3-fifo') expect(kinds).to.deep.equal(['s3-fifo']);
      else expect(kinds).to.include('adaptive-2q');
    });
  }

  it('is told from one that is not', () => {
    expect((['adaptive-2q', 's3-fifo'] as const).filter((kind) => differs(kind))).to.deep.equal([]);
  });
});
