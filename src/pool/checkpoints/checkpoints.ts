/**
 * Checkpoints as one node of the pool sees them: the names it writes, what it restores, and the collection of what
 * nothing leads to.
 *
 * (T6) an object of a checkpoint is garbage when its entry's manifest does not list it and its term is not that of the
 *      entry's living writer. Once garbage it stays garbage: a commit lists only what its own term made and what the
 *      manifest before it listed. So it is dropped without a lock over the decision, by anybody, and twice if need be.
 * (T7) whoever cleaned up after a dead node collects, so what a death left is dropped by the next who looks; a collector
 *      that dies is a dead node itself.
 * (T8) a name that this node has and none of its writers does was taken by a call that was cut (see calls.ts): it is given
 *      up, and what was made for it is garbage.
 */
import { PoolError } from '../../../lib/errors.js';
import type { Checkpoint, CheckpointInfo, CheckpointWriter } from '../layout/index.js';
import { type CheckpointDirectory, fenced, type ObjectId, type Tenure } from '../objects/index.js';
import { type NodeSession, PinnedPage } from '../session/index.js';
import { CheckpointObjects } from './checkpointobjects.js';
import { PartWriter, type WriterHost } from './checkpointwriter.js';
import { type Manifest, nameOfId } from './manifest.js';
import {
  encodeCheckpointName,
  type Held,
  listCheckpoints,
  type ObjectSource,
  readManifest,
  restoreFrom,
} from './restoring.js';

const TRIES_MAX = 8;

/** Of one entry: the ids that its manifest lists, and the term of its living writer. */
interface Living {
  readonly names: ReadonlySet<string>;
  readonly openTerm: number;
}

export class Checkpoints implements WriterHost, ObjectSource {
  readonly path: string;
  readonly session: NodeSession;
  readonly objects: CheckpointObjects;
  readonly directory: CheckpointDirectory;
  /** For each name that this node has had: the term under which it had it last, or saw it since. */
  private readonly held = new Map<string, number>();
  /** Of the cuts that the session has settled: for which this has been settled as well. */
  private cutsSettled = 0;
  private readonly writers = new Set<PartWriter>();
  private undropped: ObjectId[] = [];

  constructor(session: NodeSession) {
    this.path = session.path;
    this.session = session;
    this.objects = new CheckpointObjects(session);
    this.directory = session.parts.checkpoints;
  }

  /** Throws NODE_FENCED, TOO_MANY_CHECKPOINTS, KEY_INVALID, BUSY, POOL_CORRUPT. */
  open(name: string): CheckpointWriter {
    this.session.check();
    const bytes = encodeCheckpointName(name);
    const { calls } = this.session.parts;
    // (T8) A name that a cut call took is not in the way of its own node until upkeep.
    if (calls.open !== 0 || this.cutsSettled !== this.session.cuts) this.takeBackNames();
    calls.begin();
    const tenure = this.directory.open(bytes, this.held.get(name));
    this.held.set(name, tenure.term);
    let last: Manifest | undefined;
    try {
      // The name reaches the disk before anything that it may lead to.
      if (tenure.isNew) this.objects.syncDirectory();
      last = this.lastOf(tenure);
    } catch (error) {
      this.directory.end(tenure);
      throw error;
    }
    const writer = new PartWriter(this, name, tenure, last);
    if (tenure.isTakenOver) this.tryCollect();
    calls.end();
    this.writers.add(writer);
    return writer;
  }

  private lastOf({ entry, term, committed }: Tenure): Manifest | undefined {
    if (committed === undefined) return undefined;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const manifest = readManifest(this, committed.manifest);
      if (manifest !== undefined) return manifest;
    }
    if (this.directory.openTerm(entry) !== term) throw fenced();
    throw new PoolError('POOL_CORRUPT', `${this.path}: the last checkpoint's manifest is gone; forget the name.`);
  }

  restore(name: string): Checkpoint | undefined {
    this.session.check();
    const bytes = encodeCheckpointName(name);
    const term = this.directory.termOf(bytes);
    this.session.letGoInHand();
    const found = restoreFrom(this, name);
    // Who has looked at what another node committed may take the name over from there, while it is the newest.
    if (this.held.has(name)) this.held.set(name, term);
    this.session.inHand.length = 0;
    return found;
  }

  list(): CheckpointInfo[] {
    this.session.check();
    return listCheckpoints(this);
  }

  forget(name: string): boolean {
    this.session.check();
    const { calls } = this.session.parts;
    calls.begin();
    const found = this.directory.forget(encodeCheckpointName(name));
    if (found === undefined) {
      calls.end();
      return false;
    }
    const { manifest: id } = found.committed;
    const manifest = this.tryManifest(id);
    if (manifest === undefined) this.tryCollect();
    else this.discard([id, ...[...manifest.parts.values()].map((part) => part.id)]);
    calls.end();
    return true;
  }

  hold(id: ObjectId, name: string): Held | undefined {
    const entry = this.objects.find(id);
    if (entry === undefined) return undefined;
    // Nobody can have the room of what is retained anyway: it counts against no share.
    const page = new PinnedPage(this.session, name, entry, 0);
    this.session.inHand.push(page);
    return { page, again: () => page.again() };
  }

  restingWord(id: ObjectId): number | undefined {
    return this.objects.restingWord(id);
  }

  discard(ids: readonly ObjectId[]): void {
    // ORDER commit-2: nothing is retired before the entry that leads elsewhere is on the disk; pairs with restoreFrom.
    this.objects.syncDirectory();
    this.undropped.push(...ids);
    this.retry();
  }

  /** Drops what could not be dropped before. What still cannot is kept for the next time. */
  retry(): void {
    if (this.undropped.length === 0) return;
    try {
      this.objects.drop(this.undropped);
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      return;
    }
    // After that: what a cut keeps from being dropped is dropped the next time, or once more.
    this.undropped = [];
  }

  ended(writer: PartWriter): void {
    this.writers.delete(writer);
  }

  /** Takes back what calls that were cut since have left (T8). Throws BUSY, POOL_CORRUPT: then the rest is for the next time. */
  settleCuts(): void {
    const { cuts } = this.session;
    if (cuts === this.cutsSettled) return;
    this.takeBackNames();
    this.collect();
    this.cutsSettled = cuts;
  }

  private takeBackNames(): void {
    const { directory, session } = this;
    for (let entry = 0; entry < session.parts.geometry.checkpoints; entry++) {
      const term = directory.openTerm(entry);
      if (term < 0 || directory.ownerOf(entry) !== session.parts.nodes.self) continue;
      // One whose end was cut is in the list still, and has nothing any more.
      const isOf = ({ tenure, state }: PartWriter) =>
        state === 'open' && tenure.entry === entry && tenure.term === term;
      if ([...this.writers].some(isOf)) continue;
      const name = directory.nameOf(entry);
      if (name !== undefined) this.held.set(new TextDecoder().decode(name), term);
      directory.end({ entry, term });
    }
  }

  /** Drops all garbage there is. Returns how many objects. Throws BUSY, POOL_CORRUPT. */
  collect(): number {
    this.directory.closeGone();
    // (T6) The objects first, then what lists them: an object listed meanwhile is found listed.
    const all = this.objects.all();
    if (all.length === 0) return 0;
    const entries = new Map<number, Living | undefined>();
    for (const { entry } of all) if (!entries.has(entry)) entries.set(entry, this.livingOf(entry));
    const garbage = all.filter((id) => {
      const living = entries.get(id.entry);
      return living !== undefined && id.term !== living.openTerm && !living.names.has(nameOfId(id));
    });
    if (garbage.length > 0) this.objects.syncDirectory();
    this.objects.drop(garbage);
    return garbage.length;
  }

  private tryCollect(): void {
    try {
      this.collect();
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
    }
  }

  /** Undefined when it cannot be told: then nothing of the entry is dropped. */
  private livingOf(entry: number): Living | undefined {
    const { directory } = this;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      // The writer first: by the time it has ended its commit can be seen.
      const openTerm = directory.openTerm(entry);
      const committed = directory.isUsed(entry) ? directory.committedOf(entry) : undefined;
      if (committed === undefined) return { names: new Set(), openTerm };
      if (committed === 'damaged') continue;
      const manifest = this.tryManifest(committed.manifest);
      if (manifest === undefined) continue;
      const names = [...manifest.parts.values()].map((part) => nameOfId(part.id));
      return { names: new Set([...names, nameOfId(committed.manifest)]), openTerm };
    }
    return undefined;
  }

  private tryManifest(id: ObjectId): Manifest | undefined {
    try {
      return readManifest(this, id);
    } catch (error) {
      if (error instanceof PoolError && error.code === 'POOL_CORRUPT') return undefined;
      throw error;
    }
  }

  /** Gives up what this node is writing. What cannot be dropped now is collected by others. */
  close(): void {
    if (!this.session.isOpen) return;
    for (const writer of [...this.writers]) {
      try {
        writer.abort();
      } catch (error) {
        if (!(error instanceof PoolError)) throw error;
      }
    }
    this.retry();
  }
}
