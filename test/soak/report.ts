/** What a soak did and met, and what it took. */
import { COUNTS, KINDS } from '../storm/board.js';
import { TIMES_HEAD, timesLine } from '../storm/histogram.js';
import { type Look, seriesOf } from './looks.js';
import { BOUNDS, growthOf, slopeOf } from './memory.js';
import { TALLIES } from './plan.js';
import type { Soak } from './soak.js';

const MIB = 1024 * 1024;

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1).padStart(7);
}

/** One line for the first look at or after each minute, and for the last. */
export function memoryTable(looks: readonly Look[]): string[] {
  const lines = [
    'minute   private MiB of each process that lives long (heap), descriptors, mappings | pool files MiB, used MiB, objects',
  ];
  let next = 1;
  for (const [i, { minute, processes, shared }] of looks.entries()) {
    if (minute < next && i < looks.length - 1) continue;
    next = Math.floor(minute) + 1;
    const each = processes
      .filter(({ survives }) => survives)
      .map((one) => {
        const { privateBytes, heapBytes, descriptors, mappings, poolMappings } = one;
        return `${mib(privateBytes)} (${mib(heapBytes).trim()}) ${descriptors} ${mappings}/${poolMappings}`;
      });
    const { sharedBytes, bytesUsed, objects } = shared;
    lines.push(
      `${minute.toFixed(2).padStart(6)} ${each.join(' ;')} |${mib(sharedBytes)} ${mib(bytesUsed)} ${String(objects).padStart(7)}`,
    );
  }
  return lines;
}

/** How each figure moved, with its bound. */
export function growthTable(looks: readonly Look[], fromMinute: number): string[] {
  return seriesOf(looks, fromMinute).map(({ name, figure, minutes, values }) => {
    const slope = slopeOf(minutes, values);
    const growth = growthOf(values) ?? 0;
    const bound = Number.isFinite(BOUNDS[figure]) ? `, of at most ${BOUNDS[figure]}` : '';
    return `${name.padEnd(26)} ${String(growth).padStart(10)}${bound} (${slope.toFixed(1)} a minute, last ${values.at(-1)})`;
  });
}

export function summaryOf(soak: Soak, fromMinute: number): string {
  const { board, disturbances, looks } = soak;
  const times = KINDS.map((kind) => ({ kind, times: board.times(kind) })).filter((one) => one.times.count > 0);
  const operations = times.map(({ kind, times }) => `${kind.padEnd(16)}${timesLine(times)}`);
  const cuts = ['overflow', 'vm timeout'] as const;
  const tallies = TALLIES.map((name, i) => [name, board.tallied(i)] as const);
  const isCut = (name: string) => (cuts as readonly string[]).includes(name);
  const words = (all: Iterable<readonly [string, number]>) => [...all].map(([name, n]) => `${name} ${n}`).join(', ');
  return [
    `milliseconds    ${TIMES_HEAD}`,
    ...operations,
    `also: ${words(tallies.filter(([name]) => !isCut(name)))}`,
    `disturbances: ${words([...disturbances, ...tallies.filter(([name]) => isCut(name))])}`,
    `counts: ${COUNTS.map((name) => `${name} ${board.total(name)}`).join(', ')}`,
    `answers checked byte by byte: ${board.total('pagesRead')}; ${looks.length} times all at rest and nothing left`,
    ...memoryTable(looks),
    `growth from minute ${fromMinute} on (first third of the looks against the last, by their medians):`,
    ...growthTable(looks, fromMinute),
  ].join('\n');
}
