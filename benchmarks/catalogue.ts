/** The benchmarks by name. */
import type { Benchmark } from './frame.js';

export const catalogue: Readonly<Record<string, () => Promise<{ readonly benchmark: Benchmark }>>> = {
  hit: () => import('./hit.js'),
  miss: () => import('./miss.js'),
  put: () => import('./put.js'),
  policy: () => import('./policy.js'),
  scale: () => import('./scale.js'),
  memory: () => import('./memory.js'),
  many: () => import('./many.js'),
  large: () => import('./large.js'),
  wake: () => import('./wake.js'),
  shuffle: () => import('./shuffle.js'),
  peers: () => import('./peers.js'),
  failover: () => import('./failover.js'),
  sharing: () => import('./sharing.js'),
  attach: () => import('./attach.js'),
  hosts: () => import('./hosts.js'),
  htap: () => import('./htap.js'),
  lines: () => import('./lines.js'),
  tier: () => import('./tier.js'),
};

export async function benchmarkOf(name: string): Promise<Benchmark | undefined> {
  const load = Object.hasOwn(catalogue, name) ? catalogue[name] : undefined;
  return load === undefined ? undefined : (await load()).benchmark;
}
