/**
 * Question: one process changes a database all the time, others query it: what is it worth that they share one cache of its pages?
 *
 * CH-benCHmark-derived, live: one writer at a fixed rate of transactions, readers that loop over the 22 analytic queries, each on a
 * fresh snapshot, over `sealpool/adapters/sqlite`. The same total bytes are spent once on SQLite's own page caches, once on private
 * caches of page versions, once on one pool; and beside them stands the OS page cache, as large as it likes and of the same bytes.
 * The last reader comes late. `adapters/compare/htap` has the arms, and what is checked as it runs.
 *
 * (HT1) what compares two arms are the queries that both finished (`equalWork`), the cold start included.
 * (HT2) one run an arm, one after the other: (B1) and (B2) do not hold here, and a burst of the neighbours falls on one arm. What is
 *       counted (storage reads) hardly depends on them, times do.
 */
import {
  type ArmFigures,
  equalWork,
  type HtapArm,
  htapArms,
  type MissSource,
  runHtap,
} from '../adapters/compare/htap/index.js';
import { SNAPSHOT_SHARE, SNAPSHOT_SHARE_MAX } from '../adapters/sqlite/index.js';
import type { Benchmark, Context } from './frame.js';

interface Cell {
  /** Percent of the database. */
  readonly memory: number;
  /** Transactions a second. */
  readonly rate: number;
  readonly source: MissSource;
  readonly readers: number;
}

const SOURCES = { 'page server': 'server', 'direct I/O': 'direct' } as const;
const USUAL: Cell = { memory: 50, rate: 50, source: 'server', readers: 4 };

function nameOf({ memory, rate, source, readers }: Cell): string {
  const medium = source === 'server' ? 'page server' : 'direct I/O';
  return `${memory} %, ${rate} transactions/s, ${medium}, ${readers} readers`;
}

function cellOf(name: string): Cell {
  const match = /^(\d+) %, (\d+) transactions\/s, (page server|direct I\/O), (\d+) readers$/.exec(name);
  if (match === null) throw new Error(`There is no cell '${name}'.`);
  const [, memory, rate, medium, readers] = match;
  const source = SOURCES[medium as keyof typeof SOURCES];
  return { memory: Number(memory), rate: Number(rate), source, readers: Number(readers) };
}

function matrix(): Cell[] {
  const cells: Cell[] = [];
  for (const source of Object.values(SOURCES)) {
    for (const rate of [50, 400]) {
      for (const readers of [2, 4])
        for (const memory of [25, 50, 100, 200]) cells.push({ memory, rate, source, readers });
    }
  }
  return cells;
}

function shareOf({ settings: { past = String(SNAPSHOT_SHARE) } }: Context): number {
  const share = Number(past);
  if (share > 0 && share <= SNAPSHOT_SHARE_MAX) return share;
  throw new Error(`past is ${past}; it is over 0, up to ${SNAPSHOT_SHARE_MAX}.`);
}

function armsOf({ settings: { arms } }: Context): readonly HtapArm[] {
  if (arms === undefined) return htapArms;
  const wanted = arms.split(',');
  const unknown = wanted.filter((name) => !htapArms.some((arm) => arm === name));
  if (unknown.length > 0) throw new Error(`There is no arm ${unknown.join(', ')}. There are: ${htapArms.join(', ')}.`);
  return htapArms.filter((arm) => wanted.includes(arm));
}

async function measure(context: Context, cell: Cell): Promise<void> {
  const { memory, ...others } = cell;
  const seconds = Number(context.settings.seconds ?? context.pick(1.5, 55));
  const { arms, fileSize, leftOut } = await runHtap({
    ...others,
    memory: `${memory}%`,
    snapshotShare: shareOf(context),
    arms: armsOf(context),
    durationMs: seconds * 1_000,
    seed: context.seed,
    scale: context.pick(0.02, 0.17),
    judgeMs: context.pick(10_000, 60_000),
    progress: () => {},
  });
  context.note(`The database has ${(fileSize / 2 ** 20).toFixed(1)} MiB; each arm ran for ${seconds} s.`);
  for (const text of leftOut) context.note(text);
  for (const arm of arms) {
    for (const text of arm.notes) context.note(`${arm.name}: ${text}`);
    report(context, arm);
  }
  compare(context, arms);
  prove(context, arms);
}

function report(context: Context, arm: ArmFigures): void {
  const add = (what: string, unit: string, value: number) =>
    context.add({ name: `${arm.name}: ${what}`, unit, series: [value] });
  add('commits', '1/s', arm.commitsPerSecond);
  add('commit, median', 'ms', arm.commitMs.p50);
  add('commit, 99th of 100', 'ms', arm.commitMs.p99);
  add("writer's storage reads", 'pages', arm.writerStorageReads);
  if (arm.name === 'alone') return;
  add('queries', '1/h', arm.queriesPerHour);
  add('query, median', 'ms', arm.queryMs.p50);
  add('query, 99th of 100', 'ms', arm.queryMs.p99);
  add('storage reads', 'pages', arm.storageReads);
  add('storage read, mean', 'ms', arm.storageMs);
  add('memory, private', 'MiB', arm.bytesPrivate / 2 ** 20);
  add('memory, shared', 'MiB', arm.bytesShared / 2 ** 20);
  add('memory, of that for the past', 'MiB', arm.bytesPast / 2 ** 20);
  add('snapshot behind at the end of its query, median', 'LSN', arm.lagLsn.p50);
  add('snapshot behind at the end of its query, 99th of 100', 'ms', arm.lagMs.p99);
  add('newest commit at a refresh, age, median', 'ms', arm.ageMs.p50);
  add('snapshots lost', 'times', arm.snapshotsLost);
  if (arm.joiner?.warmMs !== undefined) add('late joiner, until warm', 'ms', arm.joiner.warmMs);
}

/** A figure over another arm's, where that is there and not nothing. */
function compare(context: Context, arms: readonly ArmFigures[]): void {
  const find = (name: HtapArm) => arms.find((arm) => arm.name === name);
  const shared = find('shared');
  if (shared === undefined) return;
  const add = (what: string, unit: string, values: readonly [number, number], to: HtapArm, goal?: string) => {
    const [value, baseline] = values;
    if (!(value > 0 && baseline > 0)) return;
    const of = { name: `${to}: ${what}`, series: [baseline] };
    context.add({ name: `shared to ${to}: ${what}`, unit, series: [value], baseline: of, ...(goal && { goal }) });
  };
  const perHour = (queries: number, ms: number, readers: number) => (queries * readers * 3_600_000) / ms;
  const goals: Partial<Record<HtapArm, { reads?: string; time?: string }>> = {
    'private-versioned': { reads: '<= 0.4', time: '>= 2' },
    'os-cache-limited': { time: '>= 1.3' },
  };
  for (const name of ['private-engine', 'private-versioned', 'os-cache', 'os-cache-limited'] as const) {
    const other = find(name);
    if (other === undefined) continue;
    const { queries, ms, storageReads } = equalWork(shared, other);
    const readers = shared.readers.length;
    add('storage reads of the same queries', 'pages', storageReads, name, goals[name]?.reads);
    const rates = [perHour(queries, ms[0], readers), perHour(queries, ms[1], readers)] as const;
    add('the same queries', '1/h', rates, name, goals[name]?.time);
  }
  const alone = find('alone');
  if (alone !== undefined)
    add('commit, 99th of 100', 'ms', [shared.commitMs.p99, alone.commitMs.p99], 'alone', '<= 1.2');
  if (shared.joiner === undefined) return;
  const { ratioAfterOneQuery } = shared.joiner;
  context.add({
    name: "shared: late joiner's hit ratio after one query, to the others'",
    unit: 'times',
    series: [ratioAfterOneQuery],
    goal: '>= 0.95',
  });
}

/** What must not be: it fails the run. */
function prove(context: Context, arms: readonly ArmFigures[]): void {
  const wrong = arms.flatMap((arm) => [...arm.wrong, ...arm.violations.map((text) => `${arm.name}: ${text}`)]);
  const sum = (of: (arm: ArmFigures) => number) => arms.reduce((total, arm) => total + of(arm), 0);
  const [queries, compared, checked] = [
    sum((arm) => arm.queries),
    sum((arm) => arm.compared),
    sum((arm) => arm.checked),
  ];
  context.note(
    `${compared} of ${queries} results equal an uncached engine's at the same snapshot; the sums held in ${checked} snapshots.`,
  );
  if (wrong.length > 0) throw new Error(`wrong results, stale or torn pages: ${wrong.join('; ')}`);
  context.checked('wrong', wrong.length);
  context.add({ name: 'wrong results and violated sums', unit: 'times', series: [wrong.length], goal: '<= 0' });
}

export const benchmark: Benchmark = {
  question:
    'What is one shared cache of pages worth to queries beside a writer, against private ones of the same bytes?',
  settings: {
    past: `of the memory, what the past may have: ${SNAPSHOT_SHARE} unless given`,
    arms: `${htapArms.join(',')}, or some of them`,
    seconds: 'of each arm, 55 unless given',
  },
  cells: (mode) => (mode === 'full' ? matrix() : [mode === 'smoke' ? { ...USUAL, readers: 2 } : USUAL]).map(nameOf),
  run: (cell, context) => measure(context, cellOf(cell)),
};
