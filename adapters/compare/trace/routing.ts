/**
 * Which node serves which access: uniform at random per client request, all pages of one request on one node.
 *
 * The generator is Marsaglia's xorshift32 (13, 17, 5), its first state a multiplicative hash of the seed: the same seed
 * gives the same routing on every machine. One number is drawn per client request; its upper bits choose the node.
 */
import type { AccessChunk, Accesses } from './accesses.js';
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

/** Routes the accesses of a trace, chunk by chunk and in order. Who starts anew with the same seed routes the same way. */
export class RequestRouter {
  private readonly nodes: number;
  private readonly chance: Xorshift32;
  private nodeOf = new Uint8Array(0);
  private node = -1;

  constructor({ nodes, seed }: { nodes: number; seed: number }) {
    this.nodes = nodes;
    this.chance = new Xorshift32(seed);
  }

  /**
   * The node of every access of the next chunk, valid until the next call. Without `starts` every access is a request of
   * its own; the first of the trace always begins one.
   */
  route({ ids, starts }: AccessChunk): Uint8Array {
    const { nodes, chance } = this;
    if (this.nodeOf.length < ids.length) this.nodeOf = new Uint8Array(ids.length);
    const nodeOf = this.nodeOf.subarray(0, ids.length);
    // All zero, as it was made.
    if (nodes === 1) return nodeOf;
    let { node } = this;
    for (let index = 0; index < ids.length; index += 1) {
      if (node < 0 || starts === undefined || bitAt(starts, index)) {
        node = Math.floor((chance.next() / 0x1_0000_0000) * nodes);
      }
      nodeOf[index] = node;
    }
    this.node = node;
    return nodeOf;
  }
}

/** Objects of node k when N nodes divide M: floor(M/N), one more for k < M mod N. */
export function capacityOfNode(objects: number, nodes: number, node: number): number {
  return Math.floor(objects / nodes) + (node < objects % nodes ? 1 : 0);
}

/** Hits per node of private caches under the routing of the seed, from cold. */
export function simulatePrivate(
  name: PolicyName,
  trace: Accesses,
  { objects, nodes, seed }: { objects: number; nodes: number; seed: number },
): number[] {
  const policies = Array.from({ length: nodes }, (_, node) => createPolicy(name, capacityOfNode(objects, nodes, node)));
  const router = new RequestRouter({ nodes, seed });
  const hits = new Array<number>(nodes).fill(0);
  for (const chunk of trace.chunks()) {
    const nodeOf = router.route(chunk);
    const { ids } = chunk;
    for (let index = 0; index < ids.length; index += 1) {
      const node = nodeOf[index]!;
      if (policies[node]!.access(ids[index]!)) hits[node]! += 1;
    }
  }
  return hits;
}
