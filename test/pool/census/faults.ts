/** One fault for each thing a census can find, made by hand in a sound pool. */
import { checkpointFaults } from './checkpointfaults.js';
import type { Fault } from './place.js';
import { shardFaults } from './shardfaults.js';
import { tableFaults } from './tablefaults.js';

export { type Fault, Place } from './place.js';
export const faults: readonly Fault[] = [...shardFaults, ...tableFaults, ...checkpointFaults];
