/**
 * Loads that have failed in this node, for who says how long not to try again (`errorMs`): he gets the same error, without a load. Private
 * memory of the node, as other nodes may reach the source where this one cannot.
 *
 * (E1) a failure counts while the key is what it was when its load began: an invalidation ends it, as it ends a negative entry.
 * (E2) bounded: the oldest is forgotten, and its key tried again.
 */
import type { Lease } from './types.js';

const FAILURES_MAX = 1024;

interface Failure {
  readonly error: unknown;
  readonly lease: Lease;
  /** Of the machine's monotonic clock. */
  readonly atMs: number;
}

export class Failures {
  private readonly byName = new Map<string, Failure>();

  remember(name: string, failure: Failure): void {
    this.byName.delete(name);
    if (this.byName.size >= FAILURES_MAX)
      for (const oldest of this.byName.keys()) {
        this.byName.delete(oldest);
        break;
      }
    this.byName.set(name, failure);
  }

  /** The failure of the key, if it is no older than that and `isValid` says so of its lease (E1). */
  recent(name: string, nowMs: number, errorMs: number, isValid: (lease: Lease) => boolean): Failure | undefined {
    const failure = this.byName.get(name);
    if (failure === undefined) return undefined;
    if (!isValid(failure.lease)) this.byName.delete(name);
    else if (nowMs - failure.atMs < errorMs) return failure;
    return undefined;
  }

  /** The key was loaded. */
  forget(name: string): void {
    this.byName.delete(name);
  }
}
