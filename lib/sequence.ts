/**
 * Sequences: counts in one 32-bit word, which come round. As signed integers they go from 2^31 - 1 on to -2^31, so two of
 * them are never compared by `<`: what lies between them is told by their difference, modulo 2^32.
 *
 * That is right while fewer than 2^31 steps lie between the two. Beyond that the later one looks like the earlier one. So
 * whoever compares says why the two are that near, or what becomes of it where they are not.
 */
export const SEQUENCE_BOUND = 2 ** 31;

/** How many steps `later` is after `earlier`; negative where it is before. Right within SEQUENCE_BOUND. */
export function stepsBetween(earlier: number, later: number): number {
  return (later - earlier) | 0;
}

/** Whether `one` comes after `other`. Right within SEQUENCE_BOUND. */
export function isLater(one: number, other: number): boolean {
  return ((one - other) | 0) > 0;
}

/** How many steps lie between the sequence and `now`, which has come after it: for what may be old, right up to 2^32. */
export function stepsSince(sequence: number, now: number): number {
  return (now - sequence) >>> 0;
}

export function nextSequence(sequence: number): number {
  return (sequence + 1) | 0;
}

/** The sequence so many steps on, or back where `steps` is negative. */
export function sequenceAfter(sequence: number, steps: number): number {
  return (sequence + steps) | 0;
}
