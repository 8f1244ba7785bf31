/** What the report draws of the sqlite workload besides its figures: per arm, over the nodes. */
import { type ArmName, type CompareResult, isOsCache } from '../types.js';
import { Latency } from './latency.js';
import type { NodeResult } from './messages.js';
import type { Query } from './queries.js';

type Series = NonNullable<CompareResult['series']>[number];
type ByArm = ReadonlyMap<ArmName, readonly NodeResult[]>;

/** Percent of the page requests. */
const SHARES = [1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.5, 99.9, 99.99];

function ofArms(byArm: ByArm, of: (nodes: readonly NodeResult[]) => readonly number[]): Series['values'] {
  return Object.fromEntries([...byArm].map(([arm, nodes]) => [arm, of(nodes)]));
}

export function queryTimes(byArm: ByArm, queries: readonly Query[], rounds: number): Series {
  const means = (nodes: readonly NodeResult[]) =>
    queries.map((_, index) => nodes.reduce((sum, { queryMs }) => sum + queryMs[index]!, 0) / (rounds * nodes.length));
  const labels = queries.map(({ number }) => `q${number}`);
  return { title: 'Mean time of a query', unit: 'ms', labels, values: ofArms(byArm, means) };
}

export function latencyDistribution(byArm: ByArm): Series {
  const quantiles = (nodes: readonly NodeResult[]) => {
    const latency = new Latency();
    for (const { latencyCounts } of nodes) latency.add(latencyCounts);
    return SHARES.map((share) => latency.quantile(share / 100) / 1_000);
  };
  const title = 'Latency distribution: so many of 100 page requests took at most';
  return { title, unit: 'µs', labels: SHARES.map(String), values: ofArms(byArm, quantiles) };
}

/**
 * Hit ratios since the node's start, after each of its queries: of the nodes that were there from the start, and of the last, which
 * came late. Not of the OS page cache, which tells of no hits.
 */
export function warming(byArm: ByArm): Series[] {
  const caches = new Map([...byArm].filter(([arm]) => !isOsCache(arm)));
  const count = Math.min(...[...caches.values()].flat().map(({ warming: points }) => points.length));
  if (!Number.isFinite(count)) return [];
  const ratios = (nodes: readonly NodeResult[]) =>
    Array.from({ length: count }, (_, index) => {
      const sum = (of: 'hits' | 'requests') => nodes.reduce((total, node) => total + node.warming[index]![of], 0);
      return (100 * sum('hits')) / Math.max(1, sum('requests'));
    });
  const labels = Array.from({ length: count }, (_, index) => String(index + 1));
  return [
    {
      title: 'Hit ratio over time, of the nodes that were there from the start, after so many queries',
      unit: '%',
      labels,
      values: ofArms(caches, (nodes) => ratios(nodes.slice(0, -1))),
    },
    {
      title: 'Hit ratio over time, of the node that came late, after so many queries of its own',
      unit: '%',
      labels,
      values: ofArms(caches, (nodes) => ratios(nodes.slice(-1))),
    },
  ];
}
