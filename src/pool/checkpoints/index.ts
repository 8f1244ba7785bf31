/**
 * Named states: all or nothing, whoever dies.
 * Entered by recovery (upkeep) and the handles at the top.
 * Invariants: heads of checkpoints.ts, checkpointwriter.ts and manifest.ts.
 */
export { Checkpoints } from './checkpoints.js';
export { bytesOfId, decodeManifest, ID_BYTES, idOfBytes, type Manifest, nameOfId } from './manifest.js';
export { type Held, listCheckpoints, type ObjectSource, restoreFrom } from './restoring.js';
