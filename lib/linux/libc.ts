/**
 * koffi bindings to the C library: declarations only, no policy. koffi itself is loaded at first use, so that importing the
 * package never throws on a system for which it has no binary.
 */
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import type Koffi from 'koffi';
import { PoolError } from '../errors.js';

/** A native address. User-space addresses are below 2^47 (2^52 with large addressing), so a number holds them. */
export type Address = number;

let loadedKoffi: typeof Koffi | undefined;

function koffi(): typeof Koffi {
  loadedKoffi ??= createRequire(import.meta.url)('koffi') as typeof Koffi;
  return loadedKoffi;
}

function declare() {
  const libc = koffi().load(null);
  return {
    mmap: libc.func('mmap', 'uintptr_t', ['uintptr_t', 'size_t', 'int', 'int', 'int', 'int64_t']),
    munmap: libc.func('munmap', 'int', ['uintptr_t', 'size_t']),
    msync: libc.func('msync', 'int', ['uintptr_t', 'size_t', 'int']),
    madvise: libc.func('madvise', 'int', ['uintptr_t', 'size_t', 'int']),
    posixFallocate: libc.func('posix_fallocate', 'int', ['int', 'int64_t', 'int64_t']),
    mkfifo: libc.func('mkfifo', 'int', ['str', 'uint32_t']),
    open: libc.func('open', 'int', ['str', 'int', 'int']),
    fcntl: libc.func('fcntl', 'int', ['int', 'int', 'void *']),
    syscall: libc.func('syscall', 'long', ['long', 'uintptr_t', 'long', 'long', 'void *', 'uintptr_t', 'long']),
    robustListOf: libc.func('syscall', 'long', ['long', 'uintptr_t', 'void *', 'void *']),
    registerRobustList: libc.func('syscall', 'long', ['long', 'uintptr_t', 'size_t']),
    threadId: libc.func('syscall', 'int', ['long']),
    schedYield: libc.func('sched_yield', 'int', []),
    schedGetAffinity: libc.func('sched_getaffinity', 'int', ['int', 'size_t', 'void *']),
    schedSetAffinity: libc.func('sched_setaffinity', 'int', ['int', 'size_t', 'void *']),
  };
}

let loaded: ReturnType<typeof declare> | undefined;

/** The bindings. Throws UNSUPPORTED where the system is not Linux on x64 or arm64. */
export function libc(): ReturnType<typeof declare> {
  if (loaded === undefined) {
    const { platform, arch } = process;
    if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
      throw new PoolError('UNSUPPORTED', `This system is ${platform} on ${arch}.`);
    }
    try {
      loaded = declare();
    } catch (cause) {
      throw new PoolError(
        'UNSUPPORTED',
        'The C library could not be bound: npm may have left out the native part of koffi.',
        undefined,
        cause,
      );
    }
  }
  return loaded;
}

/** The name of the last error of a call on this thread, such as ENOSPC. */
export function lastErrorName(): string {
  return errorNameOf(koffi().errno());
}

export function errorNameOf(errno: number): string {
  const found = Object.entries(constants.errno).find(([, value]) => value === errno);
  return found?.[0] ?? `errno ${errno}`;
}

/** A foreign view of memory. The caller has checked that the range is mapped: koffi aborts the process on null. */
export function viewOf(address: Address, byteLength: number): ArrayBuffer {
  return koffi().view(address, byteLength);
}

/** Where the bytes of the buffer lie. */
export function addressOf(buffer: ArrayBufferLike): bigint {
  return koffi().address(buffer);
}
