/**
 * fork(2) of a warm Node process: a node that costs milliseconds to start instead of a sixth of a second of two cores, so
 * that a storm can kill by the thousand.
 *
 * Only for a process started with FORK_FLAGS, in which V8 and libuv have no threads that a child would miss. The child may
 * compute and make system calls, but has no event loop: it shares its parent's. V8 keeps its heap out of children
 * (MADV_DONTFORK); that is taken back for whatever is mapped at the moment. A collection of garbage between that and the
 * fork may map more: then the child would meet a hole, so it is thrown away, and must not begin before it is known whole.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import koffi from 'koffi';

/** Known to work; elsewhere a storm starts programs. */
export const CAN_FORK = process.versions.node.startsWith('20.') && process.arch === 'x64';
export const FORK_FLAGS = ['--single-threaded', '--v8-pool-size=0'];

const MADV_DOFORK = 11;
const WNOHANG = 1;
const SIGKILL = 9;
const MEMBARRIER = process.arch === 'arm64' ? 283 : 324;
const REGISTER_GLOBAL_EXPEDITED = 4;
const ATTEMPTS_MAX = 20;
const library = koffi.load(null);
const calls = {
  fork: library.func('int fork()'),
  kill: library.func('int kill(int, int)'),
  waitpid: library.func('int waitpid(int, void *, int)'),
  exit: library.func('void _exit(int)'),
  getpid: library.func('int getpid()'),
  madvise: library.func('int madvise(uintptr_t, size_t, int)'),
  syscall: library.func('long syscall(long, int, unsigned int, int)'),
};

const status = Buffer.alloc(4);
const text = Buffer.alloc(16 * 1024 * 1024);
let at = 0;

function readMappings(): number {
  const descriptor = openSync('/proc/self/smaps', 'r');
  let length = 0;
  for (let count = 1; count > 0; length += count) count = readSync(descriptor, text, length, 65_536, null);
  closeSync(descriptor);
  return length;
}

/** The hexadecimal number at `at`, which moves behind it. */
function readNumber(): number {
  let value = 0;
  for (; ; at++) {
    const code = text[at] as number;
    const digit = code >= 48 && code < 58 ? code - 48 : code >= 97 && code < 103 ? code - 87 : -1;
    if (digit < 0) return value;
    value = value * 16 + digit;
  }
}

/** Whether the line of flags at `at` has `dc`: not copied to children. */
function isKeptOut(): boolean {
  for (let i = at; text[i] !== 10; i++) if (text[i] === 32 && text[i + 1] === 100 && text[i + 2] === 99) return true;
  return false;
}

/** Lets children have every mapping. How many were kept from them. */
function letThrough(): number {
  const length = readMappings();
  let found = 0;
  let start = 0;
  let end = 0;
  for (at = 0; at < length; at++) {
    const first = text[at] as number;
    if (first === 86 && text[at + 2] === 70) {
      // VmFlags
      if (isKeptOut() && calls.madvise(start, end - start, MADV_DOFORK) === 0) found++;
    } else if ((first >= 48 && first < 58) || (first >= 97 && first < 103)) {
      start = readNumber();
      at++;
      end = readNumber();
    }
    while (at < length && text[at] !== 10) at++;
  }
  return found;
}

/** 0 in the child, which may not begin before this has returned in the parent: until then the parent may take it back. */
export function forkNow(): number {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    letThrough();
    const id = calls.fork() as number;
    if (id < 0) throw new Error('fork failed');
    if (id === 0) {
      // What Node found at its start is not true of the child, nor what this process registered for.
      Object.defineProperty(process, 'pid', { value: calls.getpid() });
      calls.syscall(MEMBARRIER, REGISTER_GLOBAL_EXPEDITED, 0, 0);
      return 0;
    }
    if (letThrough() === 0) return id;
    calls.kill(id, SIGKILL);
    calls.waitpid(id, status, 0);
  }
  throw new Error(`this process maps memory all the time: no child of ${ATTEMPTS_MAX} had all of it`);
}

/** A child that is gone, reaped: its process id, signal (0 for none) and exit code. */
export function reap(): { id: number; signal: number; code: number } | undefined {
  const id = calls.waitpid(-1, status, WNOHANG) as number;
  if (id <= 0) return undefined;
  const word = status.readInt32LE(0);
  return { id, signal: word & 127, code: word >> 8 };
}

/** Ends this process at once: a forked one has no other way. */
export function leaveNow(code: number): never {
  calls.exit(code);
  throw new Error('unreachable');
}
