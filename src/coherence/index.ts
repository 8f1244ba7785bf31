/**
 * Sharing on memory that several hosts map and nobody keeps coherent (CXL 2.0): a protocol of its own, by ownership, and `connect`, which opens
 * pools of either kind. docs/COHERENCE.md has what is there and what is not.
 */
export { Arbiter } from './arbiter.js';
export { EmulatedLines } from './emulated.js';
export { connect, destroy, format } from './entry/open.js';
export { SoftwarePool } from './entry/pool.js';
export { CoherenceHost, type HostParts } from './host.js';
export { formatDevice, Joining, type JoinOptions, readPlan } from './joining.js';
export { ARBITER, HOSTS_MAX, KEY_BYTES_MAX, Plan, type PoolId, type Shape } from './layout.js';
export type { Lines } from './lines.js';
export type { Surroundings } from './look.js';
export { type LineMover, MappedLines } from './mapped.js';
