/**
 * `sealpool/adapters/sqlite`: a live database of `@sqlite.org/sqlite-wasm` (an optional peer, 3.54.1-build1) over one pool, with
 * one writer and any number of readers in other processes. Nothing of the engine is imported here; the caller passes its
 * initialised module. docs/ENGINES.md has the idea; `publication.ts` the writer's steps, `snapshot.ts` the reader's proofs.
 */
export type { ReaderInfo } from './presence.js';
export * from './reader.js';
export { SNAPSHOT_SHARE, SNAPSHOT_SHARE_MAX } from './retention.js';
export { type OpenOptions, openWriter, type Writer, type WriterOptions } from './writer.js';
