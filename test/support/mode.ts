/**
 * The mode that conformance cases run in: pools of coherent memory, or with SEALPOOL_TEST_COHERENCE=software hosts of an emulated device
 * that is not coherent (test/coherence/conformance.test.ts).
 */
import { type ConnectOptions, parseSize } from '../../src/index.js';

export const IS_SOFTWARE = process.env['SEALPOOL_TEST_COHERENCE'] === 'software';
/** Of a pool that a case asks for: each node is one, with as much room as the case asked for. */
const HOSTS = 3;

/** The same request in the mode of this run: what is said of nodes and policies means nothing to hosts. */
export function inMode(options: ConnectOptions): ConnectOptions {
  if (!IS_SOFTWARE) return options;
  const { create, ...rest } = options;
  if (create === undefined) return { ...rest, emulate: 'noncoherent' };
  const { maxNodes: _nodes, eviction: _eviction, ...made } = create;
  return { ...rest, emulate: 'noncoherent', create: { ...made, size: HOSTS * parseSize(made.size), hosts: HOSTS } };
}
