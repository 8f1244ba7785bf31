/**
 * Asymmetric fences: the rare side pays for the frequent one (membarrier(2), Linux 4.16; the technique of liburcu and of
 * folly's hazard pointers). A process that has registered may leave the full fence between its store and its next load
 * out, if whoever looks at that store calls `fenceEverybody` first: the kernel then runs a full barrier on every thread
 * of every registered process that is running at the moment, and one that is not running has passed one.
 */
import { PoolError } from '../errors.js';
import { libc } from './libc.js';

const QUERY = 0;
const GLOBAL_EXPEDITED = 2;
const REGISTER_GLOBAL_EXPEDITED = 4;
const SYSCALL = process.arch === 'arm64' ? 283 : 324;

function membarrier(command: number): number {
  return libc().syscall(SYSCALL, command, 0, 0, null, 0, 0);
}

let registered: boolean | undefined;

/**
 * Registers this process, once. False where the kernel or a sandbox refuses: then every store needs its own fence. Throws
 * OPTION_INVALID for a SEALPOOL_FENCES that is none.
 */
export function registerForFences(): boolean {
  // For finding out whether a fault comes from here, and for testing the other way.
  const wanted = process.env['SEALPOOL_FENCES'] ?? '';
  if (wanted === 'own') return false;
  if (wanted !== '') {
    const message = `SEALPOOL_FENCES: expected 'own', or nothing, not '${wanted}'.`;
    throw new PoolError('OPTION_INVALID', message, { option: 'SEALPOOL_FENCES' });
  }
  if (registered === undefined) {
    const commands = membarrier(QUERY);
    const both = GLOBAL_EXPEDITED | REGISTER_GLOBAL_EXPEDITED;
    registered = commands > 0 && (commands & both) === both && membarrier(REGISTER_GLOBAL_EXPEDITED) === 0;
  }
  return registered;
}

/** A full fence on every running thread of every registered process. About a microsecond. False when it was refused. */
export function fenceEverybody(): boolean {
  return membarrier(GLOBAL_EXPEDITED) === 0;
}
