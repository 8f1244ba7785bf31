/**
 * What code made into coroutines runs on. `due` is asked before each access to shared words; where it says so, the actor
 * yields its turn. `giveTurn` stands for a yield: by itself, in code that is no coroutine, it does nothing.
 */
export const turn = {
  /** Accesses before the turn goes on. */
  budget: 0,
};

export function due(): boolean {
  return --turn.budget < 0;
}

export function giveTurn(): void {}

type Plain = (this: unknown, ...args: unknown[]) => unknown;
export type Coroutine = (this: unknown, ...args: unknown[]) => Generator<undefined, unknown>;
type Dual = Plain & { $G?: Coroutine };

const wrapped = new WeakMap<Plain, Coroutine>();

/** The coroutine of a function; a function that has none runs in one go. */
export function coroutineOf(plain: Dual): Coroutine {
  if (plain.$G !== undefined) return plain.$G;
  let made = wrapped.get(plain);
  if (made === undefined) {
    // biome-ignore lint/correctness/useYield: a coroutine that never gives its turn away
    made = function* (this: unknown, ...args: unknown[]) {
      return plain.apply(this, args);
    };
    wrapped.set(plain, made);
  }
  return made;
}

/** A function together with its coroutine. */
export function dual(plain: Dual, coroutine: Coroutine): Dual {
  plain.$G = coroutine;
  return plain;
}

/** receiver?.name(…) */
export function* callIfThere(
  receiver: Record<string, Coroutine> | null | undefined,
  name: string,
  ...args: unknown[]
): Generator<undefined, unknown> {
  if (receiver === null || receiver === undefined) return undefined;
  return yield* (receiver[name] as Coroutine).apply(receiver, args);
}

/** What has no coroutine of the name, of its own or of its class, runs in one go. */
export function defineFallbacks(names: readonly string[]): void {
  for (const name of names) {
    const value = function* (this: Record<string, Dual>, ...args: unknown[]): Generator<undefined, unknown> {
      return yield* coroutineOf(this[name] as Dual).apply(this, args);
    };
    Object.defineProperty(Object.prototype, `${name}$G`, { value, configurable: true });
  }
}
