/**
 * The real machine: clock, chance, timers, and futexes on the pool's words.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { MonotonicMs, WallMs } from '../clock.js';
import type { CollectionWatch, Machine, Ticker } from '../machine.js';
import { type Address, libc } from './libc.js';
import { fenceEverybody, registerForFences } from './membarrier.js';

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const FUTEX_SYSCALL = process.arch === 'arm64' ? 98 : 202;
const EVERYONE = 0x7fffffff;
/** What this process calls 0, by the monotonic clock that all processes of the host share. */
const HOST_MS = hostMs() - performance.now();

function hostMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

function readBootId(): Int32Array {
  const words = new Int32Array(4);
  try {
    const text = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').replaceAll('-', '').trim();
    for (let i = 0; i < 4; i++) words[i] = Number.parseInt(text.slice(i * 8, i * 8 + 8), 16) | 0;
  } catch {
    // Without /proc every boot looks alike; the file locks still tell the dead from the living.
  }
  return words;
}

export class LinuxMachine implements Machine {
  readonly processId = process.pid;
  readonly hostName = hostname();
  readonly bootId = readBootId();
  private readonly address: Address;

  /** `wordsAddress` is the native address of word 0. Without it there is nothing to park on. */
  constructor(wordsAddress: Address = 0) {
    this.address = wordsAddress;
  }

  nowMs(): WallMs {
    return Date.now();
  }

  elapsedMs(): MonotonicMs {
    return HOST_MS + performance.now();
  }

  registerForFences(): boolean {
    // Elsewhere a sequentially consistent store is no full fence anyway, and there is little to save.
    return process.arch === 'x64' && registerForFences();
  }

  fenceEverybody(): boolean {
    return fenceEverybody();
  }

  randomWord(): number {
    return (Math.random() * 2 ** 32) | 0;
  }

  afterRun(callback: () => void): void {
    queueMicrotask(callback);
  }

  every(intervalMs: number, callback: () => void): Ticker {
    const timer = setInterval(callback, intervalMs);
    timer.unref();
    return { stop: () => clearInterval(timer) };
  }

  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, durationMs));
  }

  watchCollected<T>(onCollected: (given: T) => void): CollectionWatch<T> {
    const registry = new FinalizationRegistry(onCollected);
    return { watch: (object, given) => registry.register(object, given) };
  }

  warn(code: string, message: string): void {
    process.emitWarning(message, { type: 'SealpoolWarning', code });
  }

  park(wordIndex: number, expected: number, timeoutMs: number): void {
    const timeout = Buffer.alloc(16);
    timeout.writeBigInt64LE(BigInt(Math.floor(timeoutMs / 1000)), 0);
    timeout.writeBigInt64LE(BigInt(Math.floor((timeoutMs % 1000) * 1e6)), 8);
    libc().syscall(FUTEX_SYSCALL, this.address + wordIndex * 4, FUTEX_WAIT, expected >>> 0, timeout, 0, 0);
  }

  unpark(wordIndex: number): void {
    libc().syscall(FUTEX_SYSCALL, this.address + wordIndex * 4, FUTEX_WAKE, EVERYONE, null, 0, 0);
  }
}
