/** Pages as callers hold them. */
import { PoolError } from '../../../lib/errors.js';
import { type Shown, showAs, UNCLONEABLE } from '../../../lib/shown.js';
import type { Freshness, Key, Page } from '../layout/index.js';
import { copyOfEntry, type NearEntry, poison } from '../near/index.js';
import { describeSlot } from './descriptor.js';
import type { Holding } from './holdings.js';
import { describeKey, showKey } from './names.js';
import type { NodeSession } from './node.js';
import { streamOf } from './streaming.js';

const EMPTY = new Uint8Array(0);

/**
 * A page of the pool, pinned in this node's pin list until release. What it knows is what its near entry and its pin have; a page
 * of a page space makes its key when it is asked for it.
 */
export class PinnedPage implements Page, Shown {
  // First: see UNCLONEABLE.
  protected readonly session: NodeSession;
  protected named: Key | undefined;
  protected readonly entry: NearEntry;
  /** Has the pin, until the release. */
  protected holding: Holding | undefined;

  /**
   * The entry is exposed. Without a key it has that of the page's number. `bytes` count against the node's share of what may be
   * pinned. Throws TOO_MANY_PINS.
   */
  constructor(session: NodeSession, key: Key | undefined, entry: NearEntry, bytes = entry.bytes.length) {
    const kept = session.reader.poisons ? copyOfEntry(entry) : entry;
    const holding = session.holdings.take();
    const pin = session.reader.hazards.pin(entry.slot, bytes);
    // (L2)
    holding.held.pin = pin;
    holding.held.name = key ?? (entry.key as number);
    this.holding = holding;
    this.session = session;
    this.named = key;
    this.entry = kept;
  }

  get key(): Key {
    this.named ??= this.entry.owner.keyOf(this.entry.key as number);
    return this.named;
  }

  /** The same page, to be released on its own. This one has not been. */
  again(): PinnedPage {
    return new PinnedPage(this.session, this.named, this.entry, this.pinnedBytes());
  }

  protected pinnedBytes(): number | undefined {
    return this.holding?.held.pin?.bytes;
  }

  private check(): void {
    if (this.holding === undefined) throw new PoolError('RELEASED', `The page ${describeKey(this.key)} was released.`);
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
  get freshness(): Freshness {
    return 'fresh';
  }
  copy(): Uint8Array {
    return this.bytes.slice();
  }
  readable(): ReadableStream<Uint8Array> {
    return streamOf(this);
  }
  descriptor(): string {
    this.check();
    return describeSlot(this.session.poolId, this.entry.slot, this.entry.generation);
  }
  release(): void {
    const { session, holding } = this;
    const pin = holding?.held.pin;
    if (holding === undefined || pin === undefined) return;
    const { hazards } = session.reader;
    if (session.isOpen) hazards.unpin(pin);
    // (H7) (L2) (L3) With no function's entry between: the record may be another pin's once this one has left.
    holding.held.pin = undefined;
    this.holding = undefined;
    if (session.isOpen) hazards.finishLeaving();
    session.holdings.give(holding);
    if (session.reader.poisons) poison(this.entry);
  }
  toJSON(): object {
    const { bytes, generation } = this.entry;
    return { key: showKey(this.key), size: bytes.length, generation, released: this.holding === undefined };
  }
  [Symbol.dispose](): void {
    this.release();
  }
}

/** One that has expired. */
export class StalePage extends PinnedPage {
  override get freshness(): Freshness {
    return 'stale';
  }
  override again(): PinnedPage {
    return new StalePage(this.session, this.named, this.entry, this.pinnedBytes());
  }
}

/** A page that is a private copy: of a read-only node, or one that no room could be found for. */
export class PrivatePage implements Page, Shown {
  readonly uncloneable = UNCLONEABLE;
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
    if (this.released) throw new PoolError('RELEASED', `The page ${describeKey(this.key)} was released.`);
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
  get freshness(): Freshness {
    return 'fresh';
  }
  copy(): Uint8Array {
    return this.bytes.slice();
  }
  readable(): ReadableStream<Uint8Array> {
    return streamOf(this);
  }
  descriptor(): undefined {
    this.check();
    return undefined;
  }
  release(): void {
    this.released = true;
  }
  toJSON(): object {
    return { key: showKey(this.key), size: this.content.length, generation: this.made, released: this.released };
  }
  [Symbol.dispose](): void {
    this.release();
  }
}

/** That the source has nothing for the key. */
export class NegativePage extends PrivatePage {
  constructor(key: Key) {
    super(key, EMPTY);
  }
  override get freshness(): Freshness {
    return 'negative';
  }
  override again(): NegativePage {
    return new NegativePage(this.key);
  }
}

showAs(PinnedPage, 'Page');
showAs(PrivatePage, 'Page');
