/**
 * The htap workload as a comparison of `sealpool compare`. An arm's figures there are of the queries that every arm finished, reader by
 * reader, so that they are of the same work; what else was seen stands in the notes.
 */
import { PoolError } from '../../../lib/errors.js';
import { bytesText, countText, MISSING, PERFECT_PARTITIONING } from '../figures.js';
import type { ArmResult, CompareResult } from '../types.js';
import { ENGINE_CACHE_KIB, type HtapArm } from './arms.js';
import { type HtapOptions, type HtapRun, LATE, runHtap } from './driver.js';
import { type ArmFigures, type CommonWork, commonWork } from './figures.js';

export const DEFAULT_MEMORY = '50%';
const RATE = 50;
const DURATION_MS = 20_000;

const arms: readonly Exclude<HtapArm, 'alone'>[] = [
  ...(['private-engine', 'private-versioned', 'shared', 'os-cache', 'os-cache-limited'] as const),
];

export interface CompareHtapOptions extends Pick<HtapOptions, 'seed' | 'progress' | 'eviction' | 'storage'> {
  /** Readers. */
  readonly nodes: number;
  /** As HtapOptions. Default 50 % of the database. */
  readonly memory?: number | string;
  /** Milliseconds, of each arm. Default 20,000. */
  readonly durationMs?: number;
  /** Share of the specification's rows per warehouse. Default 0.17. */
  readonly scale?: number;
}

/** Throws what runHtap throws. */
export async function compareHtap(options: CompareHtapOptions): Promise<CompareResult> {
  const {
    nodes,
    memory = DEFAULT_MEMORY,
    eviction,
    storage,
    seed,
    progress,
    scale,
    durationMs = DURATION_MS,
  } = options;
  const controller = new AbortController();
  const end = (signal: NodeJS.Signals): void =>
    controller.abort(new PoolError('ABORTED', `The comparison was ended by ${signal}.`));
  const names: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const name of names) process.once(name, end);
  try {
    const run = await runHtap({
      ...{ arms, readers: nodes, rate: RATE, memory, source: 'direct', durationMs, seed, progress },
      ...(eviction === undefined ? {} : { eviction }),
      ...(scale === undefined ? {} : { scale }),
      ...(storage === undefined ? {} : { storage }),
      signal: controller.signal,
    });
    return resultOf(run, { nodes, seed, durationMs });
  } finally {
    for (const name of names) process.off(name, end);
  }
}

interface Setting {
  readonly nodes: number;
  readonly seed: number;
  /** Of each arm, milliseconds. */
  readonly durationMs: number;
}

export function resultOf(run: HtapRun, { nodes, seed, durationMs }: Setting): CompareResult {
  const { arms, fileSize, memory, leftOut } = run;
  const work = commonWork(arms);
  const queries = work[0]?.queries ?? 0;
  const who = nodes === 1 ? 'One reader' : `${nodes} readers`;
  const late = nodes === 1 ? '' : `; the last reader came after ${((LATE * durationMs) / 1_000).toFixed(0)} s`;
  return {
    ...{ nodes, memory, seed },
    workload: `htap: analytic queries on fresh snapshots beside a writer, over ${bytesText(fileSize)}`,
    done: `${who} looped over 22 queries for ${(durationMs / 1_000).toFixed(0)} s per arm, beside one writer that was asked for ${RATE} transactions a second${late}. The figures of the first table are of the same ${queries} queries, those that every arm finished, the cold start included; queries that had to begin anew count with all that they took.`,
    // The writer has one, too.
    shares: nodes + 1,
    arms: arms.map((arm, index) => armResult(arm, work[index] as CommonWork)),
    beside: besideOf(arms),
    checks: arms.flatMap(checksOf),
    notes: [
      ...leftOut,
      'Where the writer got fewer transactions through, the readers had less to catch up with: compare both.',
      PERFECT_PARTITIONING,
      `SQLite's own cache of ${ENGINE_CACHE_KIB / 1_024} MiB a process is private memory in every arm, on top of the memory given.`,
      'The workload is derived from the CH-benCHmark, scaled down; its figures are not comparable to published ones.',
    ],
  };
}

function besideOf(arms: readonly ArmFigures[]): NonNullable<CompareResult['beside']> {
  const milliseconds = (value: number): string => (Number.isFinite(value) ? value.toFixed(1) : MISSING);
  return {
    title:
      'Of all queries and transactions of the same time: how many, how long a commit took, how many commits a snapshot was behind at the end of its query, and how often a query began anew because the pool had given its snapshot up.',
    heads: ['arm', 'queries/h', 'commits/s', 'commit p50 ms', 'commit p99 ms', 'commits behind', 'begun anew'],
    rows: arms.map((arm) => [
      arm.name,
      countText(arm.queriesPerHour),
      milliseconds(arm.commitsPerSecond),
      milliseconds(arm.commitMs.p50),
      milliseconds(arm.commitMs.p99),
      countText(arm.lagLsn.p50),
      countText(arm.snapshotsLost),
    ]),
  };
}

function armResult(arm: ArmFigures, work: CommonWork): ArmResult {
  const { requests, hits, storageReads } = work;
  return {
    ...{ name: arm.name as ArmResult['name'], requests, hits, storageReads },
    hitRatio: requests === 0 ? 0 : hits / requests,
    ...{ bytesPrivate: arm.bytesPrivate, bytesShared: arm.bytesShared },
    ...{ p50Us: arm.requestUs.p50, p99Us: arm.requestUs.p99, elapsedMs: work.elapsedMs },
    notes: arm.notes,
  };
}

function checksOf(arm: ArmFigures): { text: string; ok: boolean }[] {
  const differ = arm.wrong.length === 0 ? '' : ` Not so: ${arm.wrong.join('; ')}.`;
  const broken = arm.violations.length === 0 ? '' : ` Not so: ${arm.violations.join('; ')}.`;
  return [
    {
      text: `${arm.name}: ${arm.compared} of ${arm.queries} results equal the engine alone at the same snapshot.${differ}`,
      ok: differ === '',
    },
    { text: `${arm.name}: the sums held in each of ${arm.checked} snapshots.${broken}`, ok: broken === '' },
  ];
}
