/** Cuts as the engine makes them: a stack that overflows and is caught, a run that vm ends at its timeout. */
import vm from 'node:vm';

/**
 * Calls `work` with room on the stack for about so many small frames: sinks until the stack is full, comes up so many
 * frames, and calls it there. So no depth has to be measured, which changes with what the engine has compiled.
 */
class Sink {
  private readonly frames: number;
  private readonly work: () => void;
  private isDone = false;
  error: unknown;

  constructor(frames: number, work: () => void) {
    this.frames = frames;
    this.work = work;
  }

  /** How many frames lie below this one. */
  sink(): number {
    let below = 0;
    try {
      below = this.sink() + 1;
    } catch {
      // The stack is full. This may be so for the handler as well: then it is one of the frames above that goes on.
      below = 1;
    }
    if (this.isDone || below < this.frames) return below;
    this.isDone = true;
    try {
      this.work();
    } catch (error) {
      this.error = error;
    }
    return below;
  }
}

/** Whether the work was cut by an overflow. Throws what else it throws. */
export function overflowIn(frames: number, work: () => void): boolean {
  const sink = new Sink(frames, work);
  sink.sink();
  if (sink.error === undefined) return false;
  if (sink.error instanceof RangeError) return true;
  throw sink.error;
}

/** Runs work again and again until vm ends it; its catch and finally do not run then. One for each process: contexts are dear. */
export class Terminator {
  private readonly context: vm.Context;
  private readonly script = new vm.Script('for (;;) work()');
  private work: () => void = () => {};

  constructor() {
    this.context = vm.createContext({ work: () => this.work() });
  }

  /** Throws what the work throws before that. */
  run(timeoutMs: number, work: () => void): void {
    this.work = work;
    try {
      this.script.runInContext(this.context, { timeout: timeoutMs });
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    }
  }
}
