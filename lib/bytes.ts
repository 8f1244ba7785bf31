/**
 * What counts as bytes: a Uint8Array, of whatever realm (vm contexts, test runners) and subclass. Decided by what the engine
 * knows of the array, never by what the object says of itself: a subclass may have a `length` of its own, an array over a
 * growing buffer another one a moment later.
 *
 * (B1) what `takeBytes` gives has a length that never changes but to 0, and its own members are the engine's: a copy of it
 *      fits where its length was made room for.
 * (B2) the memory of a buffer that was taken away stays for as long as anybody holds that buffer: the kernel may still be
 *      reading into it, and Node keeps the view of a read under way, not the memory behind it.
 */
import { PoolError } from './errors.js';

const shared = Object.getPrototypeOf(Uint8Array.prototype) as object;

function getterOf<T>(name: string | symbol): (array: unknown) => T {
  const get = Object.getOwnPropertyDescriptor(shared, name)?.get as (this: unknown) => T;
  return (array) => get.call(array);
}

const tagOf = getterOf<string | undefined>(Symbol.toStringTag);
const bufferOf = getterOf<ArrayBuffer>('buffer');
const offsetOf = getterOf<number>('byteOffset');
const lengthOf = getterOf<number>('length');
const at = (shared as Uint8Array).at;

/** Whether the value is a Uint8Array. Nothing that merely looks like one, or wraps one, is. */
export function isBytes(value: unknown): value is Uint8Array {
  return tagOf(value) === 'Uint8Array';
}

/** Of a Uint8Array, as the engine knows it; 0 where it is detached. */
export function lengthOfBytes(bytes: Uint8Array): number {
  return lengthOf(bytes);
}

/** A detached array, and one beyond the end of a buffer that shrank, say that they are empty. */
function isReachable(bytes: Uint8Array): boolean {
  try {
    at.call(bytes, 0);
    return true;
  } catch {
    return false;
  }
}

/** What the value is, for a message. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (Array.isArray(value)) return 'an array';
  return `a ${Object.prototype.toString.call(value).slice(8, -1)}`;
}

/** The same bytes as a plain view of a length that stays (B1). Throws OPTION_INVALID, naming `what`. */
export function takeBytes(value: unknown, what: string): Uint8Array {
  if (!isBytes(value)) {
    throw new PoolError('OPTION_INVALID', `${what}: expected a Uint8Array, not ${kindOf(value)}.`, { option: what });
  }
  const length = lengthOf(value);
  if (length === 0 && !isReachable(value)) {
    throw new PoolError('OPTION_INVALID', `${what}: the buffer behind them was transferred away or shrunk.`, {
      option: what,
    });
  }
  return new Uint8Array(bufferOf(value), offsetOf(value), length);
}

/** How many bytes the target has room for from the offset on; negative where it lies outside. Throws OPTION_INVALID. */
export function roomIn(target: unknown, offset: number): number {
  if (!isBytes(target)) {
    throw new PoolError('OPTION_INVALID', `target: expected a Uint8Array, not ${kindOf(target)}.`, {
      option: 'target',
    });
  }
  return Number.isSafeInteger(offset) && offset >= 0 ? lengthOf(target) - offset : -1;
}

const setBytes = (shared as Uint8Array).set;

/** Copies the bytes into the target, which has room for them (`roomIn`), whatever members it has of its own. */
export function copyBytes(target: Uint8Array, offset: number, bytes: Uint8Array): void {
  setBytes.call(target, bytes, offset);
}

/** Whether the bytes are as many as they were made for: nobody transferred them away. */
export function isWhole(bytes: Uint8Array, size: number): boolean {
  return isBytes(bytes) && lengthOf(bytes) === size;
}

/** How many bytes whoever filled some says that he filled, as a number or as reads of files do; anything, where he says nothing of it. */
export function filledOf(answer: unknown): unknown {
  return typeof answer === 'object' && answer !== null ? (answer as { bytesRead?: unknown }).bytesRead : answer;
}

type Transferable = ArrayBuffer & { transfer?: () => ArrayBuffer };

const kept = new WeakMap<ArrayBuffer, ArrayBuffer>();

/** Takes a private buffer away from everyone who holds it; its memory stays for as long as they do (B2). */
export function takeAway(buffer: ArrayBuffer): void {
  if (buffer.byteLength === 0) return;
  const { transfer } = buffer as Transferable;
  const moved = transfer === undefined ? structuredClone(buffer, { transfer: [buffer] }) : transfer.call(buffer);
  kept.set(buffer, moved);
}
