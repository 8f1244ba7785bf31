/**
 * The journal of a schedule, in shared memory: what each operation was, found, and when it began and ended, in steps. An
 * operation that was cut off has no end.
 */
const RECORD = 8;
const RECORDS_MAX = 512;

export const KINDS = ['put', 'set', 'get', 'delete', 'abort', 'clear', 'source', 'fill', 'version', 'until'] as const;
export type EntryKind = (typeof KINDS)[number];

export interface Entry {
  readonly actor: number;
  readonly kind: EntryKind;
  readonly key: number;
  readonly value: number;
  /** Of puts, sets and deletes: what they returned. Of versions: asOf or from. */
  readonly result: number;
  readonly start: number;
  /** 0: cut off. */
  readonly end: number;
}

export class Journal {
  static readonly bytes = (1 + RECORD * RECORDS_MAX) * 4;
  private readonly words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory);
  }

  clear(): void {
    this.words[0] = 0;
  }

  begin(actor: number, kind: EntryKind, key: number, value: number, start: number): number {
    const { words } = this;
    const index = words[0] as number;
    if (index >= RECORDS_MAX) throw new Error('the journal is full');
    words[0] = index + 1;
    words.set([actor, KINDS.indexOf(kind), key, value, 0, start, 0], 1 + index * RECORD);
    return index;
  }

  end(index: number, value: number, result: number, end: number): void {
    const at = 1 + index * RECORD;
    this.words[at + 3] = value;
    this.words[at + 4] = result;
    this.words[at + 6] = end;
  }

  /** It was nothing after all. */
  forget(index: number): void {
    this.words[1 + index * RECORD + 1] = -1;
  }

  entries(): Entry[] {
    const { words } = this;
    const all = Array.from({ length: words[0] as number }, (_, index) => {
      const [actor, kind, key, value, result, start, end] = words.subarray(1 + index * RECORD) as unknown as number[];
      return { actor, kind: KINDS[kind as number], key, value, result, start, end } as Entry;
    });
    return all.filter(({ kind }) => kind !== undefined);
  }
}
