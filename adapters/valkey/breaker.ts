/**
 * A circuit breaker: after so many failures in a row nobody asks any more, but for one trial each time the pause is over. So a tier that
 * is away costs a request's time limit now and then, and not for each request.
 */
export interface BreakerOptions {
  readonly failures: number;
  readonly pauseMs: number;
}

export class Breaker {
  openings = 0;
  private readonly options: BreakerOptions;
  private readonly nowMs: () => number;
  private failedInRow = 0;
  private pausedUntilMs: number | undefined;

  constructor(options: BreakerOptions, nowMs: () => number) {
    this.options = options;
    this.nowMs = nowMs;
  }

  get isOpen(): boolean {
    return this.pausedUntilMs !== undefined;
  }

  /** Whether to ask now. Of a trial whoever gets true has to say how it went. */
  allows(): boolean {
    if (this.pausedUntilMs === undefined) return true;
    const nowMs = this.nowMs();
    if (nowMs < this.pausedUntilMs) return false;
    // The others wait for the outcome of this trial.
    this.pausedUntilMs = nowMs + this.options.pauseMs;
    return true;
  }

  succeeded(): void {
    this.failedInRow = 0;
    this.pausedUntilMs = undefined;
  }

  /** True where it opens by this. */
  failed(): boolean {
    this.failedInRow++;
    if (this.pausedUntilMs !== undefined || this.failedInRow < this.options.failures) return false;
    this.pausedUntilMs = this.nowMs() + this.options.pauseMs;
    this.openings++;
    return true;
  }
}
