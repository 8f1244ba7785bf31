/** What a process takes, by the kernel's own books; and whether a row of such figures stays where it was. */
import { readdirSync, readFileSync, statSync } from 'node:fs';

export interface ProcessMemory {
  /** Private to the process, not backed by a file. */
  readonly privateBytes: number;
  readonly descriptors: number;
  readonly mappings: number;
  /** Those of files in the soak's folder, whether they are still there or not. */
  readonly poolMappings: number;
}

export function memoryOf(pid: number, folder: string): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  return {
    privateBytes: Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    mappings: maps.length - 1,
    poolMappings: maps.filter((line) => line.includes(folder)).length,
  };
}

/** Bytes that the files of the folder take, how many there are, and how many FIFOs: the bells of those who sleep. */
export function folderUse(folder: string): { sharedBytes: number; files: number; bells: number } {
  const all = readdirSync(folder).flatMap((name) => statSync(`${folder}/${name}`, { throwIfNoEntry: false }) ?? []);
  const bells = all.filter((one) => one.isFIFO()).length;
  return { sharedBytes: all.reduce((sum, { blocks }) => sum + blocks * 512, 0), files: all.length - bells, bells };
}

const MIB = 1024 * 1024;

/**
 * How much each may grow between the first third of the looks after the first minute and the last third, by their medians,
 * however long the soak. The engine's own garbage and code, and what the C library keeps, are within it: measured.
 */
export const BOUNDS = {
  privateBytes: 32 * MIB,
  heapBytes: 4 * MIB,
  externalBytes: 2 * MIB,
  nearEntries: Number.POSITIVE_INFINITY,
  resources: 3,
  descriptors: 3,
  mappings: 250,
  poolMappings: 6,
  /** A node that is killed leaves the pool of its own behind, half a mebibyte, until the next one of its seat. */
  sharedBytes: 2 * MIB,
  files: 4,
  bells: 8,
  bytesUsed: Number.POSITIVE_INFINITY,
  objects: Number.POSITIVE_INFINITY,
  rows: 0,
} as const;
export type Figure = keyof typeof BOUNDS;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

/** Least squares: per minute. */
export function slopeOf(times: readonly number[], values: readonly number[]): number {
  const mean = (of: readonly number[]) => of.reduce((sum, one) => sum + one, 0) / of.length;
  const [meanTime, meanValue] = [mean(times), mean(values)];
  let [over, under] = [0, 0];
  for (const [i, time] of times.entries()) {
    over += (time - meanTime) * ((values[i] as number) - meanValue);
    under += (time - meanTime) ** 2;
  }
  return under === 0 ? 0 : over / under;
}

/** How much the values grew from their first third to their last; undefined for too few of them. */
export function growthOf(values: readonly number[]): number | undefined {
  if (values.length < 3) return undefined;
  const third = Math.ceil(values.length / 3);
  return median(values.slice(-third)) - median(values.slice(0, third));
}
