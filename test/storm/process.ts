/** The processes of a storm as their supervisor holds them: started and warm beforehand, then told which life to lead. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LifePlan, Notice, Order } from './plan.js';

const PROGRAM = fileURLToPath(new URL('./node.main.js', import.meta.url));

export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
}

/** A process with a node in it, however it was started. */
export interface StormNode {
  /** How it was started. */
  readonly kind: 'forked' | 'a program' | 'a host of workers';
  readonly pid: number;
  /** Row of the node once it is connected, else -1. */
  readonly row: number;
  readonly connected: Promise<unknown>;
  readonly ended: Promise<Ending>;
  readonly isOver: boolean;
  leave(): void;
  kill(): void;
}

export class StormProcess implements StormNode {
  row = -1;
  kind: StormNode['kind'] = 'a program';
  readonly ready: Promise<unknown>;
  readonly connected: Promise<unknown>;
  readonly ended: Promise<Ending>;
  isOver = false;
  protected readonly child: ChildProcess;

  /** The program says that it is ready, and takes orders. `launcher`: what runs it, with its flags. */
  constructor(program = PROGRAM, launcher: readonly string[] = [process.execPath, '--enable-source-maps']) {
    const [execPath = '', ...execArgv] = launcher;
    this.child = fork(program, [], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execPath, execArgv });
    const output: Buffer[] = [];
    this.child.stdout?.on('data', (data: Buffer) => output.push(data));
    this.child.stderr?.on('data', (data: Buffer) => output.push(data));
    // A message that finds its process killed is no failure of the storm.
    this.child.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        this.isOver = true;
        resolve({ code, signal, output: Buffer.concat(output).toString() });
      });
    });
    const first = (fits: (notice: Notice) => boolean) =>
      new Promise<void>((resolve) => {
        this.child.on('message', (notice: Notice) => {
          if ('row' in notice) this.row = notice.row;
          if (fits(notice)) resolve();
        });
        void this.ended.then(() => resolve());
      });
    this.ready = first((notice) => 'ready' in notice);
    this.connected = first((notice) => 'row' in notice);
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  protected send(order: object): void {
    if (this.child.connected) this.child.send(order, () => {});
  }
  go(plan: LifePlan): void {
    if (plan.onWorker === true) this.kind = 'a host of workers';
    this.send({ go: plan } satisfies Order);
  }
  leave(): void {
    this.send({ leave: true } satisfies Order);
  }
  kill(): void {
    this.child.kill('SIGKILL');
  }
}

/** Processes that have loaded the program and wait. */
export class Spares<T extends StormProcess = StormProcess> {
  private readonly waiting: T[] = [];
  private readonly most: number;
  private readonly make: () => T;
  private closed = false;

  constructor(most: number, make: () => T) {
    this.most = most;
    this.make = make;
    this.refill();
  }

  private refill(): void {
    while (!this.closed && this.waiting.length < this.most) this.waiting.push(this.make());
  }

  async bear(plan: LifePlan): Promise<T> {
    const spare = this.waiting.shift() ?? this.make();
    this.refill();
    await spare.ready;
    spare.go(plan);
    return spare;
  }

  async close(): Promise<void> {
    this.closed = true;
    const left = this.waiting.splice(0);
    for (const spare of left) spare.kill();
    await Promise.all(left.map((spare) => spare.ended));
  }
}
