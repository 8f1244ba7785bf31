/** Pinned pages and drafts as callers hold them. */
import { PoolError } from '../../lib/errors.js';
import { NO_EXTENT } from './layout.js';
import type { NearEntry } from './near.js';
import type { NodeSession } from './node.js';
import { poolFull } from './runs.js';
import type { Draft, Key, Page } from './types.js';
import type { DraftPlace } from './writer.js';

const EMPTY = new Uint8Array(0);

/** A page of the pool, pinned in this node's pin list until release. */
export class PinnedPage implements Page {
  readonly key: Key;
  private readonly session: NodeSession;
  private readonly entry: NearEntry;
  private released = false;

  /** The entry is exposed. Throws TOO_MANY_PINS. */
  constructor(session: NodeSession, key: Key, entry: NearEntry) {
    session.reader.hazards.pin(entry.slot);
    this.session = session;
    this.key = key;
    this.entry = entry;
  }

  private check(): void {
    if (this.released) throw new PoolError('RELEASED', `The page ${describe(this.key)} was released.`);
    this.session.check();
  }

  get bytes(): Uint8Array {
    this.check();
    return this.entry.bytes;
  }
  get metadata(): Uint8Array {
    this.check();
    return this.entry.metadata;
  }
  get size(): number {
    this.check();
    return this.entry.bytes.length;
  }
  get generation(): number {
    this.check();
    return this.entry.generation;
  }
  copy(): Uint8Array {
    return this.bytes.slice();
  }
  release(): void {
    if (this.released) return;
    this.released = true;
    if (this.session.isOpen) this.session.reader.hazards.unpin(this.entry.slot);
  }
  [Symbol.dispose](): void {
    this.release();
  }
}

/** A page that is a private copy: of a read-only node, or one that no room could be found for. */
export class PrivatePage implements Page {
  readonly key: Key;
  private readonly content: Uint8Array;
  private readonly extra: Uint8Array;
  private readonly made: number;
  private released = false;

  constructor(key: Key, content: Uint8Array, extra: Uint8Array = EMPTY, generation = 0) {
    this.key = key;
    this.content = content;
    this.extra = extra;
    this.made = generation;
  }

  private check(): void {
    if (this.released) throw new PoolError('RELEASED', `The page ${describe(this.key)} was released.`);
  }
  /** The same content, to be released on its own. */
  again(): PrivatePage {
    return new PrivatePage(this.key, this.content, this.extra, this.made);
  }
  get bytes(): Uint8Array {
    this.check();
    return this.content;
  }
  get metadata(): Uint8Array {
    this.check();
    return this.extra;
  }
  get size(): number {
    this.check();
    return this.content.length;
  }
  get generation(): number {
    this.check();
    return this.made;
  }
  copy(): Uint8Array {
    return this.bytes.slice();
  }
  release(): void {
    this.released = true;
  }
  [Symbol.dispose](): void {
    this.release();
  }
}

/** An object being filled. */
export class OpenDraft implements Draft {
  readonly key: Key;
  private readonly session: NodeSession;
  private readonly place: DraftPlace;
  private readonly size: number;
  private view: Uint8Array;
  /** The view is private memory, copied into the pool at the seal. */
  private readonly isPrivate: boolean;
  private state: 'open' | 'sealed' | 'aborted' = 'open';

  constructor(session: NodeSession, key: Key, place: DraftPlace, size: number) {
    this.session = session;
    this.key = key;
    this.place = place;
    this.size = size;
    const hasBytes = place.extent !== NO_EXTENT && size > 0;
    const buffer = hasBytes ? session.parts.segment.draftView(place.extent, size) : undefined;
    this.isPrivate = hasBytes && buffer === undefined;
    if (this.isPrivate) this.view = this.allocate(size);
    else this.view = buffer === undefined ? EMPTY : new Uint8Array(buffer);
    session.track(place, hasBytes ? (this.view.buffer as ArrayBuffer) : undefined);
  }

  /** Throws RangeError where the runtime has no memory for it; the draft is gone then. */
  private allocate(size: number): Uint8Array {
    try {
      return new Uint8Array(size);
    } catch (error) {
      this.session.writer.leftovers.abandon(this.place);
      throw error;
    }
  }

  get bytes(): Uint8Array {
    return this.view;
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  seal(): void {
    if (this.state === 'sealed') throw new PoolError('ALREADY_SEALED', `${describe(this.key)} is sealed already.`);
    if (this.state === 'aborted') throw new PoolError('NOT_OWNER', `The draft ${describe(this.key)} was aborted.`);
    this.session.check();
    if (this.view.length !== this.size) {
      this.abort();
      throw new PoolError('NOT_OWNER', `The bytes of the draft ${describe(this.key)} were transferred: it is aborted.`);
    }
    const { writer, parts } = this.session;
    if (this.isPrivate && writer.isOurs(this.place)) parts.segment.writeDraft(this.place.extent, 0, this.view);
    const outcome = writer.seal(this.place);
    this.end(outcome === 'sealed' ? 'sealed' : 'aborted');
    if (outcome === 'full') throw poolFull(this.session.path, this.size);
    if (outcome !== 'sealed') throw new PoolError('NOT_OWNER', `The draft ${describe(this.key)} is gone.`);
  }

  abort(): void {
    if (this.state !== 'open') return;
    this.end('aborted');
    if (this.session.isOpen) this.session.writer.leftovers.abandon(this.place);
  }

  private end(state: 'sealed' | 'aborted'): void {
    this.state = state;
    this.view = EMPTY;
    this.session.untrack(this.place);
  }

  [Symbol.dispose](): void {
    this.abort();
  }
}

export function describe(key: Key): string {
  return typeof key === 'string' ? JSON.stringify(key) : `of ${key.length} bytes`;
}
