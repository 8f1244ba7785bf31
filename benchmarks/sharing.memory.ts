/**
 * The memory of the benchmark `sharing`: eight processes that find all pages, in caches of their own or in one pool.
 *
 * What counts is the proportional set size that the kernel tells of each process (Pss of smaps_rollup: a page that several map
 * counts for each in equal parts), beyond what the process had before it opened its cache. What of the pool's file nobody has mapped
 * is memory as well, and stands in all. V8's young generation has 1 MiB in both arms: garbage is nobody's cache.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from '../src/index.js';
import type { Context } from './frame.js';
import { scratchFolder } from './scratch.js';
import { makePages } from './sharing.data.js';
import type { Held, HoldOrder } from './sharing.holder.js';
import { ARMS, type ArmName, PAGE } from './sharing.world.js';

const WORKERS = 8;
const GOAL = '<= 0.1667';
const NODE_OPTIONS = ['--expose-gc', '--max-semi-space-size=1'];
const HITS_GOAL = '>= 99.9';
const NODES_SPARE = 2;
/** Bytes of the pool over those of its pages. */
const ROOM = 1.25;

interface Sizes {
  /** With what nobody has mapped. */
  readonly all: number;
  readonly beyond: number;
  /** 0 to 1. */
  readonly hitRatio: number;
  readonly hash: string;
}

async function hold(
  order: Omit<HoldOrder, 'seed'>,
  { workers, seed, poolBytes }: { workers: number; seed: number; poolBytes: number },
): Promise<Sizes> {
  const program = fileURLToPath(new URL('sharing.holder.js', import.meta.url));
  const children: ChildProcess[] = Array.from({ length: workers }, () => fork(program, [], { execArgv: NODE_OPTIONS }));
  const askAll = async (of: (node: number) => unknown): Promise<Held[]> => {
    const answers = children.map(async (child) => {
      const [answer] = await Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(([code]) => Promise.reject(new Error(`A worker ended with ${code}.`))),
      ]);
      return answer as Held;
    });
    for (const [node, child] of children.entries()) child.send(of(node) as object);
    return Promise.all(answers);
  };
  try {
    const sum = (held: readonly Held[]) => held.reduce((total, { pss }) => total + pss, 0);
    const unmapped = (held: readonly Held[]) =>
      Math.max(0, poolBytes - held.reduce((total, { shared }) => total + shared, 0));
    await askAll((node) => ({ ...order, seed: seed + node }));
    const before = sum(await askAll(() => 'measure'));
    const read = await askAll(() => 'read');
    // All have read: now the pool's pages are mapped by each.
    const held = await askAll(() => 'measure');
    const after = sum(held);
    const hits = read.reduce((total, one) => total + one.hits, 0);
    return {
      all: after + unmapped(held),
      beyond: after - before,
      hitRatio: hits / (workers * order.pages),
      hash: read.map(({ hash }) => hash).join(' '),
    };
  } finally {
    const exited = children.map((child) => (child.exitCode === null ? once(child, 'exit') : undefined));
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(exited);
  }
}

export async function measureMemory(context: Context): Promise<void> {
  const workers = context.pick(2, WORKERS);
  const pages = context.pick(1_024, 16_384, 65_536);
  const folder = scratchFolder(pages * PAGE * 3);
  const file = join(folder, 'pages');
  makePages(file, pages);
  const sizes: Record<ArmName, Sizes[]> = { private: [], shared: [] };
  // Together as many entries as there are pages, as the private ones have.
  const nearEntries = Math.ceil(pages / workers);
  // Shards fill unevenly: with so much room hardly a page has to go.
  const size = Math.ceil((pages * PAGE * context.pick(2, ROOM)) / 4096) * 4096;
  for (let i = 0; i < context.pick(1, 2, 3); i++) {
    for (const arm of context.random.shuffle([...ARMS])) {
      const path = join(folder, `pool${i}`);
      const pool =
        arm === 'shared'
          ? await connect(path, {
              create: { size, pageSize: PAGE, maxNodes: workers + NODES_SPARE },
            })
          : undefined;
      const poolBytes = arm === 'shared' ? size : 0;
      const held = await hold({ arm, file, path, pages, nearEntries }, { workers, seed: context.seed, poolBytes });
      await pool?.disconnect();
      sizes[arm].push(held);
    }
  }
  report(context, sizes, workers, pages);
}

function report(context: Context, sizes: Record<ArmName, Sizes[]>, workers: number, pages: number): void {
  const [owned, shared] = [sizes.private, sizes.shared];
  const mib = (values: readonly Sizes[], of: (sizes: Sizes) => number) => values.map((one) => of(one) / 2 ** 20);
  for (const { what, of, goal } of [
    { what: 'set size beyond before', of: ({ beyond }: Sizes) => beyond, goal: { goal: GOAL } },
    { what: 'all memory, Node itself included', of: ({ all }: Sizes) => all, goal: {} },
  ]) {
    const baseline = { name: `memory: ${what}, private`, series: mib(owned, of) };
    context.add({ name: baseline.name, unit: 'MiB', series: baseline.series });
    context.add({ name: `memory: ${what}, shared`, unit: 'MiB', series: mib(shared, of), baseline, ...goal });
  }
  for (const arm of ARMS) {
    const series = sizes[arm].map(({ hitRatio }) => 100 * hitRatio);
    context.add({ name: `memory: hits, ${arm}`, unit: '%', series, goal: HITS_GOAL });
  }
  for (const { hash } of [...owned, ...shared])
    if (hash !== owned[0]?.hash) throw new Error('memory: the answers differ.');
  context.checked('memory', owned[0]?.hash ?? '');
  context.note(
    `${workers} processes find all of ${((pages * PAGE) / 2 ** 20).toFixed(0)} MiB of pages; the pool's file has ${((pages * PAGE * ROOM) / 2 ** 20).toFixed(0)} MiB, all of it in the last lines.`,
  );
}
