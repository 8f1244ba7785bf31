/** The executable over the fake workloads and a pool of a hundred thousand objects. */
import { runProcess } from '../../../adapters/cli/process.js';
import { FakePool, fakeWorkloads } from './world.js';

const pool = new FakePool();
for (let index = 0; index < 100_000; index++) pool.objects.set(`key-${index}`, new Uint8Array(1));

await runProcess({ loadApi: async () => pool, workloads: fakeWorkloads });
