/**
 * The htap workload: one writer at a fixed rate beside readers that loop over the 22 analytic queries on fresh snapshots, live, over
 * `sealpool/adapters/sqlite`, once per arm over the same total bytes.
 *
 *     const { arms } = await runHtap({
 *       arms: ['private-versioned', 'shared'], readers: 4, rate: 50, memory: '50%', source: 'server',
 *       durationMs: 60_000, seed: 1, progress: () => {},
 *     });
 *     const { storageReads, ms } = equalWork(arms[1], arms[0]); // of the queries that both finished: [shared, private]
 *
 * `messages.ts` has what a process reports of each query, `figures.ts` what an arm comes to, `arms.ts` who has which memory.
 */

export { type HtapArm, htapArms, type MissSource } from './arms.js';
export { type CompareHtapOptions, compareHtap, DEFAULT_MEMORY } from './compare.js';
export { type HtapOptions, type HtapRun, runHtap } from './driver.js';
export { type ArmFigures, type EqualWork, equalWork, hitRatio, type Spread } from './figures.js';
