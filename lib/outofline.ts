/**
 * A call that is not compiled into its caller. V8 fills a function, when it first optimizes it, with whatever it calls most,
 * up to a budget, and does not look again as long as nothing it assumed is wrong. Of a cache that begins cold the most is
 * lookups of what is not remembered yet: their code took the room of the hit's, for good (docs/ARCHITECTURE.md
 * has the figures). A call of a value, at a place that has met many functions, is compiled as a call.
 */
export class OutOfLine<A, B, R> {
  // Not readonly: a field that is seen to change is not taken for a constant.
  private target: (a: A, b: B) => R;

  constructor(target: (a: A, b: B) => R) {
    this.target = target;
  }

  call(a: A, b: B): R {
    const { target } = this;
    return target(a, b);
  }
}

/** Of `call`: enough for the engine to note whom it calls, and that they are many. */
const CALLS = 200;
const others = [() => 0, () => 1, () => 2, () => 3, () => 4].map((each) => new OutOfLine(each));
for (let i = 0; i < CALLS; i++) others[i % others.length]?.call(undefined, undefined);
