/** The looks of a soak at what its processes and its pool take, and the verdict on them. */
import { BOUNDS, type Figure, growthOf, type ProcessMemory } from './memory.js';
import type { Figures } from './plan.js';

/** Before so many looks nothing is said of growth while the soak goes on. */
const LOOKS_MIN = 5;

export interface Look {
  readonly minute: number;
  readonly processes: readonly (Figures & ProcessMemory & { readonly seat: number; readonly survives: boolean })[];
  readonly shared: {
    /** What the files take. */
    readonly sharedBytes: number;
    readonly files: number;
    readonly bells: number;
    readonly bytesUsed: number;
    readonly objects: number;
    /** Rows of nodes beyond those of living processes. */
    readonly rows: number;
  };
}

interface Series {
  readonly name: string;
  readonly figure: Figure;
  readonly minutes: number[];
  readonly values: number[];
}

/** Of each survivor and of the pool, by figure, from the minute on. */
export function seriesOf(looks: readonly Look[], fromMinute: number): Series[] {
  const all = new Map<string, Series>();
  const add = (who: string, minute: number, figures: Readonly<Record<string, unknown>>) => {
    for (const figure of Object.keys(BOUNDS) as Figure[]) {
      const value = figures[figure];
      if (typeof value !== 'number') continue;
      const name = `${figure} of ${who}`;
      const series = all.get(name) ?? { name, figure, minutes: [], values: [] };
      series.minutes.push(minute);
      series.values.push(value);
      all.set(name, series);
    }
  };
  for (const { minute, processes, shared } of looks) {
    if (minute < fromMinute) continue;
    for (const one of processes) if (one.survives) add(`seat ${one.seat}`, minute, { ...one });
    add('the pool', minute, shared);
  }
  return [...all.values()];
}

/** Throws a line for each figure that grew beyond its bound, of those that were looked at so often. */
export function refuseGrowth(looks: readonly Look[], fromMinute: number, least = LOOKS_MIN): void {
  const lines = seriesOf(looks, fromMinute).flatMap(({ name, figure, minutes, values }) => {
    const growth = growthOf(values);
    if (growth === undefined || values.length < least || growth <= BOUNDS[figure]) return [];
    const [first, last] = [minutes[0] as number, minutes.at(-1) as number];
    const times = `${first.toFixed(1)} to ${last.toFixed(1)}`;
    return [`${name} grew by ${growth} from minute ${times}, of at most ${BOUNDS[figure]}: ${values.join(' ')}`];
  });
  if (lines.length > 0) throw new Error(`not flat: ${lines.join('; ')}`);
}
