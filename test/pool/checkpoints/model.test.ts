/** Random sequences of calls on checkpoints by two nodes and a read-only one, compared with plain maps. */
import { expect } from 'chai';
import fc from 'fast-check';
import { inspect } from '../../../src/index.js';
import type { Checkpoint, CheckpointWriter, Pool } from '../../../src/pool/layout/types.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { checkContent, contentOf } from '../../support/content.js';
import { codeOf, KIB, LONG, MIB, settle, usePools } from '../../support/pools.js';

type Parts = ReadonlyMap<string, number>;

interface Commit {
  readonly sequence: number;
  readonly parts: Parts;
}

interface Writing {
  readonly writer: CheckpointWriter;
  readonly who: number;
  readonly name: string;
  readonly base: Parts;
  readonly parts: Map<string, number>;
}

interface World {
  readonly nodes: readonly AttachedPool[];
  readonly reader: Pool;
  readonly committed: Map<string, Commit>;
  /** Who may commit each name: the last writer, unless it ended or was forgotten. */
  readonly current: Map<string, Writing>;
  /** How often each name was taken; and by node and name, how often it had been when the node had it or looked last. */
  readonly terms: Map<string, number>;
  readonly held: Map<string, number>;
  readonly open: Writing[];
  readonly restored: { checkpoint: Checkpoint; commit: Commit }[];
  next: number;
}

type Step = (world: World) => Promise<void> | void;

const NAMES = ['a', 'b', 'ü'];
const PARTS = ['p', 'q', 'r', 's'];
const name = fc.constantFrom(...NAMES);
const part = fc.constantFrom(...PARTS);
const who = fc.nat({ max: 1 });
const size = fc.constantFrom(16, 100, 4096, 5000, 70_000);

function check(checkpoint: Checkpoint | undefined, commit: Commit | undefined): void {
  expect(checkpoint?.sequence).to.equal(commit?.sequence);
  const found = new Map<string, number>();
  for (const each of checkpoint?.parts() ?? []) {
    const page = checkpoint?.get(each);
    found.set(each, checkContent(page?.bytes ?? new Uint8Array(), each));
    page?.release();
  }
  expect(found).to.deep.equal(commit?.parts ?? new Map());
}

const begin = fc.tuple(who, name).map(
  ([index, which]): Step =>
    async (world) => {
      const held = world.held.get(`${index} ${which}`);
      const exists = world.committed.has(which) || world.current.has(which);
      const isStale = exists && held !== undefined && held !== world.terms.get(which);
      const code = await codeOf(() => {
        const writer = (world.nodes[index] as AttachedPool).checkpoint(which);
        const base = world.committed.get(which)?.parts ?? new Map();
        const writing = { writer, who: index, name: which, base, parts: new Map() };
        world.open.push(writing);
        world.current.set(which, writing);
        world.terms.set(which, (world.terms.get(which) ?? 0) + 1);
        world.held.set(`${index} ${which}`, world.terms.get(which) as number);
      });
      expect(code).to.equal(isStale ? 'NODE_FENCED' : 'nothing thrown');
    },
);

const write = fc.tuple(fc.nat(), part, size, fc.boolean()).map(
  ([index, which, bytes, drafts]): Step =>
    async (world) => {
      const writing = world.open[index % Math.max(1, world.open.length)];
      if (writing === undefined) return;
      const generation = world.next++;
      const content = contentOf(which, generation, bytes);
      const code = await codeOf(() => {
        if (drafts) writing.writer.create(which, bytes).bytes.set(content);
        else writing.writer.put(which, content);
      });
      expect(code).to.equal(writing.parts.has(which) ? 'KEY_EXISTS' : 'nothing thrown');
      if (!writing.parts.has(which)) writing.parts.set(which, generation);
    },
);

const reuse = fc.tuple(fc.nat(), part).map(
  ([index, which]): Step =>
    (world) => {
      const writing = world.open[index % Math.max(1, world.open.length)];
      if (writing === undefined || writing.parts.has(which)) return;
      const generation = writing.base.get(which);
      expect(writing.writer.reuse(which)).to.equal(generation !== undefined);
      if (generation !== undefined) writing.parts.set(which, generation);
    },
);

const end = fc.tuple(fc.nat(), fc.nat({ max: 3 })).map(
  ([index, how]): Step =>
    async (world) => {
      const [writing] = world.open.splice(index % Math.max(1, world.open.length), 1);
      if (writing === undefined) return;
      const isCurrent = world.current.get(writing.name) === writing;
      if (isCurrent) world.current.delete(writing.name);
      if (how === 0) return writing.writer.abort();
      const sequence = (world.committed.get(writing.name)?.sequence ?? 0) + 1;
      const code = await codeOf(() => expect(writing.writer.commit().sequence).to.equal(sequence));
      expect(code).to.equal(isCurrent ? 'nothing thrown' : 'NODE_FENCED');
      if (isCurrent) world.committed.set(writing.name, { sequence, parts: writing.parts });
    },
);

const restore = fc.tuple(fc.nat({ max: 2 }), name, fc.boolean()).map(
  ([index, which, keeps]): Step =>
    (world) => {
      const checkpoint = (world.nodes[index] ?? world.reader).restore(which);
      const commit = world.committed.get(which);
      check(checkpoint, commit);
      const exists = world.committed.has(which) || world.current.has(which);
      const held = `${index} ${which}`;
      if (world.held.has(held)) world.held.set(held, exists ? (world.terms.get(which) as number) : -1);
      if (keeps && checkpoint !== undefined && commit !== undefined) world.restored.push({ checkpoint, commit });
      else checkpoint?.release();
    },
);

const letGo = fc.nat().map(
  (index): Step =>
    (world) => {
      const [held] = world.restored.splice(index % Math.max(1, world.restored.length), 1);
      if (held === undefined) return;
      check(held.checkpoint, held.commit);
      held.checkpoint.release();
    },
);

const forget = fc.tuple(who, name).map(
  ([index, which]): Step =>
    (world) => {
      expect((world.nodes[index] as AttachedPool).forget(which)).to.equal(world.committed.has(which));
      world.committed.delete(which);
      world.current.delete(which);
    },
);

const look = fc.nat({ max: 2 }).map(
  (index): Step =>
    (world) => {
      const found = (world.nodes[index] ?? world.reader)
        .checkpoints()
        .map((info) => [info.name, info.sequence, info.parts]);
      const expected = [...world.committed].map(([which, { sequence, parts }]) => [which, sequence, parts.size]);
      expect(found).to.have.deep.members(expected);
    },
);

const collect = fc.constant<Step>((world) => {
  const { upkeep } = world.nodes[0] as unknown as { upkeep: { checkpoints: { collect(): number } } };
  upkeep.checkpoints.collect();
});

const step = fc.oneof(
  { weight: 4, arbitrary: begin },
  { weight: 8, arbitrary: write },
  { weight: 4, arbitrary: reuse },
  { weight: 5, arbitrary: end },
  { weight: 4, arbitrary: restore },
  { weight: 2, arbitrary: letGo },
  { weight: 1, arbitrary: forget },
  { weight: 1, arbitrary: look },
  { weight: 1, arbitrary: collect },
);

describe('checkpoints beside a plain model', () => {
  const pools = usePools();

  it('random calls of two writers and a reader have the results of plain maps, and give all space back', async () => {
    const steps = fc.array(step, { minLength: 10, maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const first = await pools.create({ size: 6 * MIB, pageSize: 4 * KIB, maxNodes: 4 });
        const nodes = [first, await pools.connect(first.path)];
        const reader = await pools.connect(first.path, { readOnly: true });
        const world: World = {
          nodes,
          reader,
          committed: new Map(),
          current: new Map(),
          terms: new Map(),
          held: new Map(),
          open: [],
          restored: [],
          next: 1,
        };
        for (const make of all) await make(world);
        for (const { checkpoint, commit } of world.restored) {
          check(checkpoint, commit);
          checkpoint.release();
        }
        for (const { writer } of world.open) writer.abort();
        for (const which of NAMES) expect(first.forget(which)).to.equal(world.committed.has(which));
        for (const node of nodes) await settle(node);
        const { objects, drafts, limbo, bytesUsed } = first.stats();
        expect({ objects, drafts, limbo, bytesUsed }).to.deep.equal({ objects: 0, drafts: 0, limbo: 0, bytesUsed: 0 });
        expect((await inspect(first.path)).problems).to.deep.equal([]);
        await pools.disconnect();
      }),
      { numRuns: LONG ? 2000 : 60 },
    );
  }).timeout(600_000);
});
