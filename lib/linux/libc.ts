/**
 * koffi bindings to the C library: declarations only, no policy. koffi itself is loaded at first use, so that importing the
 * package never throws on a system for which it has no binary.
 */
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import type Koffi from 'koffi';
import { PoolError } from '../errors.js';
import { describeLimit } from './failures.js';

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
    mprotect: libc.func('mprotect', 'int', ['uintptr_t', 'size_t', 'int']),
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
    usleep: libc.func('usleep', 'int', ['uint32']),
    schedGetAffinity: libc.func('sched_getaffinity', 'int', ['int', 'size_t', 'void *']),
    schedSetAffinity: libc.func('sched_setaffinity', 'int', ['int', 'size_t', 'void *']),
  };
}

/** Its worker and buffer life is another: a pool there ends in a segmentation fault. Throws UNSUPPORTED. */
export function refuseBun(versions: { readonly [name: string]: string | undefined }): void {
  const version = versions['bun'];
  if (version === undefined) return;
  throw new PoolError(
    'UNSUPPORTED',
    `This is Bun ${version}, which cannot hold a pool: run the program under Node.js.`,
  );
}

/** Why the native part could not be loaded, by what the loader says. */
function describeBinding(cause: unknown): PoolError {
  const { code = '', message = '' } = cause as NodeJS.ErrnoException;
  const what = 'The C library could not be bound';
  const limit = /too many open files/i.test(message)
    ? 'EMFILE'
    : /cannot allocate memory/i.test(message)
      ? 'ENOMEM'
      : code;
  const known = describeLimit(what, limit, {}, cause);
  if (known !== undefined) return known;
  return new PoolError('UNSUPPORTED', `${what}: ${reasonOf(code, message)}.`, undefined, cause);
}

/** Why koffi does not load, and what to do. */
function reasonOf(code: string, message: string): string {
  if (code === 'ERR_DLOPEN_DISABLED' || code === 'ERR_ACCESS_DENIED')
    return "Node's permission model forbids native code here. Start it with --allow-addons";
  if (code === 'MODULE_NOT_FOUND' && /'koffi'/.test(message))
    return 'the package koffi is not found from this file. A bundle cannot have it within: run it where koffi is installed, or mark sealpool as external to the bundle (esbuild --external:sealpool)';
  if (code === 'ERR_INVALID_ARG_VALUE')
    return 'this is a bundle in CommonJS, which does not know where it lies. Mark sealpool as external to it (esbuild --external:sealpool), or bundle as ESM';
  return 'npm may have left out the native part of koffi (--omit=optional, another platform), or a bundler did: mark koffi as external to the bundle (esbuild --external:koffi)';
}

let loaded: ReturnType<typeof declare> | undefined;

/** The bindings. Throws UNSUPPORTED where the system is not Linux on x64 or arm64. */
export function libc(): ReturnType<typeof declare> {
  if (loaded === undefined) {
    const { platform, arch, versions } = process;
    refuseBun(versions);
    if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
      throw new PoolError('UNSUPPORTED', `This system is ${platform} on ${arch}.`);
    }
    try {
      loaded = declare();
    } catch (cause) {
      throw describeBinding(cause);
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

let lineLoop: ReturnType<typeof Koffi.proto> | undefined;

/** Calls machine code that is `void (first, count)`. */
export function callAt(code: Address, first: Address, count: number): void {
  lineLoop ??= koffi().proto('void', ['uintptr_t', 'size_t']);
  koffi().call(BigInt(code), lineLoop, first, count);
}
