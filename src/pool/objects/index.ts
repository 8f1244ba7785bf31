/**
 * One object's metadata, and how a key finds it: slots, buckets, shard heads, spaces, stripes, the checkpoint directory.
 * Entered by events and all above, writers under the shard's lock.
 * Invariants: slots.ts, table.ts (T), shards.ts, spaces.ts, tags.ts (J), versionbounds.ts.
 */

export { CheckpointDirectory, fenced, type ObjectId, type Tenure } from './checkpointdirectory.js';
export { Clearings } from './clearing.js';
export { Probe } from './probe.js';
export { makePolicies } from './shardpolicy.js';
export { Shards } from './shards.js';
export { SlotImage } from './slotimage.js';
export { type DraftFields, extentBytes, flagsOf, NO_FIELDS, Slots } from './slots.js';
export { hasKey } from './slotstates.js';
export { type Held, type NamedSpace, Spaces } from './spaces.js';
export { Stripes } from './stripes.js';
export { Table } from './table.js';
export { hashTags, marksOf, type SoughtTags, type TagMarks, type TagState, Tags } from './tags.js';
export { TOLD_HEAD_BYTES, toldKey, toldLength } from './toldkeys.js';
export { VersionBounds, type VersionOwner } from './versionbounds.js';
