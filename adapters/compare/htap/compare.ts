/**
 * The htap workload as a comparison of `sealpool compare`. An arm's figures there are of the queries that every arm finished, reader by
 * reader, so that they are of the same work; what else was seen stands in the notes.
 */
import { PoolError } from '../../../lib/errors.js';
import { PERFECT_PARTITIONING } from '../figures.js';
import type { ArmResult, CompareResult } from '../types.js';
import { ENGINE_CACHE_KIB, type HtapArm } from './arms.js';
import { type HtapOptions, type HtapRun, runHtap } from './driver.js';
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
    return resultOf(run, nodes, seed);
  } finally {
    for (const name of names) process.off(name, end);
  }
}

export function resultOf({ arms, fileSize, memory, leftOut }: HtapRun, nodes: number, seed: number): CompareResult {
  const work = commonWork(arms);
  const queries = work[0]?.queries ?? 0;
  return {
    ...{ nodes, memory, seed },
    workload: `htap: ${queries} queries on fresh snapshots beside a writer of ${RATE} transactions a second, ${fileSize} bytes`,
    arms: arms.map((arm, index) => armResult(arm, work[index] as CommonWork)),
    checks: arms.flatMap(checksOf),
    notes: [
      ...leftOut,
      'Each arm ran for the same time; its figures are of the queries that all arms finished, the cold start included.',
      PERFECT_PARTITIONING,
      `SQLite's own cache of ${ENGINE_CACHE_KIB / 1_024} MiB a process is private memory in every arm, on top of the memory given.`,
      'The workload is derived from the CH-benCHmark, scaled down; its figures are not comparable to published ones.',
    ],
  };
}

function armResult(arm: ArmFigures, work: CommonWork): ArmResult {
  const { requests, storageReads } = work;
  const hits = Math.max(0, requests - storageReads);
  const rates = [`${arm.commitsPerSecond.toFixed(0)} commits/s`, `${Math.round(arm.queriesPerHour)} queries/h`];
  const commits = `a commit took ${arm.commitMs.p50.toFixed(1)} ms, 99 of 100 up to ${arm.commitMs.p99.toFixed(1)}`;
  const lag = `a snapshot was ${arm.lagLsn.p50} commits old at the end of its query`;
  const lost =
    arm.snapshotsLost === 0 ? '' : `; ${arm.snapshotsLost} times a query began anew, as its snapshot was gone`;
  return {
    ...{ name: arm.name as ArmResult['name'], requests, hits, storageReads },
    hitRatio: requests === 0 ? 0 : hits / requests,
    ...{ bytesPrivate: arm.bytesPrivate, bytesShared: arm.bytesShared },
    ...{ p50Us: arm.requestUs.p50, p99Us: arm.requestUs.p99, elapsedMs: work.elapsedMs },
    notes: [`${rates.join(', ')}; ${commits}; ${lag}${lost}.`, ...arm.notes],
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
