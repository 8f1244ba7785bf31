/**
 * Turns of cells that share the machine: what one measures between two looks at the clock, the other measures right after, or
 * before. So a ratio of two builds is as good as one of two arms of a cell.
 *
 * (T1) a cell takes a turn for each round (or each slice, where those are long); at no time have two a turn.
 * (T2) equal seeds give the same rounds in the same order; who goes first in a round is drawn.
 * (T3) who is at work between two rounds is waited for, who has ended is not.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Random } from './random.js';

/** Set where a cell has to wait for its turns. */
export const TURNS_VARIABLE = 'SEALPOOL_BENCH_TURNS';

interface TurnMessage {
  readonly turn: 'wanted' | 'begun' | 'over';
}

const isTurn = (message: unknown): message is TurnMessage =>
  typeof message === 'object' && message !== null && 'turn' in message;

/** In the cell's process: does the work in a turn. Where nobody shares the machine that is at once. */
export async function inTurn<T>(work: () => Promise<T> | T): Promise<T> {
  if (process.env[TURNS_VARIABLE] === undefined || process.send === undefined) return work();
  const begun = once(process, 'message');
  process.send({ turn: 'wanted' } satisfies TurnMessage);
  await begun;
  const result = await work();
  process.send({ turn: 'over' } satisfies TurnMessage);
  return result;
}

class Side {
  private readonly child: ChildProcess;
  private state: 'resting' | 'wanting' | 'measuring' | 'gone' = 'resting';
  private changed = () => {};

  constructor(child: ChildProcess) {
    this.child = child;
    child.on('message', (message) => {
      if (isTurn(message)) this.become(message.turn === 'wanted' ? 'wanting' : 'resting');
    });
    child.once('exit', () => this.become('gone'));
  }

  private become(state: typeof this.state): void {
    if (this.state !== 'gone') this.state = state;
    this.changed();
  }

  private async while(state: typeof this.state): Promise<void> {
    while (this.state === state) {
      await new Promise<void>((resolve) => {
        this.changed = resolve;
      });
    }
  }

  /** Whether it wants another turn. */
  async wants(): Promise<boolean> {
    await this.while('resting');
    return this.state === 'wanting';
  }

  async measure(): Promise<void> {
    this.state = 'measuring';
    this.child.send({ turn: 'begun' } satisfies TurnMessage);
    await this.while('measuring');
  }
}

/** Gives the children their turns until all have ended. */
export async function giveTurns(children: readonly ChildProcess[], random: Random): Promise<void> {
  const sides = children.map((child) => new Side(child));
  for (;;) {
    const wishes = await Promise.all(sides.map((side) => side.wants()));
    const wanting = sides.filter((_, i) => wishes[i]);
    if (wanting.length === 0) return;
    for (const side of random.shuffle(wanting)) await side.measure();
  }
}
