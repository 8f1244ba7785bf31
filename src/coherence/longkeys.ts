/**
 * Lines of this host's data that hold keys which do not fit their record: private books of which they are.
 *
 * (K1) such lines are there for exactly as long as the records that name them may be read: they are given back when the last of these lies below the
 *      tail that is in memory, and every host that counts has acknowledged more than it ((G1) of log.ts, for what a place names). An object that ends
 *      early, by ABORT, therefore keeps its key's lines for a while longer than its data.
 * (K2) they are written once, before the CLAIM, and ordered with it. A record is none while its key does not agree with the record's check of it.
 */
import type { Extents } from './extents.js';
import { KEY_IN_RECORD_MAX, linesOf } from './layout.js';
import type { Fields } from './records.js';

interface Held {
  readonly line: number;
  readonly count: number;
  /** The last record that names it. */
  last: number;
}

/** Lines that a key takes besides its record. */
export function linesOfKey(keyLength: number): number {
  return keyLength > KEY_IN_RECORD_MAX ? linesOf(keyLength) : 0;
}

export class LongKeys {
  private readonly extents: Extents;
  /** By the object's id. */
  private readonly held = new Map<number, Held>();

  constructor(extents: Extents) {
    this.extents = extents;
  }

  /** A record of this host that is in its log. */
  note(position: number, { id, keyLine, key }: Pick<Fields, 'id' | 'keyLine' | 'key'>): void {
    if (keyLine > 0 && key.length > 0)
      this.held.set(id, { line: keyLine, count: linesOfKey(key.length), last: position });
  }

  /** At a join: takes the lines of all that the log names. Before anything else is taken. */
  takeAll(): void {
    for (const { line, count } of this.held.values()) this.extents.tryTakeAt(line, count);
  }

  freeBelow(position: number): void {
    for (const [id, { line, count, last }] of this.held) {
      if (last >= position) continue;
      this.held.delete(id);
      this.extents.give(line, count);
    }
  }

  /** Lines in use. */
  get lines(): number {
    let sum = 0;
    for (const { count } of this.held.values()) sum += count;
    return sum;
  }
}
