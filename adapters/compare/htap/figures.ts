/**
 * The figures of an arm, made of what its processes reported.
 *
 * (F1) arms run for the same time, so they do not the same work. What compares two of them is the work that both did: of each
 *      reader the queries from its first on that it finished in both, which are the same in all arms (`equalWork`).
 */
import { Latency } from '../sqlite/latency.js';
import type { ArmPlan, HtapArm } from './arms.js';
import type { QueryRun, ReaderResult, WriterResult } from './messages.js';

/** A median and a 99th of 100. */
export interface Spread {
  readonly p50: number;
  readonly p99: number;
}

export interface Joiner {
  /** Its hit ratio after its first query over that of the others meanwhile. */
  readonly ratioAfterOneQuery: number;
  /** Milliseconds from its joining until it was at 95 % of theirs for good; undefined where it never was. */
  readonly warmMs: number | undefined;
}

export interface ArmFigures {
  readonly name: HtapArm;
  readonly notes: readonly string[];
  readonly readers: readonly ReaderResult[];
  readonly writer: WriterResult;
  /** Queries that were answered. */
  readonly queries: number;
  readonly queriesPerHour: number;
  readonly queryMs: Spread;
  readonly commitMs: Spread;
  readonly commitsPerSecond: number;
  /** Pages that the readers asked of their cache, and read from the storage. */
  readonly requests: number;
  readonly storageReads: number;
  readonly writerStorageReads: number;
  /** Milliseconds, the mean of a read of the storage. */
  readonly storageMs: number;
  /** Microseconds, of a page request. */
  readonly requestUs: Spread;
  readonly bytesPrivate: number;
  readonly bytesShared: number;
  /** Of those shared, what the past may have. */
  readonly bytesPast: number;
  /** How far snapshots were behind at the end of their query. */
  readonly lagLsn: Spread;
  readonly lagMs: Spread;
  /** Milliseconds from a commit to the refresh that found it. */
  readonly ageMs: Spread;
  readonly snapshotsLost: number;
  readonly joiner: Joiner | undefined;
  /** Conditions that did not hold, and of how many snapshots they were looked at. */
  readonly violations: readonly string[];
  readonly checked: number;
  /** Results that differ from an uncached engine's, and how many were compared. */
  readonly wrong: readonly string[];
  readonly compared: number;
  readonly elapsedMs: number;
}

/** By rank; 0 for nothing. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export function hitRatio(runs: readonly Pick<QueryRun, 'requests' | 'storageReads'>[]): number {
  const requests = sum(runs.map((run) => run.requests));
  return requests === 0 ? 0 : Math.max(0, 1 - sum(runs.map((run) => run.storageReads)) / requests);
}

const WARM = 0.95;

/** `joined`: milliseconds from the start of the run. The joiner is the last of the readers. */
export function joinerOf(readers: readonly Pick<ReaderResult, 'runs'>[], joined: number): Joiner | undefined {
  const own = readers.at(-1)?.runs ?? [];
  const others = readers.slice(0, -1).flatMap(({ runs }) => runs);
  const shareAfter = (index: number): number => {
    const { startMs, ms } = own[index] as QueryRun;
    const meanwhile = hitRatio(others.filter((run) => run.startMs >= startMs + ms));
    return meanwhile === 0 ? Number.NaN : hitRatio(own.slice(index + 1)) / meanwhile;
  };
  if (own.length < 2 || Number.isNaN(shareAfter(0))) return undefined;
  const warm = own.slice(0, -1).find((_, index) => shareAfter(index) >= WARM);
  return { ratioAfterOneQuery: shareAfter(0), warmMs: warm && warm.startMs + warm.ms - joined };
}

/** From the end of one snapshot to the next one's. */
function lags(readers: readonly ReaderResult[], of: (run: QueryRun) => number): number[] {
  return readers.flatMap(({ runs }) => runs.slice(1).map((run, index) => of(run) - of(runs[index] as QueryRun)));
}

export interface Ran {
  readonly writer: WriterResult;
  readonly readers: readonly ReaderResult[];
  readonly durationMs: number;
  readonly elapsedMs: number;
  /** Undefined: nobody came late. */
  readonly joinedMs: number | undefined;
}

export function figuresOf(plan: ArmPlan, { writer, readers, durationMs, elapsedMs, joinedMs }: Ran): ArmFigures {
  const { name, notes, bytesPrivate, bytesShared, bytesPast } = plan;
  const runs = readers.flatMap((reader) => reader.runs);
  const latency = new Latency();
  for (const reader of readers) latency.add(reader.latencyCounts);
  const storageReads = sum(readers.map((reader) => reader.storageReads));
  return {
    ...{ name, notes, readers, writer, bytesPrivate, bytesShared, bytesPast, elapsedMs, storageReads },
    queries: runs.length,
    queriesPerHour: (runs.length * 3_600_000) / durationMs,
    queryMs: spreadOf(runs.map(({ ms }) => ms)),
    commitMs: spreadOf(writer.commitMs),
    commitsPerSecond: (writer.commitMs.length * 1_000) / durationMs,
    requests: sum(readers.map(({ requests }) => requests)),
    writerStorageReads: writer.storageReads,
    storageMs: storageReads === 0 ? 0 : sum(readers.map((each) => each.storageMs * each.storageReads)) / storageReads,
    requestUs: { p50: latency.quantile(0.5) / 1_000, p99: latency.quantile(0.99) / 1_000 },
    lagLsn: spreadOf(lags(readers, ({ lsn }) => lsn)),
    lagMs: spreadOf(lags(readers, ({ startMs }) => startMs)),
    ageMs: spreadOf(runs.map(({ ageMs }) => ageMs)),
    snapshotsLost: sum(runs.map(({ snapshotsLost }) => snapshotsLost)),
    joiner: joinedMs === undefined ? undefined : joinerOf(readers, joinedMs),
    violations: readers.flatMap(({ violations }) => violations),
    checked: sum(readers.map(({ checked }) => checked)),
    ...{ wrong: [], compared: 0 },
  };
}

/** (F1) What one arm took for the work that all of some arms did. */
export interface CommonWork {
  readonly queries: number;
  readonly requests: number;
  readonly hits: number;
  readonly storageReads: number;
  /** Milliseconds of all readers, and of the one that took longest. */
  readonly ms: number;
  readonly elapsedMs: number;
}

/** In the order of the arms. */
export function commonWork(arms: readonly Pick<ArmFigures, 'readers'>[]): CommonWork[] {
  const counts = (arms[0]?.readers ?? []).map((_, reader) =>
    Math.min(...arms.map(({ readers }) => readers[reader]?.runs.length ?? 0)),
  );
  return arms.map(({ readers }) => {
    const parts = counts.map((count, reader) => readers[reader]?.runs.slice(0, count) ?? []);
    const runs = parts.flat();
    return {
      queries: runs.length,
      requests: sum(runs.map(({ requests }) => requests)),
      hits: sum(runs.map(({ hits }) => hits)),
      storageReads: sum(runs.map(({ storageReads }) => storageReads)),
      ms: sum(runs.map(({ ms }) => ms)),
      elapsedMs: Math.max(0, ...parts.map((part) => sum(part.map(({ ms }) => ms)))),
    };
  });
}

/** (F1) The work that both arms did, and what it took each of them: readers' milliseconds, and storage reads. */
export interface EqualWork {
  readonly queries: number;
  readonly ms: readonly [number, number];
  readonly storageReads: readonly [number, number];
}

export function equalWork(one: Pick<ArmFigures, 'readers'>, other: Pick<ArmFigures, 'readers'>): EqualWork {
  const [first, second] = commonWork([one, other]) as [CommonWork, CommonWork];
  return {
    queries: first.queries,
    ms: [first.ms, second.ms],
    storageReads: [first.storageReads, second.storageReads],
  };
}
