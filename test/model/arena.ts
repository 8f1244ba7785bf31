/**
 * The states met so far: every one kept whole, byte for byte, so that "explored" means explored and not "hashed alike".
 *
 * States lie one after another in one array; an open-addressed table of indexes finds them again. Each state remembers
 * which it was first reached from, so the way to any state can be told, and breadth first makes it a shortest one.
 */
const FIRST_BYTES = 1 << 24;
const FIRST_STATES = 1 << 17;

export class Arena {
  private bytes = new Uint8Array(FIRST_BYTES);
  private starts = new Float64Array(FIRST_STATES + 1);
  private parents = new Int32Array(FIRST_STATES);
  private table = new Int32Array(FIRST_STATES * 2).fill(-1);
  count = 0;

  /** Enters a state of so many bytes; false when it is known. */
  add(state: Uint8Array, length: number, parent: number): boolean {
    const mask = this.table.length - 1;
    let at = hashOf(state, length) & mask;
    for (; this.table[at] !== -1; at = (at + 1) & mask) {
      if (this.isEqual(this.table[at] as number, state, length)) return false;
    }
    this.makeRoom(length);
    const start = this.starts[this.count] as number;
    this.bytes.set(state.subarray(0, length), start);
    this.parents[this.count] = parent;
    this.starts[this.count + 1] = start + length;
    this.table[at] = this.count++;
    if (this.count * 2 > this.table.length) this.rehash();
    return true;
  }

  get(index: number): Uint8Array {
    return this.bytes.subarray(this.starts[index], this.starts[index + 1]);
  }

  parentOf(index: number): number {
    return this.parents[index] as number;
  }

  private isEqual(index: number, state: Uint8Array, length: number): boolean {
    const start = this.starts[index] as number;
    if ((this.starts[index + 1] as number) - start !== length) return false;
    for (let i = 0; i < length; i++) if (this.bytes[start + i] !== state[i]) return false;
    return true;
  }

  private makeRoom(length: number): void {
    if ((this.starts[this.count] as number) + length > this.bytes.length) {
      const bytes = new Uint8Array(this.bytes.length * 2);
      bytes.set(this.bytes);
      this.bytes = bytes;
    }
    if (this.count + 1 < this.parents.length) return;
    const starts = new Float64Array(this.parents.length * 2 + 1);
    const parents = new Int32Array(this.parents.length * 2);
    starts.set(this.starts);
    parents.set(this.parents);
    this.starts = starts;
    this.parents = parents;
  }

  private rehash(): void {
    this.table = new Int32Array(this.table.length * 2).fill(-1);
    const mask = this.table.length - 1;
    for (let index = 0; index < this.count; index++) {
      const state = this.get(index);
      let at = hashOf(state, state.length) & mask;
      while (this.table[at] !== -1) at = (at + 1) & mask;
      this.table[at] = index;
    }
  }
}

function hashOf(state: Uint8Array, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (state[i] as number), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}
