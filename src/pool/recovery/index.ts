/**
 * What a death or a restart left: repair, restore, upkeep.
 * Entered by the handles at the top only.
 * Invariants: heads of repair.ts and restore.ts.
 */
export { rehearse } from './rehearsal.js';
export { Repair } from './repair.js';
export { isWhole, markWhole, Restore } from './restore.js';
export { Upkeep } from './upkeep.js';
