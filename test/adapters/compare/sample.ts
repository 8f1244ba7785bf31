/** A result with all arms, as a trace run gives it; tests change the field they speak of. */
import type { ArmName, ArmResult, CompareResult } from '../../../adapters/compare/types.js';

export function sampleArm(name: ArmName, hits: number, change: Partial<ArmResult> = {}): ArmResult {
  const requests = 1_000_000;
  return {
    name,
    requests,
    hits,
    hitRatio: hits / requests,
    storageReads: requests - hits,
    bytesPrivate: name === 'shared' ? 1_234_567 : 64 * 1024 * 1024,
    bytesShared: name === 'shared' ? 64 * 1024 * 1024 : 0,
    p50Us: 0.42,
    p99Us: 118.5,
    elapsedMs: 3210,
    notes: [],
    ...change,
  };
}

export function sampleResult(change: Partial<CompareResult> = {}): CompareResult {
  return {
    nodes: 4,
    memory: 64 * 1024 * 1024,
    workload: 'arc-oltp.u32.br',
    seed: 1,
    arms: [
      sampleArm('private-lru', 512_345, { p50Us: 0.31, p99Us: 131 }),
      sampleArm('private-s3-fifo', 561_204, { p50Us: 0.35, p99Us: 127 }),
      sampleArm('shared', 812_003, { p50Us: 0.88, p99Us: 1204, notes: ['near hits are counted as hits.'] }),
    ],
    checks: [{ text: 'Every page read carried the contents that its number calls for, in every arm.', ok: true }],
    notes: ['Latencies include the time to make the contents of a missed page.'],
    ...change,
  };
}
