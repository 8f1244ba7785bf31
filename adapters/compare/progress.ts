/**
 * Live progress on standard error while the arms run.
 *
 * (P1) on a terminal: one line per arm, redrawn in place at most ten times a second; each fits the width, since a
 *      wrapped line would break the count of lines to go back.
 * (P2) elsewhere: a plain line per arm at its first word, then at most every two seconds, and at its end.
 * (P3) nothing here keeps the process alive: no timers, updates drive it, and finish draws what was held back.
 */
import { visible } from './figures.js';
import type { Progress } from './types.js';

const REDRAW_MS = 100;
const PLAIN_MS = 2000;
const BAR_CELLS = 24;

export interface ProgressTarget {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export interface ProgressDisplay {
  /** A heading for the arms that follow. */
  begin(title: string): void;
  readonly update: Progress;
  /** Draws what was held back and leaves the cursor on a line of its own. Idempotent. */
  finish(): void;
}

interface ArmState {
  fraction: number;
  text: string;
  shownMs: number;
  shownFraction: number;
}

function clampFraction(fraction: number): number {
  return Number.isFinite(fraction) ? Math.min(1, Math.max(0, fraction)) : 0;
}

/** Only a finished arm is shown as 100 %. */
function percentOf(fraction: number): number {
  return fraction >= 1 ? 100 : Math.min(99, Math.floor(fraction * 100));
}

export function armLine(arm: string, fraction: number, text: string, nameWidth: number, columns: number): string {
  const known = clampFraction(fraction);
  const filled = Math.floor(known * BAR_CELLS);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_CELLS - filled);
  const line = `${visible(arm).padEnd(nameWidth)}  ${bar} ${String(percentOf(known)).padStart(3)} %  ${visible(text)}`;
  return line.slice(0, Math.max(1, columns - 1)).trimEnd();
}

class TerminalProgress implements ProgressDisplay {
  private readonly target: ProgressTarget;
  private readonly now: () => number;
  private readonly arms = new Map<string, ArmState>();
  private linesDrawn = 0;
  private drawnMs = Number.NEGATIVE_INFINITY;
  private stale = false;

  constructor(target: ProgressTarget, now: () => number) {
    this.target = target;
    this.now = now;
  }

  begin(title: string): void {
    this.finish();
    this.target.write(`${visible(title)}\n`);
  }

  readonly update: Progress = ({ arm, fraction, text }) => {
    const isNew = !this.arms.has(arm);
    this.arms.set(arm, { fraction: clampFraction(fraction), text, shownMs: 0, shownFraction: 0 });
    this.stale = true;
    if (isNew || fraction >= 1 || this.now() - this.drawnMs >= REDRAW_MS) this.draw();
  };

  finish(): void {
    if (this.stale) this.draw();
    this.arms.clear();
    this.linesDrawn = 0;
  }

  private draw(): void {
    const columns = this.target.columns ?? 80;
    const nameWidth = Math.max(...[...this.arms.keys()].map((arm) => visible(arm).length));
    const lines = [...this.arms].map(
      ([arm, state]) => `\u001b[2K${armLine(arm, state.fraction, state.text, nameWidth, columns)}\n`,
    );
    const back = this.linesDrawn > 0 ? `\u001b[${this.linesDrawn}A\r` : '';
    this.target.write(back + lines.join(''));
    this.linesDrawn = lines.length;
    this.drawnMs = this.now();
    this.stale = false;
  }
}

class PlainProgress implements ProgressDisplay {
  private readonly target: ProgressTarget;
  private readonly now: () => number;
  private readonly arms = new Map<string, ArmState>();

  constructor(target: ProgressTarget, now: () => number) {
    this.target = target;
    this.now = now;
  }

  begin(title: string): void {
    this.finish();
    this.target.write(`${visible(title)}\n`);
  }

  readonly update: Progress = ({ arm, fraction, text }) => {
    const state = this.arms.get(arm) ?? { fraction: 0, text: '', shownMs: Number.NEGATIVE_INFINITY, shownFraction: -1 };
    state.fraction = clampFraction(fraction);
    state.text = text;
    this.arms.set(arm, state);
    const finished = state.fraction >= 1 && state.shownFraction < 1;
    if (finished || this.now() - state.shownMs >= PLAIN_MS) this.show(arm, state);
  };

  finish(): void {
    for (const [arm, state] of this.arms) if (state.fraction > state.shownFraction) this.show(arm, state);
    this.arms.clear();
  }

  private show(arm: string, state: ArmState): void {
    const text = state.text === '' ? '' : `, ${visible(state.text)}`;
    this.target.write(`${visible(arm)}: ${percentOf(state.fraction)} %${text}\n`);
    state.shownMs = this.now();
    state.shownFraction = state.fraction;
  }
}

/** `now` gives milliseconds of any steady clock. */
export function createProgress(target: ProgressTarget, now: () => number = () => performance.now()): ProgressDisplay {
  return target.isTTY === true ? new TerminalProgress(target, now) : new PlainProgress(target, now);
}
