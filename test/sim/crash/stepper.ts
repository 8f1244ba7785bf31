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

const PRODUCT = /(?:^|\/)((?:src\/)(?:pool|cache)\/.+)\.js$/;

/** The innermost frame that is product code, as file:line of the compiled code whether or not there are source maps. */
function siteOfCaller(): string {
  const { prepareStackTrace, stackTraceLimit } = Error;
  Error.stackTraceLimit = 12;
  Error.prepareStackTrace = (_, frames) => frames;
  const frames = new Error().stack as unknown as NodeJS.CallSite[];
  Error.prepareStackTrace = prepareStackTrace;
  Error.stackTraceLimit = stackTraceLimit;
  for (const frame of frames) {
    const match = PRODUCT.exec(frame.getFileName() ?? '');
    if (match !== null) return `${match[1]}:${frame.getLineNumber()}`;
  }
  return 'elsewhere';
}
