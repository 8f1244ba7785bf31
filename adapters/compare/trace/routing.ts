/**
 * Which node serves which access: uniform at random per client request, all pages of one request on one node.
 *
 * The generator is Marsaglia's xorshift32 (13, 17, 5), its first state a multiplicative hash of the seed: the same seed
 * gives the same routing on every machine. One number is drawn per client request; its upper bits choose the node.
 */
import { createPolicy, type PolicyName } from './simulate.js';

/** Small seeds lie near the fixed point 0 of xorshift, from which it takes a while to get away: spread them first. */
const SEED_OFFSET = 0x9e3779b9;
const SEED_FACTOR = 0x85ebca6b;
/** A node's number fits a byte. */
export const NODES_MAX = 256;

/** Unsigned 32-bit numbers, uniform, period 2^32 - 1. */
export class Xorshift32 {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed ^ SEED_OFFSET, SEED_FACTOR) >>> 0 || SEED_OFFSET;
  }

  next(): number {
    let state = this.state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.state = state >>> 0;
    return this.state;
  }
}

/** Bit i, least significant first. */
function bitAt(bitmap: Uint8Array, index: number): boolean {
  return ((bitmap[index >>> 3]! >>> (index & 7)) & 1) === 1;
}

/** The node of every access. Without `starts` every access is a request of its own; access 0 always begins one. */
export function routeRequests(options: {
  requests: number;
  nodes: number;
  seed: number;
  starts?: Uint8Array | undefined;
}): Uint8Array {
  const { requests, nodes, seed, starts } = options;
  const chance = new Xorshift32(seed);
  const nodeOf = new Uint8Array(requests);
  let node = 0;
  for (let index = 0; index < requests; index += 1) {
    if (index === 0 || starts === undefined || bitAt(starts, index)) {
      node = Math.floor((chance.next() / 0x1_0000_0000) * nodes);
    }
    nodeOf[index] = node;
  }
  return nodeOf;
}

/** Objects of node k when N nodes divide M: floor(M/N), one more for k < M mod N. */
export function capacityOfNode(objects: number, nodes: number, node: number): number {
  return Math.floor(objects / nodes) + (node < objects % nodes ? 1 : 0);
}

/** Hits per node of private caches under a routing, from cold. */
export function simulatePrivate(
  name: PolicyName,
  trace: { ids: Uint32Array },
  routing: { objects: number; nodes: number; nodeOf: Uint8Array },
): number[] {
  const { objects, nodes, nodeOf } = routing;
  const policies = Array.from({ length: nodes }, (_, node) => createPolicy(name, capacityOfNode(objects, nodes, node)));
  const hits = new Array<number>(nodes).fill(0);
  for (let index = 0; index < trace.ids.length; index += 1) {
    const node = nodeOf[index]!;
    if (policies[node]!.access(trace.ids[index]!)) hits[node]! += 1;
  }
  return hits;
}
