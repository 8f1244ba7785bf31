/** A node on a worker thread, which goes on until it is terminated. */
import { parentPort, workerData } from 'node:worker_threads';
import { live } from './life.js';
import type { LifePlan } from './plan.js';

await live(
  workerData as LifePlan,
  () => false,
  (row) => parentPort?.postMessage(row),
);
