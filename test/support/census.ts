/** What tests ask of a pool after whatever they did to it. */
import { expect } from 'chai';
import { inspect, type PoolReport } from '../../src/index.js';

/** Fails unless a census finds nothing at all, repairable or not. */
export async function expectCleanCensus(path: string): Promise<PoolReport> {
  const report = await inspect(path);
  const lines = report.problems.map(({ code, where, message }) => `${code} at ${where}: ${message}`);
  expect(lines, `the census of ${path}`).to.deep.equal([]);
  expect(report.ok).to.equal(true);
  return report;
}

/** Fails when a census finds what no crash can leave. */
export async function expectSoundCensus(path: string): Promise<PoolReport> {
  const report = await inspect(path);
  const lines = report.problems
    .filter((problem) => !problem.repairable)
    .map(({ code, where, message }) => `${code} at ${where}: ${message}`);
  expect(lines, `the census of ${path}`).to.deep.equal([]);
  return report;
}
