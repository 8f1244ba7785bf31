/** Random sequences of operations, their results compared with those of a plain Map. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Draft, Page } from '../../src/pool/layout/types.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { checkContent, contentOf } from '../support/content.js';
import { codeOf, KIB, LONG, MIB, settle, usePools } from '../support/pools.js';

const KEYS = 6;
const SIZES = [16, 17, 100, 4096, 5000, 70_000, 300_000];

interface Model {
  /** Generation of content of each sealed key. */
  readonly sealed: Map<string, { generation: number; size: number; metadata: number }>;
  readonly drafts: Map<string, { draft: Draft; size: number; generation: number }>;
  readonly pins: { page: Page; key: string; generation: number }[];
  next: number;
}

interface Ends {
  readonly model: Model;
  readonly nodes: readonly AttachedPool[];
}

type Operation = (ends: Ends) => void | Promise<void>;

/** A long key and a binary one are among them. */
function keyOf(index: number): string {
  return index === 0 ? 'long '.repeat(40) : `key-${index}`;
}

function matches(page: Page, key: string, generation: number): void {
  expect(checkContent(page.bytes, key)).to.equal(generation);
}

const node = fc.nat({ max: 1 });
const key = fc.nat({ max: KEYS - 1 }).map(keyOf);
const size = fc.constantFrom(...SIZES);

function at({ nodes }: Ends, index: number): AttachedPool {
  return nodes[index % nodes.length] as AttachedPool;
}

const create = fc.tuple(node, key, size).map(([who, name, bytes]) => async (ends: Ends) => {
  const { model } = ends;
  const isTaken = model.sealed.has(name) || model.drafts.has(name);
  const generation = model.next++;
  const code = await codeOf(() => {
    const draft = at(ends, who).create(name, bytes);
    draft.bytes.set(contentOf(name, generation, bytes));
    model.drafts.set(name, { draft, size: bytes, generation });
  });
  expect(code).to.equal(isTaken ? 'KEY_EXISTS' : 'nothing thrown');
});

const endDraft = fc.tuple(key, fc.boolean()).map(([name, seals]) => async ({ model }: Ends) => {
  const open = model.drafts.get(name);
  if (open === undefined) return;
  model.drafts.delete(name);
  if (!seals) return open.draft.abort();
  open.draft.seal();
  expect(await codeOf(() => open.draft.seal())).to.equal('ALREADY_SEALED');
  model.sealed.set(name, { generation: open.generation, size: open.size, metadata: 0 });
});

const put = fc.tuple(node, key, size, fc.nat({ max: 200 })).map(([who, name, bytes, metadata]) => (ends: Ends) => {
  const { model } = ends;
  const isTaken = model.sealed.has(name) || model.drafts.has(name);
  const generation = model.next++;
  const stored = at(ends, who).put(name, contentOf(name, generation, bytes), { metadata: new Uint8Array(metadata) });
  expect(stored).to.equal(!isTaken);
  if (stored) model.sealed.set(name, { generation, size: bytes, metadata });
});

const get = fc.tuple(node, key, fc.boolean()).map(([who, name, keeps]) => (ends: Ends) => {
  const { model } = ends;
  const page = at(ends, who).get(name);
  const known = model.sealed.get(name);
  expect(page === undefined).to.equal(known === undefined);
  if (page === undefined || known === undefined) return;
  matches(page, name, known.generation);
  expect([page.size, page.metadata.length]).to.deep.equal([known.size, known.metadata]);
  if (keeps) model.pins.push({ page, key: name, generation: known.generation });
  else page.release();
});

const release = fc.nat().map((which) => ({ model }: Ends) => {
  if (model.pins.length === 0) return;
  const [pin] = model.pins.splice(which % model.pins.length, 1);
  if (pin === undefined) return;
  matches(pin.page, pin.key, pin.generation);
  pin.page.release();
});

const remove = fc.tuple(node, key).map(([who, name]) => (ends: Ends) => {
  expect(at(ends, who).delete(name)).to.equal(ends.model.sealed.delete(name));
});

const has = fc.tuple(node, key).map(([who, name]) => (ends: Ends) => {
  expect(at(ends, who).has(name)).to.equal(ends.model.sealed.has(name));
});

const list = node.map((who) => (ends: Ends) => {
  const { model } = ends;
  const found = [...at(ends, who).list()].map(({ key, size, state }) => `${state} ${key} ${size}`);
  const sealed = [...model.sealed].map(([name, known]) => `sealed ${name} ${known.size}`);
  const drafts = [...model.drafts].map(([name, draft]) => `draft ${name} ${draft.size}`);
  expect(found.sort()).to.deep.equal([...sealed, ...drafts].sort());
});

/** What the policy takes is its affair; what is pinned stays, and the model learns what is gone. */
const evict = fc.tuple(node, fc.constantFrom(1, 5000, 100_000, MIB)).map(([who, bytes]) => async (ends: Ends) => {
  const { model } = ends;
  await Promise.resolve();
  const before = at(ends, who).stats().bytesUsed;
  const freed = at(ends, who).evict(bytes);
  expect(before - at(ends, who).stats().bytesUsed).to.equal(freed);
  const gone = [...model.sealed.keys()].filter((name) => !at(ends, who + 1).has(name));
  if (freed < bytes && at(ends, who).info.eviction !== 'none') {
    const held = [...model.sealed].filter(([name]) => !gone.includes(name));
    for (const [name, { generation }] of held) {
      expect(model.pins.some((pin) => pin.key === name && pin.generation === generation)).to.equal(true);
    }
  }
  for (const name of gone) {
    const generation = model.sealed.get(name)?.generation;
    expect(model.pins.some((pin) => pin.key === name && pin.generation === generation)).to.equal(false);
    model.sealed.delete(name);
  }
});

const operation: fc.Arbitrary<Operation> = fc.oneof(
  ...[create, endDraft, endDraft, put, put, get, get, get, release, remove, remove, has, list, evict],
);

/** Lets go of everything and checks that all of it comes back. */
async function finish({ model, nodes }: Ends): Promise<void> {
  for (const { page, key, generation } of model.pins) {
    matches(page, key, generation);
    page.release();
  }
  for (const { draft } of model.drafts.values()) draft.abort();
  const [first] = nodes as [AttachedPool];
  for (const name of model.sealed.keys()) expect(first.delete(name)).to.equal(true);
  await settle(first);
  const { objects, drafts, limbo, pins, bytesUsed, bytesFree, bytesData } = first.stats();
  expect({ objects, drafts, limbo, pins, bytesUsed }).to.deep.equal({
    ...{ objects: 0, drafts: 0, limbo: 0, pins: 0, bytesUsed: 0 },
  });
  expect(bytesFree).to.equal(bytesData);
}

describe('conformance: the model', () => {
  const pools = usePools();

  for (const count of [1, 2]) {
    for (const eviction of ['adaptive-2q', 's3-fifo', 'none'] as const) {
      it(`any sequence of operations on ${count} node${count === 1 ? '' : 's'} under ${eviction} does what a Map would do, and all space comes back`, async function () {
        this.timeout(LONG ? 3_600_000 : 120_000);
        // Room for everything at once, so that nothing is evicted but by evict; small chunks, so that some are runs.
        const options = { size: 32 * MIB, pageSize: KIB, maxObjects: 4000, eviction, maxNodes: 4 };
        const nodes = [await pools.create(options)];
        if (count === 2) nodes.push(await pools.connect((nodes[0] as AttachedPool).path));
        const property = fc.asyncProperty(fc.array(operation, { maxLength: 80 }), async (operations) => {
          const ends: Ends = { nodes, model: { sealed: new Map(), drafts: new Map(), pins: [], next: 1 } };
          try {
            for (const operate of operations) await operate(ends);
          } finally {
            await finish(ends);
          }
        });
        await fc.assert(property, { numRuns: LONG ? 30_000 : 1000 });
      });
    }
  }
});
