/**
 * The one table of operating errors. `docs/ERRORS.md` is proved against it both ways by a test.
 */
export const errorTable = {
  POOL_NOT_FOUND: 'Create the pool first: sealpool format PATH --size SIZE, or pass the create option to connect.',
  POOL_EXISTS: 'Connect to the pool that is there, or pass force to format to discard it.',
  POOL_CORRUPT: 'Run sealpool verify PATH to see what is damaged. Reformat the pool when the damage is not repairable.',
  FORMAT_MISMATCH:
    "Of a pool of another layout use the version that made it, or another path. Where no node is attached, replace: 'mismatch' of connect, sealpool format --force or sealpool destroy take it away. For any other file give another path, or remove it yourself.",
  ACCESS_DENIED:
    'Only pools owned by the caller, by root or by a uid in trustUids, not world-writable and not reached through a symbolic link, are opened.',
  IN_USE: 'Disconnect the live nodes first; sealpool nodes PATH lists them.',
  NO_SPACE:
    'The file system cannot hold the pool. Free space, enlarge it (containers: --shm-size), or choose a smaller size.',
  SYSTEM_LIMIT: 'Raise the limit named in the message, or use less of what it bounds.',
  POOL_FULL: 'Nothing evictable is left to make room. Release pages, delete retained objects, or format a larger pool.',
  OBJECT_TOO_LARGE: 'The object cannot fit this pool even when it is empty. Split it, or format a larger pool.',
  KEY_EXISTS: 'A live object or a draft has this key. Delete it first, or use SharedCache.set to supersede it.',
  KEY_INVALID: 'A key is a string or Uint8Array of 1 to 65,535 bytes; strings are taken as UTF-8.',
  ALREADY_SEALED: 'A draft is sealed once. Create a new object for new content.',
  NOT_FILLED: 'Await what fill gave before seal; abort gives the draft up at any time.',
  NOT_OWNER: "The draft is no longer this node's: it was aborted, or undone after the node was taken for dead.",
  RELEASED: 'The page was released. Call get again for a new pin.',
  TOO_MANY_PINS: 'Release pages that are no longer needed, or use borrow or read, which pin nothing.',
  TOO_MANY_NODES: 'All node rows are taken by live nodes. Disconnect some, or format the pool with a larger maxNodes.',
  TOO_MANY_CHECKPOINTS:
    'The checkpoint directory is full. Forget names that are no longer needed, or use a larger pool.',
  PART_NOT_FOUND: 'Checkpoint.parts() lists what the checkpoint has.',
  TOO_MANY_SPACES:
    'The space table is full. Drop what is not used any more (sealpool spaces lists it, rm --all and pool.removeSpace drop it): its names are free again. A larger pool has room for more.',
  DISCONNECTED: 'This pool handle was disconnected. Call connect again.',
  NODE_FENCED:
    'Other nodes took this node for dead: connect again. Or one took over the checkpoint it was writing: restore that first.',
  READ_ONLY: 'This node was connected with readOnly. Connect without it to write.',
  TIMEOUT: 'The time limit passed. Retry, or raise timeoutMs.',
  SHORT_LOAD: 'Fill all of the page, or pass zeroFill where what the loader leaves is to be zeros.',
  LOAD_TIMEOUT:
    'End loads sooner, with the signal a loader is given, or raise loadTimeoutMs. Others may load the key by now.',
  LOAD_CYCLE: 'A loader may not need the key that it loads: break the circle, or read the source instead.',
  KEY_NOT_FOUND: 'Use fetch, which answers with a page whose freshness is negative, or catch this.',
  TIER_UNREACHABLE:
    'Call again: until it resolves other hosts may answer from before. tiered.stats() says how the tier is.',
  ABORTED: 'The operation was aborted by its signal.',
  BUSY: 'Retry later. If the message names a lock, its node is alive but does not run: resume or end that process.',
  SNAPSHOT_LOST: 'Refresh the reader and ask again. A larger pool keeps versions longer.',
  DATABASE_CHANGED: 'Close the reader or writer and open the database anew.',
  OPTION_INVALID: 'Correct the option named in the message.',
  UNSUPPORTED: 'sealpool needs Linux on x64 or arm64, and the feature named in the message.',
} as const;

export type PoolErrorCode = keyof typeof errorTable;

/** An operating error: a stable code, what happened to what, and what to do about it. */
export class PoolError extends Error {
  override readonly name = 'PoolError';
  readonly code: PoolErrorCode;
  declare readonly details?: object;

  constructor(code: PoolErrorCode, message: string, details?: object, cause?: unknown) {
    super(`${code}: ${message} ${errorTable[code]}`, cause === undefined ? undefined : { cause });
    this.code = code;
    if (details !== undefined) this.details = details;
  }
}
