/**
 * Memory of a lock between hosts: lines that only their own host ever writes, as `Apart` has them, and lines that change hands
 * under the lock: what it guards. Of those each host has a copy, clean or dirty. A store makes it dirty, a writeback makes it
 * memory's, and a dirty one may leave by itself at any moment, over whatever memory holds by then. A load takes a dirty copy; a
 * clean one may have been dropped and filled again by itself, so it takes the copy or what memory holds now. (What memory held
 * between the two is left out: a line that was invalidated has no copy of before.)
 */
import { Apart, type Choose } from './memory.js';

interface Guarded {
  value: number;
  readonly copies: number[];
  readonly isDirty: boolean[];
}

export class HostMemory extends Apart {
  private readonly guarded: Guarded[];

  /** `hosts` lines of their own, then so many that they guard. `isKept`: loads may take an old copy of a line of the first kind. */
  constructor(hosts: number, guarded: number, isKept: boolean) {
    super([...Array(hosts).keys()], hosts, () => isKept);
    this.guarded = Array.from({ length: guarded }, () => ({
      value: 0,
      copies: new Array<number>(hosts).fill(0),
      isDirty: new Array<boolean>(hosts).fill(false),
    }));
  }

  private at(line: number): Guarded {
    return this.guarded[line] as Guarded;
  }

  override reset(values: Uint8Array): void {
    super.reset(values);
    for (const line of this.guarded) {
      line.value = 0;
      line.copies.fill(0);
      line.isDirty.fill(false);
    }
  }

  read(host: number, index: number, choose: Choose): number {
    const line = this.at(index);
    const isOld = line.copies[host] !== line.value;
    if (line.isDirty[host] !== true && isOld && choose(2) === 0) line.copies[host] = line.value;
    return line.copies[host] as number;
  }

  put(host: number, index: number, value: number): void {
    const line = this.at(index);
    line.copies[host] = value;
    line.isDirty[host] = true;
  }

  /** Written back, and kept. */
  clean(host: number, index: number): void {
    const line = this.at(index);
    if (line.isDirty[host] !== true) return;
    line.value = line.copies[host] as number;
    line.isDirty[host] = false;
  }

  /** Dropped, and before that written back if it is dirty: x86 has no other way. */
  drop(host: number, index: number): void {
    this.clean(host, index);
    const line = this.at(index);
    line.copies[host] = line.value;
  }

  /** One that leaves by itself, of those that can; false where none is dirty. */
  leave(choose: Choose): boolean {
    const dirty = this.guarded.flatMap(({ isDirty }, index) =>
      isDirty.flatMap((is, host) => (is ? [[host, index]] : [])),
    );
    if (dirty.length === 0) return false;
    const [host, index] = dirty[choose(dirty.length)] as [number, number];
    this.clean(host, index);
    return true;
  }

  /** The host loses power: each of its dirty lines was out already, or is gone. */
  losePower(host: number, choose: Choose): void {
    this.cutShort(host, choose);
    for (const line of this.guarded) {
      if (line.isDirty[host] === true && choose(2) === 1) line.value = line.copies[host] as number;
      line.isDirty[host] = false;
      line.copies[host] = line.value;
    }
  }

  override encode(into: Uint8Array, start: number): number {
    let at = super.encode(into, start);
    for (const { value, copies, isDirty } of this.guarded) {
      into[at++] = value;
      for (let host = 0; host < copies.length; host++) {
        into[at++] = ((copies[host] as number) << 1) | (isDirty[host] === true ? 1 : 0);
      }
    }
    return at;
  }

  override decode(from: Uint8Array, start: number): void {
    super.decode(from, start);
    let at = this.decodedTo;
    for (const line of this.guarded) {
      line.value = from[at++] as number;
      for (let host = 0; host < line.copies.length; host++) {
        const copy = from[at++] as number;
        line.copies[host] = copy >> 1;
        line.isDirty[host] = (copy & 1) === 1;
      }
    }
  }
}
