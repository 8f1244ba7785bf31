/**
 * An object being filled.
 *
 * (X1) what a caller fills is private memory, copied into the pool at the seal. Whatever still writes to it when the draft has
 *      ended, a read of the kernel's that was under way, a filler that goes on, writes to nobody's page. docs/ARCHITECTURE.md
 *      has what the copy costs.
 * (X2) it begins as zeroes, so that what is not filled shows nothing of what lay in the extent before.
 */
import { isWhole as areWhole, takeBytes } from '../../../lib/bytes.js';
import { PoolError } from '../../../lib/errors.js';
import { type Shown, showAs } from '../../../lib/shown.js';
import { type DraftPlace, poolFull } from '../access/index.js';
import type { Draft, Filler, Key } from '../layout/index.js';
import { bytesTransferred, type DraftState, refuseEnded, refuseFilling, refuseShortFill } from './filling.js';
import { describeKey, showKey } from './names.js';
import type { NodeSession } from './node.js';

const EMPTY = new Uint8Array(0);

export class OpenDraft implements Draft, Shown {
  // First: see UNCLONEABLE.
  private readonly session: NodeSession;
  readonly key: Key;
  private readonly place: DraftPlace;
  private readonly size: number;
  private view: Uint8Array;
  private state: DraftState = 'open';
  private isFilling = false;

  constructor(session: NodeSession, key: Key, place: DraftPlace, size: number) {
    this.session = session;
    this.key = key;
    this.place = place;
    this.size = size;
    this.view = size === 0 ? EMPTY : this.allocate(size);
    session.track(place, size === 0 ? undefined : (this.view.buffer as ArrayBuffer));
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

  private checkOpen(): void {
    refuseEnded(this.key, this.state);
    this.session.check();
    refuseFilling(this.key, this.isFilling);
  }

  async fill(fill: Filler): Promise<void> {
    this.checkOpen();
    if (typeof fill !== 'function') throw new PoolError('OPTION_INVALID', 'fill: expected a function.');
    this.isFilling = true;
    try {
      refuseShortFill(this.key, this.size, await fill(this.view));
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
    if (!areWhole(this.view, this.size)) {
      this.abort();
      throw bytesTransferred(this.key);
    }
    const { writer, parts } = this.session;
    if (this.size > 0 && writer.isOurs(this.place)) {
      parts.segment.writeDraft(this.place.extent, 0, takeBytes(this.view, 'bytes'));
    }
    const outcome = writer.seal(this.place);
    this.end(outcome === 'sealed' ? 'sealed' : 'aborted');
    if (outcome === 'full') throw poolFull(this.session.path, this.size);
    if (outcome !== 'sealed') throw new PoolError('NOT_OWNER', `The draft ${describeKey(this.key)} is gone.`);
  }

  abort(): void {
    if (this.state !== 'open') return;
    this.session.untrack(this.place);
    if (this.session.isOpen) this.session.writer.leftovers.abandon(this.place);
    this.end('aborted');
  }

  private end(state: 'sealed' | 'aborted'): void {
    this.session.closeBook(this.place);
    this.state = state;
    this.view = EMPTY;
  }

  toJSON(): object {
    return { key: showKey(this.key), size: this.size, state: this.state };
  }

  [Symbol.dispose](): void {
    this.abort();
  }
}

showAs(OpenDraft, 'Draft');
