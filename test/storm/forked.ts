/** Forked nodes as the supervisor holds them: by way of the board, since they have no event loop to talk to. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Board } from './board.js';
import { FORK_FLAGS } from './fork.js';
import type { LifePlan, Scene } from './plan.js';
import type { Ending, StormNode } from './process.js';

const PROGRAM = fileURLToPath(new URL('./forker.main.js', import.meta.url));
const LOOK_MS = 1;
const SIGNAL_BITS = 7;
const SIGNALS: Readonly<Record<number, string>> = { 6: 'SIGABRT', 7: 'SIGBUS', 9: 'SIGKILL', 11: 'SIGSEGV' };

class ForkedNode implements StormNode {
  readonly kind = 'forked';
  readonly connected: Promise<unknown>;
  readonly ended: Promise<Ending>;
  isOver = false;
  private readonly board: Board;
  private readonly seat: number;
  private isKilled = false;
  private readonly isForkerGone: () => boolean;

  constructor(board: Board, seat: number, outputOf: () => string, isForkerGone: () => boolean) {
    this.board = board;
    this.seat = seat;
    this.isForkerGone = isForkerGone;
    this.connected = this.wait(() => board.readDesk(seat, 'row') !== 0 || this.isOver);
    this.ended = this.wait(() => board.readDesk(seat, 'ended') !== 0).then(() => {
      this.isOver = true;
      const word = board.readDesk(seat, 'ended') - 1;
      if (word < 0) return { code: null, signal: 'nobody knows what', output: outputOf() };
      const signal = word & ((1 << SIGNAL_BITS) - 1);
      const ending = signal === 0 ? null : (SIGNALS[signal] ?? `signal ${signal}`);
      return { code: signal === 0 ? word >> SIGNAL_BITS : null, signal: ending, output: outputOf() };
    });
  }

  private async wait(isSo: () => boolean): Promise<void> {
    // Without its parent nobody tells how it ends.
    while (!isSo() && !this.isForkerGone()) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      // Killed before its process was there.
      if (this.isKilled) this.kill();
    }
  }

  get pid(): number {
    return this.board.readDesk(this.seat, 'pid');
  }
  get row(): number {
    return this.board.readDesk(this.seat, 'row') - 1;
  }
  leave(): void {
    this.board.writeDesk(this.seat, 'leave', 1);
  }
  kill(): void {
    this.isKilled = true;
    if (this.pid <= 0 || this.board.readDesk(this.seat, 'ended') !== 0) return;
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

export class Forker {
  private readonly process: ChildProcess;
  private readonly board: Board;
  private readonly output: Buffer[] = [];
  private readonly warm: Promise<void>;
  /** How the forker itself ended, which it never should. */
  readonly gone: Promise<string>;
  private isGone = false;

  constructor(board: Board, scene: Scene, seats: number) {
    this.board = board;
    const told = JSON.stringify({ scene, seats });
    this.process = spawn(process.execPath, ['--enable-source-maps', ...FORK_FLAGS, PROGRAM, told], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process.stderr?.on('data', (data: Buffer) => this.output.push(data));
    this.gone = new Promise((resolve) => {
      this.process.on('close', (code, signal) => resolve(`${signal ?? `exit code ${code}`} ${this.text()}`));
    });
    void this.gone.then(() => {
      this.isGone = true;
    });
    this.warm = new Promise((resolve) => this.process.stdout?.once('data', () => resolve()));
  }

  private text(): string {
    return Buffer.concat(this.output).toString();
  }

  async bear(plan: LifePlan): Promise<StormNode> {
    await Promise.race([this.warm, this.gone]);
    if (this.isGone) throw new Error(`the process that forks ended: ${await this.gone}`);
    const { board } = this;
    const { seat, fuse } = plan;
    for (const field of ['leave', 'pid', 'row', 'ended'] as const) board.writeDesk(seat, field, 0);
    board.writeDesk(seat, 'seed', plan.seed);
    board.writeDesk(seat, 'fill', plan.fill === true ? 1 : 0);
    board.writeDesk(seat, 'prefault', plan.prefault === true ? 1 : 0);
    board.writeDesk(seat, 'fuse', fuse === undefined ? 0 : fuse.where === 'lock' ? 1 : 2);
    board.writeDesk(seat, 'stores', fuse?.stores ?? 0);
    board.writeDesk(seat, 'order', board.readDesk(seat, 'order') + 1);
    return new ForkedNode(
      board,
      seat,
      () => this.text(),
      () => this.isGone,
    );
  }

  async close(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.gone;
  }
}
