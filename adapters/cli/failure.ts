/**
 * How a command ends badly: what is printed and which code the process exits with.
 *
 * (X1) 0 fine, 1 failed, 2 wrong usage or not in this version. (X2) a stack is printed only for what nobody foresaw.
 */
import { CommanderError } from 'commander';
import { PoolError } from '../../lib/errors.js';
import { visible, WorkloadMissing } from '../compare/index.js';

export const EXIT_FINE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** The command was used wrongly, in a way that no option parser sees. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command did its work and the answer is no: a key that is not there, a check that failed. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}

/** Failures of the workloads, by name: their modules are loaded only when they run. */
const foreseen: Readonly<Record<string, number>> = { EngineMissingError: EXIT_USAGE, ReplayError: EXIT_FAILED };

function isSystemError(failure: unknown): failure is NodeJS.ErrnoException {
  return failure instanceof Error && typeof (failure as NodeJS.ErrnoException).syscall === 'string';
}

/** The exit code of a failure, and the text for standard error: none where commander has printed its own. */
export function explain(failure: unknown): { exitCode: number; text?: string } {
  if (failure instanceof CommanderError) {
    const asked = ['commander.helpDisplayed', 'commander.version'].includes(failure.code);
    return { exitCode: asked ? EXIT_FINE : EXIT_USAGE };
  }
  if (failure instanceof UsageError || failure instanceof WorkloadMissing) {
    return { exitCode: EXIT_USAGE, text: failure.message };
  }
  if (failure instanceof PoolError) {
    return { exitCode: failure.code === 'OPTION_INVALID' ? EXIT_USAGE : EXIT_FAILED, text: visible(failure.message) };
  }
  if (failure instanceof CommandFailed || isSystemError(failure)) {
    return { exitCode: EXIT_FAILED, text: visible(failure.message) };
  }
  if (failure instanceof Error && Object.hasOwn(foreseen, failure.name)) {
    return { exitCode: foreseen[failure.name] ?? EXIT_FAILED, text: failure.message };
  }
  const text = failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
  return { exitCode: EXIT_FAILED, text: `unexpected failure, please report it\n${text}` };
}
