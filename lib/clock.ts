/**
 * Two clocks, and types that keep their moments apart: one is never taken where the other is meant. A plain number is taken
 * for either, and the difference of two moments is a plain number of milliseconds.
 */

/**
 * A moment of the wall clock: milliseconds since the epoch. The same for every process and after a restart, but somebody
 * may set it, forward or back. For what is kept and shown: expiry, when something was made. Never for how long it took.
 */
export type WallMs = number & { readonly clock?: 'wall' };

/**
 * A moment of a clock that never goes back: milliseconds since some moment. For how long something takes: waits, limits,
 * pauses. Never kept beyond the process.
 */
export type MonotonicMs = number & { readonly clock?: 'monotonic' };

/** Milliseconds from the one moment to the other. */
export function msBetween(earlier: MonotonicMs, later: MonotonicMs): number {
  return later - earlier;
}

/** Whether what ends at the moment, where 0 means never, has ended. */
export function isOver(expiry: WallMs, now: WallMs): boolean {
  return expiry !== 0 && expiry <= now;
}
