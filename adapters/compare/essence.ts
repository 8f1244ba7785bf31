/**
 * What a reader of a comparison takes home: what is going to be shown, in three sentences; the three figures that matter at the end,
 * and what they do not mean. Terminal, report and README share them.
 *
 * (E1) the figures are the shared pool against the best private arm, and are worded as plainly where it loses.
 */
import { bytesText, countText, microsecondsText, secondsText, timesOf } from './figures.js';
import { armNamed, bestPrivate } from './summary.js';
import type { CompareResult } from './types.js';

/** Three sentences, before the workload runs. `memory`: as given; absent: the workload's own. */
export function openingOf(nodes: number, memory?: number | string, workload: 'sqlite' | 'htap' = 'sqlite'): string[] {
  const amount = memory === undefined ? 'the same memory in all' : `the same ${sizeText(memory)} of memory in all`;
  const who = `${nodes === 1 ? 'One process runs' : `${nodes} processes run`} the 22 analytic queries of CH-benCHmark over one SQLite database`;
  const last =
    "last, for comparison, with no cache but the operating system's, with as little of it where that can be limited, and unlimited";
  const ways = `with a private cache in each, and with one pool that all share, on ${amount}; ${last}`;
  if (workload === 'sqlite') {
    return [
      `${who}.`,
      `The same work is done ${ways}.`,
      'You will see how often each way had to go to storage, how long that took, and whether every answer was right.',
    ];
  }
  return [
    `${who}, which another process changes all the while.`,
    `They do so for a while ${ways}.`,
    'You will see how often each way had to go to storage for the same queries, how long that took, how the writer fared, and whether the answers were right.',
  ];
}

function sizeText(memory: number | string): string {
  return typeof memory === 'number' ? bytesText(memory) : memory;
}

export interface Essential {
  readonly name: string;
  /** The shared pool over the private arm. */
  readonly text: string;
  /** Both values. */
  readonly values: string;
}

export const essentialNames = ['storage reads', 'time', 'slow reads'] as const;

/** Undefined without a shared and a private arm. */
export function essentialsOf(result: CompareResult): Essential[] | undefined {
  const [shared, rival] = [armNamed(result, 'shared'), bestPrivate(result)];
  if (shared === undefined || rival === undefined) return undefined;
  const [reads, time, slow] = essentialNames;
  return [
    {
      name: reads,
      text: times(rival.storageReads, shared.storageReads, 'fewer', 'more'),
      values: `${countText(shared.storageReads)} against ${countText(rival.storageReads)}`,
    },
    {
      name: time,
      text: times(rival.elapsedMs, shared.elapsedMs, 'less', 'more'),
      values: `${secondsText(shared.elapsedMs)} s against ${secondsText(rival.elapsedMs)} s`,
    },
    {
      name: slow,
      text: times(rival.p99Us, shared.p99Us, 'less', 'more'),
      values: `99 of 100 page requests within ${microsecondsText(shared.p99Us)} µs against ${microsecondsText(rival.p99Us)} µs`,
    },
  ];
}

/** (E1) */
function times(rival: number, shared: number, better: string, worse: string): string {
  const gain = timesOf(rival, shared);
  const loss = timesOf(shared, rival);
  if (gain !== undefined && gain >= 1.005) return `${gain.toFixed(2)} times ${better}`;
  if (loss !== undefined && loss >= 1.005) return `${loss.toFixed(2)} times ${worse}`;
  return rival === shared || (gain !== undefined && loss !== undefined) ? 'the same' : 'no ratio: one of them is 0';
}

/** Sentences. */
export function whatTheyDoNotMean(result: CompareResult): string[] {
  return [
    `Not that every load gains as much: here all ${result.nodes} nodes want the same pages, which private caches hold ${result.nodes} times.`,
    ...againstSystem(result),
    ...(result.format === undefined
      ? [
          'Not what a miss costs elsewhere: here it is a read of a local device; the slower the storage, the more its reads decide the time.',
        ]
      : ['Not how long your storage takes: what a miss costs here is said in the notes above.']),
    'Not several machines: the nodes are processes of this one.',
  ];
}

function againstSystem(result: CompareResult): string[] {
  const [system, limited] = [armNamed(result, 'os-cache'), armNamed(result, 'os-cache-limited')];
  if (system === undefined) return [];
  const took = `it took ${secondsText(system.elapsedMs)} s here`;
  const less =
    limited === undefined
      ? ''
      : `, and ${secondsText(limited.elapsedMs)} s with no more bytes than the other arms have`;
  return [
    `Not that the pool beats the operating system's cache where that may hold all of a local file: ${took}${less}.`,
  ];
}
