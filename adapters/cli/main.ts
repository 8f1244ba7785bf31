#!/usr/bin/env node
/** The executable: the command line over the pool and the workloads of this package. */
import { installedWorkloads } from '../compare/index.js';
import type { Api } from './api.js';
import { runProcess } from './process.js';

await runProcess({
  loadApi: async () => (await import('../../src/index.js')) as unknown as Api,
  workloads: installedWorkloads,
});
