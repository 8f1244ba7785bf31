#!/usr/bin/env node
/** The executable: the command line over the pool and the workloads of this package. */
import { installedWorkloads } from '../compare/index.js';
import { runProcess } from './process.js';

await runProcess({
  loadApi: () => import('../../src/index.js'),
  workloads: installedWorkloads,
});
