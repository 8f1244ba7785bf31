/**
 * Assertions that are always on. They guard our own invariants only: bytes read from shared memory are input and are
 * answered with a PoolError, never with an assertion.
 */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

export function unreachable(value: never, message: string): never {
  throw new AssertionError(`${message}: ${String(value)}`);
}
