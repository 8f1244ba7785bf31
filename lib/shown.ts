/**
 * How a handle shows itself. JSON.stringify, util.inspect, console.log and String print what its `toJSON` gives: a few plain
 * values, none of the bytes, nothing of what it is made of. Without that they walk from any handle to the mapping of the
 * whole pool, and do not come to an end.
 */

/** Gives a few plain values, at any time of the handle's life; never throws. */
export interface Shown {
  toJSON(): object;
}

/**
 * The first own property of what everything else leads to: structuredClone, postMessage and v8.serialize go through properties in
 * order, refuse a symbol at once, and quote it.
 */
export const UNCLONEABLE: unique symbol = Symbol(
  'what sealpool hands out stays in its thread. Post page.copy(), or page.descriptor() for pool.open there: this',
);

/** Of Node; browsers' consoles and other runtimes know `toJSON` at best. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

type Inspect = (value: unknown, options: unknown) => string;

function inspectAs(this: Shown, name: string, depth: number, options: unknown, inspect: Inspect | undefined): string {
  if (depth < 0 || inspect === undefined) return `[${name}]`;
  return `${name} ${inspect({ ...this.toJSON() }, options)}`;
}

/** Has the class's objects shown by what their `toJSON` gives, under the name. */
export function showAs(type: { readonly prototype: Shown }, name: string): void {
  const { prototype } = type;
  const define = (key: string | symbol, value: unknown) =>
    Object.defineProperty(prototype, key, { value, configurable: true, writable: true });
  define('toString', function (this: Shown) {
    return `${name} ${JSON.stringify(this)}`;
  });
  define(INSPECT, function (this: Shown, depth: number, options: unknown, inspect?: Inspect) {
    return inspectAs.call(this, name, depth, options, inspect);
  });
}
