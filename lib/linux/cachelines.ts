/**
 * Cache lines of x86-64, written back and dropped by a few bytes of machine code of its own: neither JavaScript nor the C library
 * has these instructions, and libpmem's loops only write back by default, may be empty where the platform flushes at power loss, and
 * never promise that a line is dropped.
 *
 * (K1) clwb and clflushopt are ordered by a fence or a locked instruction after them, and each by stores to its own line before it
 *      (Intel SDM volume 2A, AMD64 APM volume 3). Koffi's call is opaque to the compiler, so no load or store moves across it.
 * (K2) the code lies in memory that is never writable and executable at the same moment.
 */
import { readFileSync } from 'node:fs';
import { assert } from '../assert.js';
import { PoolError } from '../errors.js';
import { LINE_BYTES } from '../struct.js';
import { Words } from '../words.js';
import { type Address, callAt, lastErrorName, libc, viewOf } from './libc.js';
import { OS_PAGE_BYTES } from './mapping.js';

const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_PRIVATE_ANONYMOUS = 0x22;

/** What is done to the line at rdi. */
const INSTRUCTIONS = {
  clwb: [0x66, 0x0f, 0xae, 0x37],
  clflushopt: [0x66, 0x0f, 0xae, 0x3f],
  clflush: [0x0f, 0xae, 0x3f],
} as const;
export type LineInstruction = keyof typeof INSTRUCTIONS;

/** void (rdi: first line, rsi: how many, one at least): the instruction; add rdi, 64; dec rsi; jnz back; ret. */
function loopOf(instruction: LineInstruction): number[] {
  const code = INSTRUCTIONS[instruction];
  const rest = [0x48, 0x83, 0xc7, LINE_BYTES, 0x48, 0xff, 0xce];
  const back = -(code.length + rest.length + 2);
  return [...code, ...rest, 0x75, back & 0xff, 0xc3];
}

/** The machine's line instructions, best first: `clwb` keeps the line, the others drop it. */
export interface LineChoice {
  readonly writeback: LineInstruction;
  readonly invalidate: LineInstruction;
}

/** By what /proc/cpuinfo says. Throws UNSUPPORTED, naming what is missing. */
export function chooseInstructions(architecture: string, cpuinfo: string): LineChoice {
  const refuse = (what: string): never => {
    throw new PoolError('UNSUPPORTED', `Memory that is not coherent needs ${what}.`);
  };
  if (architecture !== 'x64') refuse(`x86-64: on ${architecture} no instruction that drops a line was tried out`);
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/));
  if (!flags.has('clflush')) refuse('clflush, which /proc/cpuinfo does not list among the flags of this processor');
  const size = /^clflush size\s*:\s*(\d+)/m.exec(cpuinfo)?.[1];
  if (size !== String(LINE_BYTES))
    refuse(`lines of ${LINE_BYTES} bytes; this processor's have ${size ?? 'an unknown number'}`);
  const invalidate = flags.has('clflushopt') ? 'clflushopt' : 'clflush';
  return { invalidate, writeback: flags.has('clwb') ? 'clwb' : invalidate };
}

/** Machine code in a page of its own, for the life of the process. Throws UNSUPPORTED where the system forbids that. */
function place(codes: readonly (readonly number[])[]): Address[] {
  const forbidden = (what: string) =>
    new PoolError(
      'UNSUPPORTED',
      `Memory that is not coherent needs a page of machine code, and ${what} failed with ${lastErrorName()}: this system forbids it (SELinux execmem, a seccomp filter).`,
    );
  const flags = MAP_PRIVATE_ANONYMOUS;
  const page: number | bigint = libc().mmap(0, OS_PAGE_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (typeof page !== 'number') throw forbidden('mmap');
  const bytes = new Uint8Array(viewOf(page, OS_PAGE_BYTES));
  const starts = codes.map((code, index) => {
    bytes.set(code, index * LINE_BYTES);
    return page + index * LINE_BYTES;
  });
  if (libc().mprotect(page, OS_PAGE_BYTES, PROT_READ | PROT_EXEC) !== 0) throw forbidden('mprotect');
  return starts;
}

let placed: { readonly choice: LineChoice; readonly starts: readonly Address[] } | undefined;

/** Lines of one mapping, by number from its start. Its address is a multiple of the line's size. */
export class CacheLines {
  readonly choice: LineChoice;
  private readonly address: Address;
  private readonly lineCount: number;
  private readonly writebackAt: Address;
  private readonly invalidateAt: Address;
  private readonly fence = new Words(new ArrayBuffer(4));

  /** Throws UNSUPPORTED. */
  constructor(mapping: { readonly address: Address; readonly byteLength: number }) {
    if (placed === undefined) {
      const choice = chooseInstructions(process.arch, readFileSync('/proc/cpuinfo', 'utf8'));
      placed = { choice, starts: place([loopOf(choice.writeback), loopOf(choice.invalidate)]) };
    }
    assert(mapping.address % LINE_BYTES === 0, `address ${mapping.address} is within a line`);
    this.address = mapping.address;
    this.lineCount = Math.floor(mapping.byteLength / LINE_BYTES);
    this.choice = placed.choice;
    this.writebackAt = placed.starts[0] as Address;
    this.invalidateAt = placed.starts[1] as Address;
  }

  private run(code: Address, line: number, count: number): void {
    if (count <= 0) return;
    assert(line >= 0 && line + count <= this.lineCount, `lines ${line} to ${line + count} are not in the mapping`);
    callAt(code, this.address + line * LINE_BYTES, count);
  }

  writeback(line: number, count: number): void {
    this.run(this.writebackAt, line, count);
  }

  invalidate(line: number, count: number): void {
    this.run(this.invalidateAt, line, count);
  }

  /** A locked exchange of a private word: on x86 as good as mfence, and no call out of JavaScript. */
  order(): void {
    this.fence.exchange(0, 0);
  }
}
