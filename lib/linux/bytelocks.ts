/**
 * Locks of byte ranges of an open file, those of SQLite included: of the open file description, so they end with its
 * descriptor and with its process, and two openings in one process exclude each other as two processes do.
 */
import { libc } from './libc.js';

const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const TYPES = { read: 0, write: 1, none: 2 } as const;

export class ByteLocks {
  private readonly descriptor: number;
  private readonly flock = Buffer.alloc(32);

  /** The descriptor stays its opener's; for write locks it has to be writable. */
  constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /** lock type, whence and the range in the kernel's struct flock of 64-bit systems. */
  private describe(type: keyof typeof TYPES, start: number, length: number): Buffer {
    const { flock } = this;
    flock.fill(0);
    flock.writeInt16LE(TYPES[type], 0);
    flock.writeBigInt64LE(BigInt(start), 8);
    flock.writeBigInt64LE(BigInt(length), 16);
    return flock;
  }

  /** Takes the lock, or changes the one that is there, at once; false where another opening's is in the way. */
  tryTake(type: 'read' | 'write', start: number, length = 1): boolean {
    return libc().fcntl(this.descriptor, F_OFD_SETLK, this.describe(type, start, length)) === 0;
  }

  release(start: number, length = 1): void {
    libc().fcntl(this.descriptor, F_OFD_SETLK, this.describe('none', start, length));
  }

  /** Whether another opening has any lock there. When the kernel cannot say, it is taken to be locked. */
  isTakenByOther(start: number, length = 1): boolean {
    return this.takenByOther(start, length) !== undefined;
  }

  /** How many of the bytes from `start` to before `end` others have locked. Where the kernel cannot say, all of them. */
  countTakenByOthers(start: number, end: number): number {
    let count = 0;
    for (let byte = start; byte < end; ) {
      const taken = this.takenByOther(byte, end - byte);
      if (taken === undefined) return count;
      // The kernel tells of one that is in the way, not of the first: those before it are looked at on their own.
      count += taken.to - taken.from + (taken.from > byte ? this.countTakenByOthers(byte, taken.from) : 0);
      byte = taken.to;
    }
    return count;
  }

  /** The part of the range that a lock of another opening takes; all of it where the kernel cannot say. */
  private takenByOther(start: number, length: number): { readonly from: number; readonly to: number } | undefined {
    const flock = this.describe('write', start, length);
    const end = start + length;
    if (libc().fcntl(this.descriptor, F_OFD_GETLK, flock) !== 0) return { from: start, to: end };
    if (flock.readInt16LE(0) === TYPES.none) return undefined;
    // A lock may begin before the range. Of no length it goes on for ever.
    const first = Number(flock.readBigInt64LE(8));
    const taken = Number(flock.readBigInt64LE(16));
    return { from: Math.max(start, first), to: taken === 0 ? end : Math.min(end, first + taken) };
  }
}
