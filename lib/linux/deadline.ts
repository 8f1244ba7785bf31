/** Waiting for another process, with growing pauses and an end. */
import { PoolError } from '../errors.js';
import type { CopyMode } from '../machine.js';

const LONGEST_PAUSE_MS = 20;

export class Deadline {
  private readonly what: string;
  private readonly endMs: number;
  private readonly signal: AbortSignal | undefined;
  private pauseMs = 1;

  constructor(what: string, timeoutMs: number, signal: AbortSignal | undefined) {
    this.what = what;
    this.endMs = performance.now() + timeoutMs;
    this.signal = signal;
  }

  /** Waits a little. Throws TIMEOUT, ABORTED. */
  async wait(): Promise<void> {
    if (this.signal?.aborted === true) {
      throw new PoolError('ABORTED', `${this.what}: aborted.`, undefined, this.signal.reason);
    }
    if (performance.now() >= this.endMs)
      throw new PoolError('TIMEOUT', `${this.what}: another process has not finished.`);
    await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
    this.pauseMs = Math.min(this.pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/**
 * Whether pages are to be handed out as private copies: `copy`, for finding out who writes to them; `poison`, overwritten at
 * their end, for finding out who reads them after it.
 */
export function wantedCopies(): CopyMode {
  const wanted = process.env['SEALPOOL_DEBUG'];
  return wanted === 'copy' || wanted === 'poison' ? wanted : 'none';
}
