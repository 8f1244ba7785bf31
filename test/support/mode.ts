/**
 * The two modes that conformance cases run in: pools of coherent memory, and hosts of an emulated device that is not coherent. A file of cases
 * that is loaded in the second makes its pools, and those of its processes, in it (test/coherence/conformance.test.ts).
 */
import { type ConnectOptions, parseSize } from '../../src/index.js';

/** Of pools that have so many hosts, each with as much room as the case asked for. */
export type Mode = 'coherent' | `software of ${number}`;

let loading: Mode = 'coherent';

/** The mode of what is loaded now. */
export function modeOfLoad(): Mode {
  return loading;
}

export async function loadIn(mode: Mode, load: () => Promise<unknown>): Promise<void> {
  const before = loading;
  loading = mode;
  try {
    await load();
  } finally {
    loading = before;
  }
}

/** The same request in the mode: a node is a host. */
export function inMode(mode: Mode, options: ConnectOptions): ConnectOptions {
  if (mode === 'coherent') return options;
  const { create, ...rest } = options;
  if (create === undefined) return { ...rest, emulate: 'noncoherent' };
  const { maxNodes = Number.POSITIVE_INFINITY, maxObjects, ...made } = create;
  const hosts = Math.min(Number(mode.slice(-1)), maxNodes);
  const size = hosts * parseSize(made.size);
  const objects = maxObjects === undefined ? {} : { maxObjects: hosts * maxObjects };
  return { ...rest, emulate: 'noncoherent', create: { ...made, ...objects, size, hosts } };
}
