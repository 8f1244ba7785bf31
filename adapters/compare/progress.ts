/**
 * Live progress on standard error while the arms run.
 *
 * (P1) on a terminal: one line, redrawn in place at most ten times a second and cleared at the end; it fits the width, since a
 *      wrapped line would leave its first half standing.
 * (P2) elsewhere: a plain line at the first word, then at most every three seconds, whatever arm it is of, and the last word.
 * (P3) nothing here keeps the process alive: no timers, updates drive it, and finish draws what was held back.
 */
import { visible } from './figures.js';
import type { Progress } from './types.js';

const REDRAW_MS = 100;
const PLAIN_MS = 3000;
const BAR_CELLS = 24;

export interface ProgressTarget {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export interface ProgressDisplay {
  /** Lines above the progress: what is going to come, or the heading of the arms that follow. */
  begin(...lines: readonly string[]): void;
  readonly update: Progress;
  /** Leaves the cursor at the start of an empty line. Idempotent. */
  finish(): void;
}

function clampFraction(fraction: number): number {
  return Number.isFinite(fraction) ? Math.min(1, Math.max(0, fraction)) : 0;
}

/** Only a finished arm is shown as 100 %. */
function percentOf(fraction: number): number {
  return fraction >= 1 ? 100 : Math.min(99, Math.floor(fraction * 100));
}

export function armLine(arm: string, fraction: number, text: string, columns: number): string {
  const known = clampFraction(fraction);
  const filled = Math.floor(known * BAR_CELLS);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_CELLS - filled);
  const line = `${visible(arm)}  ${bar} ${String(percentOf(known)).padStart(3)} %  ${visible(text)}`;
  return line.slice(0, Math.max(1, columns - 1)).trimEnd();
}

const CLEAR_LINE = '\r\u001b[2K';

class TerminalProgress implements ProgressDisplay {
  private readonly target: ProgressTarget;
  private readonly now: () => number;
  private isDrawn = false;
  private drawnMs = Number.NEGATIVE_INFINITY;
  private arm = '';

  constructor(target: ProgressTarget, now: () => number) {
    this.target = target;
    this.now = now;
  }

  begin(...lines: readonly string[]): void {
    this.finish();
    this.target.write(lines.map((line) => `${visible(line)}\n`).join(''));
  }

  readonly update: Progress = ({ arm, fraction, text }) => {
    if (arm === this.arm && fraction < 1 && this.now() - this.drawnMs < REDRAW_MS) return;
    this.target.write(CLEAR_LINE + armLine(arm, fraction, text, this.target.columns ?? 80));
    this.isDrawn = true;
    this.drawnMs = this.now();
    this.arm = arm;
  };

  finish(): void {
    if (this.isDrawn) this.target.write(CLEAR_LINE);
    this.isDrawn = false;
    this.arm = '';
  }
}

class PlainProgress implements ProgressDisplay {
  private readonly target: ProgressTarget;
  private readonly now: () => number;
  private shownMs = Number.NEGATIVE_INFINITY;
  private shown = '';
  private heldBack = '';

  constructor(target: ProgressTarget, now: () => number) {
    this.target = target;
    this.now = now;
  }

  begin(...lines: readonly string[]): void {
    this.finish();
    this.target.write(lines.map((line) => `${visible(line)}\n`).join(''));
  }

  readonly update: Progress = ({ arm, fraction, text }) => {
    const ending = text === '' ? '' : `, ${visible(text)}`;
    this.heldBack = `${visible(arm)}: ${percentOf(clampFraction(fraction))} %${ending}\n`;
    if (this.now() - this.shownMs >= PLAIN_MS) this.show();
  };

  finish(): void {
    if (this.heldBack !== '') this.show();
    this.shown = '';
  }

  private show(): void {
    if (this.heldBack !== this.shown) this.target.write(this.heldBack);
    this.shown = this.heldBack;
    this.heldBack = '';
    this.shownMs = this.now();
  }
}

/** `now` gives milliseconds of any steady clock. */
export function createProgress(target: ProgressTarget, now: () => number = () => performance.now()): ProgressDisplay {
  return target.isTTY === true ? new TerminalProgress(target, now) : new PlainProgress(target, now);
}
