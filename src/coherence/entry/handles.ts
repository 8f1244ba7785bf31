/** Drafts and pages of a pool for memory that is not coherent, as callers hold them. */
import { isWhole, takeBytes } from '../../../lib/bytes.js';
import { PoolError } from '../../../lib/errors.js';
import { type Shown, showAs, UNCLONEABLE } from '../../../lib/shown.js';
import {
  bytesTransferred,
  type Draft as DraftHandle,
  type DraftState,
  describeKey,
  type Filler,
  type Freshness,
  type Key,
  type Page as PageHandle,
  refuseEnded,
  refuseFilling,
  refuseShortFill,
  showKey,
  streamOf,
} from '../../pool/index.js';
import type { Draft, HeldPage } from '../objects.js';

const EMPTY = new Uint8Array(0);

/** A page in somebody's hands: none once it was released. Apart from its handle, so that the pin of one that is collected can be given back. */
export interface Held {
  page: HeldPage | undefined;
  readonly key: Key;
}

/** What handles need of their pool. */
export interface HandleOwner {
  readonly isOpen: boolean;
  /** Throws DISCONNECTED, NODE_FENCED. */
  check(): void;
  seal(draft: Draft, bytes: Uint8Array): void;
  abort(draft: Draft): void;
  /** The bytes in place where there is a place, else private. Throws NODE_FENCED. */
  bytesOf(page: HeldPage): Uint8Array;
  copyOf(page: HeldPage): Uint8Array;
  metadataOf(page: HeldPage): Uint8Array;
  release(page: HeldPage): void;
}

export class HostDraft implements DraftHandle, Shown {
  readonly uncloneable = UNCLONEABLE;
  readonly key: Key;
  private readonly owner: HandleOwner;
  private readonly draft: Draft;
  private view: Uint8Array;
  private state: DraftState = 'open';
  private isFilling = false;

  constructor(owner: HandleOwner, key: Key, draft: Draft) {
    this.owner = owner;
    this.key = key;
    this.draft = draft;
    this.view = new Uint8Array(draft.byteLength);
  }

  get bytes(): Uint8Array {
    return this.view;
  }

  private checkOpen(): void {
    refuseEnded(this.key, this.state);
    this.owner.check();
    refuseFilling(this.key, this.isFilling);
  }

  async fill(fill: Filler): Promise<void> {
    this.checkOpen();
    if (typeof fill !== 'function') throw new PoolError('OPTION_INVALID', 'fill: expected a function.');
    this.isFilling = true;
    try {
      refuseShortFill(this.key, this.draft.byteLength, await fill(this.view));
    } catch (error) {
      this.isFilling = false;
      this.abort();
      throw error;
    }
    this.isFilling = false;
    this.checkOpen();
  }

  seal(): void {
    this.checkOpen();
    if (!isWhole(this.view, this.draft.byteLength)) {
      this.abort();
      throw bytesTransferred(this.key);
    }
    this.owner.seal(this.draft, takeBytes(this.view, 'bytes'));
    this.end('sealed');
  }

  abort(): void {
    if (this.state !== 'open') return;
    if (this.owner.isOpen) this.owner.abort(this.draft);
    this.end('aborted');
  }

  private end(state: 'sealed' | 'aborted'): void {
    this.state = state;
    this.view = EMPTY;
  }

  toJSON(): object {
    return { key: showKey(this.key), size: this.draft.byteLength, state: this.state };
  }

  [Symbol.dispose](): void {
    this.abort();
  }
}

export class HostPage implements PageHandle, Shown {
  readonly uncloneable = UNCLONEABLE;
  readonly key: Key;
  private readonly owner: HandleOwner;
  private readonly held: Held;
  private view: Uint8Array | undefined;
  private about: Uint8Array | undefined;

  constructor(owner: HandleOwner, held: Held) {
    this.owner = owner;
    this.key = held.key;
    this.held = held;
  }

  /** The page, which was not released. */
  private check(): HeldPage {
    const { page } = this.held;
    if (page === undefined) throw new PoolError('RELEASED', `The page ${describeKey(this.key)} was released.`);
    this.owner.check();
    return page;
  }

  get bytes(): Uint8Array {
    const page = this.check();
    this.view ??= this.owner.bytesOf(page);
    return this.view;
  }
  get metadata(): Uint8Array {
    const page = this.check();
    this.about ??= page.entry.metadataLength === 0 ? EMPTY : this.owner.metadataOf(page);
    return this.about;
  }
  get size(): number {
    return this.check().byteLength;
  }
  get generation(): number {
    return this.check().entry.id;
  }
  get freshness(): Freshness {
    return 'fresh';
  }
  /** Throws NODE_FENCED where this host was taken for dead: the bytes may not be the page's any more. */
  copy(): Uint8Array {
    return this.owner.copyOf(this.check());
  }
  readable(): ReadableStream<Uint8Array> {
    return streamOf(this);
  }
  /** Other hosts and threads find a page by its key. */
  descriptor(): undefined {
    this.check();
    return undefined;
  }
  release(): void {
    const { page } = this.held;
    if (page === undefined) return;
    this.held.page = undefined;
    if (this.owner.isOpen) this.owner.release(page);
  }
  toJSON(): object {
    return { key: showKey(this.key), size: this.held.page?.byteLength, released: this.held.page === undefined };
  }
  [Symbol.dispose](): void {
    this.release();
  }
}

showAs(HostDraft, 'Draft');
showAs(HostPage, 'Page');
