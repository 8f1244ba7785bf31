/**
 * Memory that loaders fill: page-aligned, as direct I/O wants it, and copied into the pool when they are done.
 *
 * (S1) a scratch holds no bytes of an earlier load when a loader gets it.
 * (S2) one whose loader failed is never used again, nor is any that an asynchronous loader had: something may still write
 *      into it, as the slower of two reads that were raced does. The runtime keeps it as long as such a write needs it.
 * (S3) the one that is kept for the next synchronous load is kept weakly: a space that rests keeps no memory.
 */
import { collectedBuffer } from '../../lib/linux/index.js';

export class Scratches {
  private readonly size: number;
  private kept: WeakRef<Uint8Array> | undefined;

  /** `size`: bytes of a page. */
  constructor(size: number) {
    this.size = size;
  }

  /** For one load that nobody waits for synchronously. */
  fresh(): Uint8Array {
    return collectedBuffer(this.size);
  }

  /** For a synchronous load; a nested one gets another. */
  take(): Uint8Array {
    const kept = this.kept?.deref();
    this.kept = undefined;
    // Transferred away by a view of its own, it has no bytes any more.
    if (kept === undefined || kept.length !== this.size) return this.fresh();
    return kept.fill(0);
  }

  /** After a load that went well. */
  giveBack(scratch: Uint8Array): void {
    this.kept ??= new WeakRef(scratch);
  }
}
