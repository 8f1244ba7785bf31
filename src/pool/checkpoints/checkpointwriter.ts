/**
 * A checkpoint in the making. Its objects are sealed one by one as they come, and mean nothing until the directory's
 * entry leads to the manifest that lists them.
 *
 * | step   | by     | what a crash during or after it leaves                                                 |
 * |--------|--------|----------------------------------------------------------------------------------------|
 * | open   | begin  | a name taken by a dead node: the next writer, or whoever collects, takes it back       |
 * | part   | create | a draft of a dead node, undone as any other; once sealed, garbage: nothing leads to it |
 * | commit | commit | manifest sealed: garbage as well. Entry moved (commit-1): the new checkpoint, whole;   |
 * |        |        | what only the old one had is garbage                                                   |
 * | abort  | abort  | the rest of the parts, as garbage                                                      |
 *
 * Garbage is what no manifest lists and no living writer's term has made; `Checkpoints.collect` finds and drops it.
 *
 * (T5) in a pool on a disk all objects are there before the entry moves, and the entry is there before commit returns
 *      and before anything that only the old checkpoint has is retired.
 */
import { takeBytes } from '../../../lib/bytes.js';
import { PoolError } from '../../../lib/errors.js';
import { type Shown, showAs, UNCLONEABLE } from '../../../lib/shown.js';
import type { DraftPlace } from '../access/index.js';
import type { CheckpointInfo, CheckpointWriter, Draft, Filler } from '../layout/index.js';
import { fenced, type ObjectId, type Tenure } from '../objects/index.js';
import { type NodeSession, OpenDraft } from '../session/index.js';
import type { CheckpointObjects } from './checkpointobjects.js';
import { encodeManifest, type Manifest, nameOfId, type Part } from './manifest.js';
import { checkPartName, describeCommit } from './restoring.js';

const NOTHING = new Uint8Array(0);

/** What a writer needs of its node. */
export interface WriterHost {
  readonly session: NodeSession;
  readonly objects: CheckpointObjects;
  /** Drops objects that nothing leads to any more: now, or later where a lock cannot be had. */
  discard(ids: readonly ObjectId[]): void;
  /** The writer has ended. */
  ended(writer: PartWriter): void;
}

interface WrittenPart extends Part {
  /** Undefined for a part carried over. */
  readonly place?: DraftPlace;
  readonly draft?: OpenDraft;
}

/** A draft that is a part. */
class PartDraft implements Draft, Shown {
  // First: see UNCLONEABLE.
  private readonly draft: OpenDraft;
  readonly key: string;
  private readonly aborted: () => void;

  constructor(key: string, draft: OpenDraft, aborted: () => void) {
    this.key = key;
    this.draft = draft;
    this.aborted = aborted;
  }

  get bytes(): Uint8Array {
    return this.draft.bytes;
  }
  seal(): void {
    this.draft.seal();
  }
  async fill(fill: Filler): Promise<void> {
    const wasOpen = this.draft.isOpen;
    try {
      await this.draft.fill(fill);
    } catch (error) {
      if (wasOpen && !this.draft.isOpen) this.aborted();
      throw error;
    }
  }
  abort(): void {
    if (!this.draft.isOpen) return;
    this.draft.abort();
    this.aborted();
  }
  toJSON(): object {
    return this.draft.toJSON();
  }
  [Symbol.dispose](): void {
    this.abort();
  }
}

showAs(PartDraft, 'Draft');

export class PartWriter implements CheckpointWriter, Shown {
  readonly uncloneable = UNCLONEABLE;
  readonly tenure: Tenure;
  private readonly host: WriterHost;
  private readonly name: string;
  private readonly last: Manifest | undefined;
  private readonly nonce: number;
  private readonly parts = new Map<string, WrittenPart>();
  private readonly made: ObjectId[] = [];
  state: 'open' | 'committed' | 'aborted' = 'open';

  /** `last`: what the name leads to. */
  constructor(host: WriterHost, name: string, tenure: Tenure, last: Manifest | undefined) {
    this.host = host;
    this.name = name;
    this.tenure = tenure;
    this.last = last;
    this.nonce = host.session.machine.randomWord();
  }

  private check(): void {
    const what = `The checkpoint of ${JSON.stringify(this.name)}`;
    if (this.state === 'committed') throw new PoolError('ALREADY_SEALED', `${what} was committed.`);
    if (this.state === 'aborted') throw new PoolError('NOT_OWNER', `${what} was aborted.`);
    this.host.session.check();
  }

  private nextId(): ObjectId {
    const { entry, term } = this.tenure;
    const id = { entry, term, nonce: this.nonce, serial: this.made.length + 1 };
    this.made.push(id);
    return id;
  }

  private checkNew(part: string): void {
    this.check();
    checkPartName(part);
    if (!this.parts.has(part)) return;
    throw new PoolError('KEY_EXISTS', `The checkpoint has a part ${JSON.stringify(part)} already.`, { key: part });
  }

  create(part: string, size: number): Draft {
    this.checkNew(part);
    if (!Number.isSafeInteger(size) || size < 0)
      throw new PoolError('OPTION_INVALID', `size: ${size} is no number of bytes.`);
    const { session, objects } = this.host;
    const id = this.nextId();
    const place = objects.create(id, size);
    const draft = new OpenDraft(session, part, place, size);
    this.parts.set(part, { id, size, place, draft });
    return new PartDraft(part, draft, () => this.parts.delete(part));
  }

  put(part: string, bytes: Uint8Array): void {
    this.checkNew(part);
    const content = takeBytes(bytes, 'bytes');
    const id = this.nextId();
    // One whose put is cut is in nobody's manifest: the commit, or the abort, drops it.
    this.parts.set(part, { id, size: content.length, place: this.host.objects.put(id, content) });
  }

  reuse(part: string): boolean {
    this.check();
    const carried = this.last?.parts.get(part);
    const known = this.parts.get(part);
    if (known !== undefined && known.id === carried?.id) return true;
    this.checkNew(part);
    if (carried === undefined) return false;
    this.parts.set(part, carried);
    return true;
  }

  commit(metadata: Uint8Array = NOTHING): CheckpointInfo {
    this.check();
    const extra = takeBytes(metadata, 'metadata');
    const { calls } = this.host.session.parts;
    calls.begin();
    const { session, objects } = this.host;
    const { entry } = this.tenure;
    for (const { draft } of this.parts.values()) if (draft?.isOpen) draft.seal();
    this.checkParts();
    const parts = new Map([...this.parts].map(([part, { id, size }]) => [part, { id, size }]));
    const bytes = [...parts.values()].reduce((sum, { size }) => sum + size, 0);
    const sequence = (this.last?.sequence ?? 0) + 1;
    const manifest = {
      entry,
      sequence,
      committedAt: Math.floor(session.machine.nowMs()),
      bytes,
      parts,
      metadata: extra,
    };
    const id = this.nextId();
    const places = [...this.parts.values()].flatMap(({ place }) => place ?? []);
    objects.sync([...places, objects.put(id, encodeManifest(manifest))]);
    if (!session.parts.checkpoints.commit(this.tenure, { manifest: id, sequence })) {
      this.abort();
      throw fenced();
    }
    this.end('committed');
    this.discardOld(manifest, id);
    calls.end();
    return describeCommit(this.name, manifest, session.parts.nodes.self);
  }

  /** A repair drops what is damaged, a draft or a sealed part: what is listed has to be there. Throws NOT_OWNER. */
  private checkParts(): void {
    for (const [part, { id }] of this.parts) {
      if (this.host.objects.find(id) !== undefined) continue;
      // Who took the name over has dropped it.
      if (!this.host.session.parts.checkpoints.isHeld(this.tenure.entry, this.tenure.term)) {
        this.abort();
        throw fenced();
      }
      throw new PoolError('NOT_OWNER', `The part ${JSON.stringify(part)} of the checkpoint is gone.`, { part });
    }
  }

  /** What the old checkpoint alone had, and what was made for this one and is no part of it. */
  private discardOld(manifest: Manifest, id: ObjectId): void {
    const { committed } = this.tenure;
    const kept = new Set([...manifest.parts.values()].map((part) => nameOfId(part.id)));
    kept.add(nameOfId(id));
    const old = [...(this.last?.parts.values() ?? [])].map((part) => part.id);
    const all = [...old, ...(committed === undefined ? [] : [committed.manifest]), ...this.made];
    this.host.discard(all.filter((one) => !kept.has(nameOfId(one))));
  }

  abort(): void {
    if (this.state !== 'open') return;
    const { session } = this.host;
    session.parts.calls.begin();
    for (const { draft } of this.parts.values()) if (draft?.isOpen) draft.abort();
    this.end('aborted');
    if (session.isOpen) this.takeBack();
    session.parts.calls.end();
  }

  private takeBack(): void {
    const { checkpoints } = this.host.session.parts;
    // A commit that failed may have come through all the same.
    const committed = checkpoints.committedOf(this.tenure.entry);
    if (committed === 'damaged') return;
    if (committed !== undefined && this.made.some((id) => nameOfId(id) === nameOfId(committed.manifest))) return;
    try {
      this.host.discard(this.made);
    } finally {
      checkpoints.end(this.tenure);
    }
  }

  private end(state: 'committed' | 'aborted'): void {
    this.state = state;
    this.host.ended(this);
  }

  toJSON(): object {
    return { name: this.name, parts: this.parts.size, state: this.state };
  }

  [Symbol.dispose](): void {
    this.abort();
  }
}

showAs(PartWriter, 'CheckpointWriter');
