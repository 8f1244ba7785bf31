import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { caseOf, cases } from './cases.js';

/** Orderings of the code that no model has, and why. */
const NOT_MODELLED: Readonly<Record<string, string>> = {
  'chunk-1':
    'chunks and how they change hands are not in the model; repair of a shard marks the extents of its slots anew',
  'active-1':
    'who rests is not in the model; test/sim/rest has a writer at work before every access of the borrow that ends the rest',
  'bell-1':
    'a node that is not woken looks by itself: waking is no part of what is true; test/pool/waits stops its clock',
  'commit-1':
    'the checkpoint directory: test/sim kills its writer at every store, test/pool/checkpoints interleaves two',
  'commit-2': 'the same',
  'way-1':
    'one word stands for ways and bounds; test/pool/versionbounds cuts a writer off at every store, and so does test/sim',
  'name-1': 'names are not in the model; test/pool/orderings gives one away at every access of a put',
  'pinblock-1':
    'where pins lie is not in the model; test/pool/near/pinblocks scans at stores of a node that pins and releases',
  'size-1': 'page sizes are not in the model; test/pool/orderings drops a space at every access of a put',
  'event-1': 'the event log is written under the shard lock; test/pool/eventlog cuts it off at every store',
  'event-2': 'the same',
  'tag-1':
    'invalidation by tags is not in the model: numbers in cells, with no page touched; schedules of test/sim race it with fills and hits',
  'tag-2': 'the same',
  'tag-3': 'times are not in the model; test/pool/tags looks before each store of an invalidation',
  'leave-1': 'the kernel keeps the order of its file locks; which row a node has does not matter to the model',
};

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(path) : path.endsWith('.ts') ? [path] : [];
  });
}

function tagsOfCode(): Set<string> {
  const texts = [...filesUnder('src'), ...filesUnder('lib')].map((path) => readFileSync(path, 'utf8'));
  return new Set(
    texts.flatMap((text) => [...text.matchAll(/\bORDER ([a-z][a-z0-9-]*-\d+)\b/g)].map(([, tag = '']) => tag)),
  );
}

function tagsOfModel(): Set<string> {
  const models = Object.keys(cases).map((name) => caseOf(name as keyof typeof cases)({ name: 'none' }));
  const steps = models.flatMap(({ actors }) => actors.flatMap(({ program }) => program.flatMap((each) => each.steps)));
  return new Set(steps.flatMap(({ order }) => (order === undefined ? [] : [order].flat())));
}

describe('the ORDER tags of the code', () => {
  it('each name steps of the model, or a reason why not', () => {
    const modelled = tagsOfModel();
    const missing = [...tagsOfCode()].filter((tag) => !modelled.has(tag) && NOT_MODELLED[tag] === undefined);
    expect(missing).to.deep.equal([]);
    expect(Object.keys(NOT_MODELLED).filter((tag) => modelled.has(tag) || !tagsOfCode().has(tag))).to.deep.equal([]);
  });

  it('are all that the model names', () => {
    const known = tagsOfCode();
    expect(known.size).to.be.greaterThan(10);
    expect([...tagsOfModel()].filter((tag) => !known.has(tag))).to.deep.equal([]);
  });
});
