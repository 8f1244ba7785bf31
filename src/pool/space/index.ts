/**
 * Room for bytes: chunks, extents within them, and who claims what. Under the shard's lock, the chunk lock a leaf.
 * Entered by objects, access, recovery and census.
 * Invariants: heads of chunks.ts, extents.ts and extentclaims.ts.
 */
export { Chunks } from './chunks.js';
export { ExtentClaims } from './extentclaims.js';
export { Extents } from './extents.js';
