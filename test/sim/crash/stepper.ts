/** An actor that dies after its n-th store. Everything runs in one thread; nobody else has a turn meanwhile. */
import type { ControlBlock } from '../control.js';
import type { Waiting } from '../machine.js';
import { KILLED, type Stepper } from '../stepper.js';

export class CrashStepper implements Stepper, Waiting {
  private readonly control: ControlBlock;
  private killAfter = Number.POSITIVE_INFINITY;
  stores = 0;
  isDead = false;
  /** The statement that made the last store, as file:line of the compiled code. */
  lastSite = '';
  wantsSite = false;
  row = -1;

  constructor(control: ControlBlock) {
    this.control = control;
  }

  /** Stores count from now on; after so many of them the actor dies. */
  arm(killAfter: number): void {
    this.stores = 0;
    this.killAfter = killAfter;
  }
  disarm(): void {
    this.killAfter = Number.POSITIVE_INFINITY;
  }

  step(): void {
    if (this.isDead) throw KILLED;
    if (this.stores >= this.killAfter) this.die();
  }

  stored(): void {
    this.stores++;
    if (this.stores < this.killAfter) return;
    if (this.wantsSite) this.lastSite = siteOfCaller();
    this.die();
  }

  private die(): never {
    this.isDead = true;
    throw KILLED;
  }

  checkAlive(): void {
    if (this.isDead) throw KILLED;
  }
  park(timeoutMs: number): void {
    this.control.pass(timeoutMs);
  }
  fenceEverybody(): void {
    this.checkAlive();
  }
  took(row: number): void {
    this.row = row;
  }
}

const FRAME = /(src\/(?:pool|cache)\/.+?)\.(?:js|ts):(\d+)/;

/** The innermost frame that is product code. */
function siteOfCaller(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 12;
  const stack = new Error().stack ?? '';
  Error.stackTraceLimit = limit;
  for (const line of stack.split('\n')) {
    const match = FRAME.exec(line);
    if (match !== null && !line.includes('/test/')) return `${match[1]}:${match[2]}`;
  }
  return 'elsewhere';
}
