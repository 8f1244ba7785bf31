/** Waiting for another process, with growing pauses and an end. */
import { PoolError } from '../errors.js';

const LONGEST_PAUSE_MS = 20;

export class Deadline {
  private readonly what: string;
  private readonly endMs: number;
  private readonly signal: AbortSignal | undefined;
  private pauseMs = 1;

  constructor(what: string, timeoutMs: number, signal: AbortSignal | undefined) {
    this.what = what;
    this.endMs = Date.now() + timeoutMs;
    this.signal = signal;
  }

  /** Waits a little. Throws TIMEOUT, ABORTED. */
  async wait(): Promise<void> {
    if (this.signal?.aborted === true) {
      throw new PoolError('ABORTED', `${this.what}: aborted.`, undefined, this.signal.reason);
    }
    if (Date.now() >= this.endMs) throw new PoolError('TIMEOUT', `${this.what}: another process has not finished.`);
    await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
    this.pauseMs = Math.min(this.pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** Whether pages are to be handed out as private copies, for finding out who writes to them. */
export function wantsCopies(): boolean {
  return process.env['SEALPOOL_DEBUG'] === 'copy';
}
