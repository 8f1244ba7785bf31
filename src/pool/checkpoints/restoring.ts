/**
 * Reading checkpoints, without a lock: from a name to the directory's entry, to the manifest, to the parts.
 *
 * A commit retires the parts of the checkpoint before it once `current` has moved. So a reader who does not find what
 * the entry led to looks at the entry again; when it has every part pinned, it has one checkpoint, whole.
 */
import { PoolError } from '../../../lib/errors.js';
import { type Shown, showAs, UNCLONEABLE } from '../../../lib/shown.js';
import {
  CHECKPOINT_NAME_BYTES_MAX,
  type Checkpoint,
  type CheckpointInfo,
  PART_NAME_BYTES_MAX,
  type Page,
} from '../layout/index.js';
import type { CheckpointDirectory, ObjectId } from '../objects/index.js';
import { decodeManifest, type Manifest } from './manifest.js';

/** Tries for as long as commits overtake the reader; for a checkpoint that stays what it is, fewer. */
const TRIES_MAX = 10_000;
const SAME_TRIES_MAX = 8;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function encodeName(name: string, bytesMax: number, what: string): Uint8Array {
  const refuse = (why: string) => new PoolError('KEY_INVALID', `The name of a ${what} ${why}.`);
  if (typeof name !== 'string') throw refuse('is no string');
  if (name.length === 0) throw refuse('is empty');
  if (!name.isWellFormed()) throw refuse('holds half of a surrogate pair');
  const bytes = encoder.encode(name);
  if (bytes.length > bytesMax) throw refuse(`has ${bytes.length} bytes; at most ${bytesMax} are taken`);
  return bytes;
}

/** Throws KEY_INVALID. */
export function encodeCheckpointName(name: string): Uint8Array {
  return encodeName(name, CHECKPOINT_NAME_BYTES_MAX, 'checkpoint');
}

/** Throws KEY_INVALID. */
export function checkPartName(name: string): void {
  encodeName(name, PART_NAME_BYTES_MAX, 'part');
}

/** An object that stays until its page is released. */
export interface Held {
  readonly page: Page;
  /** The same, to be released on its own. */
  again(): Page;
}

/** How a node gets at objects: a node of the pool pins, a read-only one copies. */
export interface ObjectSource {
  readonly path: string;
  readonly directory: CheckpointDirectory;
  hold(id: ObjectId, name: string): Held | undefined;
  /**
   * The word of the lock over the shard in which the object would lie; undefined while somebody holds it, or has left what it
   * guards half-done. As long as it is the same, nobody was at work there (L5).
   */
  restingWord(id: ObjectId): number | undefined;
}

/** The manifest of the id, undefined when it is not there. Throws POOL_CORRUPT. */
export function readManifest(source: ObjectSource, id: ObjectId): Manifest | undefined {
  const held = source.hold(id, 'manifest');
  if (held === undefined) return undefined;
  const manifest = decodeManifest(held.page.bytes);
  held.page.release();
  if (manifest !== undefined && manifest.entry === id.entry) return manifest;
  throw new PoolError('POOL_CORRUPT', `${source.path}: the manifest of a checkpoint is damaged.`);
}

export class RestoredCheckpoint implements Checkpoint, Shown {
  readonly uncloneable = UNCLONEABLE;
  readonly name: string;
  readonly sequence: number;
  readonly committedAt: Date;
  readonly metadata: Uint8Array;
  private readonly held: ReadonlyMap<string, Held>;
  private released = false;

  constructor(name: string, manifest: Manifest, held: ReadonlyMap<string, Held>) {
    this.name = name;
    this.sequence = manifest.sequence;
    this.committedAt = new Date(manifest.committedAt);
    this.metadata = manifest.metadata;
    this.held = held;
  }

  parts(): string[] {
    return [...this.held.keys()];
  }

  get(part: string): Page {
    const what = `The checkpoint ${JSON.stringify(this.name)}`;
    if (this.released) throw new PoolError('RELEASED', `${what} was released.`);
    const held = this.held.get(part);
    if (held === undefined) throw new PoolError('PART_NOT_FOUND', `${what} has no part ${JSON.stringify(part)}.`);
    return held.again();
  }

  release(): void {
    this.released = true;
    // Each time: a release that is cut may be asked for again.
    for (const { page } of this.held.values()) page.release();
  }

  toJSON(): object {
    const { name, sequence, committedAt, released } = this;
    return { name, sequence, committedAt, parts: this.held.size, released };
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

showAs(RestoredCheckpoint, 'Checkpoint');

/** Every part of the manifest, or the id of the first that is not there. */
function holdParts(source: ObjectSource, manifest: Manifest): Map<string, Held> | ObjectId {
  const held = new Map<string, Held>();
  const letGo = () => {
    for (const { page } of held.values()) page.release();
  };
  try {
    for (const [name, { id, size }] of manifest.parts) {
      const part = source.hold(id, name);
      if (part !== undefined) held.set(name, part);
      if (part === undefined || part.page.size !== size) {
        letGo();
        return id;
      }
    }
  } catch (error) {
    letGo();
    throw error;
  }
  return held;
}

/** The checkpoint of that manifest, or the id of what of it is not to be found. Throws POOL_CORRUPT. */
function lookFor(
  source: ObjectSource,
  name: string,
  id: ObjectId,
  sequence: number,
): RestoredCheckpoint | { missing: ObjectId } {
  const manifest = readManifest(source, id);
  if (manifest?.sequence !== sequence) return { missing: id };
  const held = holdParts(source, manifest);
  return held instanceof Map ? new RestoredCheckpoint(name, manifest, held) : { missing: held };
}

/** Throws KEY_INVALID, POOL_CORRUPT, TOO_MANY_PINS; BUSY when what is missing is behind a stopped node. */
export function restoreFrom(source: ObjectSource, name: string): RestoredCheckpoint | undefined {
  const bytes = encodeCheckpointName(name);
  let last = -1;
  let same = 0;
  let rested: { readonly missing: string; readonly word: number } | undefined;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const found = source.directory.read(bytes);
    if (found === undefined) return undefined;
    // ORDER commit-2: the entry, then what it leads to, and the entry again where that is gone; pairs with discard.
    const { manifest: id, sequence } = found.committed;
    const looked = lookFor(source, name, id, sequence);
    if (looked instanceof RestoredCheckpoint) return looked;
    same = sequence === last ? same + 1 : 0;
    last = sequence;
    if (same < SAME_TRIES_MAX) continue;
    const what = `${source.path}: an object of the checkpoint ${JSON.stringify(name)} is not to be found`;
    const word = source.restingWord(looked.missing);
    if (word === undefined) throw new PoolError('BUSY', `${what} while its shard is being written.`);
    // A writer may have ended after the look. It is lost once it was looked for and nobody was at work from before to after.
    const missing = JSON.stringify(looked.missing);
    if (rested?.missing === missing && rested.word === word) throw new PoolError('POOL_CORRUPT', `${what}.`);
    rested = { missing, word };
  }
  throw new PoolError('BUSY', `Commits of ${JSON.stringify(name)} overtook its reader ${TRIES_MAX} times.`);
}

/** Names that lead to a checkpoint; one that is overtaken or forgotten while it is looked at may be left out. */
export function listCheckpoints(source: ObjectSource): CheckpointInfo[] {
  const { directory } = source;
  const found: CheckpointInfo[] = [];
  for (const entry of directory.committedEntries()) {
    const info = infoOf(source, entry);
    if (info !== undefined) found.push(info);
  }
  return found;
}

function infoOf(source: ObjectSource, entry: number): CheckpointInfo | undefined {
  const { directory } = source;
  for (let tries = 0; tries < SAME_TRIES_MAX; tries++) {
    const name = directory.nameOf(entry);
    const committed = directory.committedOf(entry);
    if (name === undefined || committed === undefined || !directory.isUsed(entry)) return undefined;
    if (committed === 'damaged') continue;
    const manifest = readManifest(source, committed.manifest);
    if (manifest === undefined) continue;
    return describeCommit(decoder.decode(name), manifest, directory.ownerOf(entry));
  }
  return undefined;
}

export function describeCommit(name: string, manifest: Manifest, owner: number): CheckpointInfo {
  const { sequence, parts, bytes } = manifest;
  return { name, sequence, committedAt: new Date(manifest.committedAt), parts: parts.size, bytes, owner };
}
