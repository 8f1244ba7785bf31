/** Comparing local caches with the shared pool: the workloads, and the result as table, JSON and HTML report. */
export { loadEcharts } from './charts.js';
export { openingOf } from './essence.js';
export { bytesText, countText, visible } from './figures.js';
export { renderJson } from './json.js';
export { installLine } from './peers.js';
export { renderPicture } from './picture.js';
export { createProgress, type ProgressDisplay } from './progress.js';
export { renderReport } from './report.js';
export { failedChecks } from './summary.js';
export { alignRows, renderTable, wrap } from './table.js';
export { type TraceSource, traceSource } from './trace-source.js';
export type * from './types.js';
export {
  installedWorkloads,
  type Memory,
  type Policy,
  policies,
  WorkloadMissing,
  type WorkloadOptions,
  type Workloads,
} from './workloads.js';
