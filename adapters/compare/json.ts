/**
 * The result as JSON: the shape that `sealpool compare --json` promises, for scripts to read.
 *
 * (J1) one run is one object; several are `{ "runs": [ … ] }`. (J2) fields are only ever added.
 */
import type { ArmResult, CompareResult } from './types.js';

function armJson(arm: ArmResult): object {
  return {
    name: arm.name,
    requests: arm.requests,
    hits: arm.hits,
    hitRatio: arm.hitRatio,
    storageReads: arm.storageReads,
    bytesPrivate: arm.bytesPrivate,
    bytesShared: arm.bytesShared,
    ...(arm.objects === undefined ? {} : { objects: arm.objects }),
    ...(arm.atSharedBytes === undefined ? {} : { atSharedBytes: arm.atSharedBytes }),
    p50Us: arm.p50Us,
    p99Us: arm.p99Us,
    elapsedMs: arm.elapsedMs,
    notes: arm.notes,
  };
}

function runJson(result: CompareResult): object {
  return {
    nodes: result.nodes,
    memory: result.memory,
    ...(result.equalIn === undefined ? {} : { equalIn: result.equalIn }),
    workload: result.workload,
    ...(result.done === undefined ? {} : { done: result.done }),
    ...(result.shares === undefined ? {} : { shares: result.shares }),
    seed: result.seed,
    ...(result.format === undefined ? {} : { format: result.format }),
    ...(result.recognised === undefined ? {} : { recognised: result.recognised }),
    ...(result.accesses === undefined ? {} : { accesses: result.accesses }),
    ...(result.pages === undefined ? {} : { pages: result.pages }),
    ...(result.workingSet === undefined ? {} : { workingSet: result.workingSet }),
    arms: result.arms.map(armJson),
    ...(result.beside === undefined ? {} : { beside: result.beside }),
    checks: result.checks,
    notes: result.notes,
    ...(result.series === undefined ? {} : { series: result.series }),
  };
}

/** Indented, with a newline at the end. */
export function renderJson(results: readonly CompareResult[]): string {
  const [only] = results;
  const value = results.length === 1 && only !== undefined ? runJson(only) : { runs: results.map(runJson) };
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
