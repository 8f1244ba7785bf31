/** Who is attached to a pool, for those who would take it away, and for those who only look. */
import { PoolError } from '../../lib/errors.js';
import { LinuxMachine, type PoolFile, RobustLiveness } from '../../lib/linux/index.js';
import type { Machine } from '../../lib/machine.js';
import {
  geometryOfIdentity,
  type Identity,
  mapMetadata,
  mapSegment,
  type NodeRowInfo,
  readIdentity,
  refuseResidents,
  type Segment,
} from './layout/index.js';
import { Nodes } from './nodes/index.js';

/** The pool's mapping and nodes for somebody who only looks; with `mapMetadata`, only at who is there. */
export function viewOnly(
  file: PoolFile,
  identity: Identity,
  map: typeof mapSegment = mapSegment,
): { segment: Segment; nodes: Nodes; machine: LinuxMachine } {
  const geometry = geometryOfIdentity(file, identity);
  const segment = map(file, geometry, false);
  const { address } = segment.metadata;
  const liveness = new RobustLiveness(segment.words, file, address, geometry.regions.nodeMarks.word);
  const machine = new LinuxMachine(address);
  return { segment, machine, nodes: new Nodes(segment.words, geometry, machine, liveness) };
}

const LOOK_MS = 100;

/**
 * Looks at nodes of another boot id until each is judged: 5 s where one stands still, and no time where there is none. The row of one
 * that lives, or -1. Throws ABORTED.
 *
 * The caller holds the membership lock meanwhile. Who else wants to join would have to look for as long, and finds it done; and
 * nobody formats or joins under who looks.
 */
export async function findLivingStranger(
  path: string,
  nodes: Nodes,
  machine: Machine,
  signal?: AbortSignal,
): Promise<number> {
  for (;;) {
    const living = nodes.livingStranger();
    if (living !== undefined) return living;
    if (signal?.aborted === true) {
      const what = `Opening ${path} was aborted while it looked whether nodes of another boot id live.`;
      throw new PoolError('ABORTED', what, undefined, signal.reason);
    }
    await machine.sleep(LOOK_MS);
  }
}

/** Throws UNSUPPORTED where a node under another kernel lives, ABORTED. */
export async function refuseStrangers(
  path: string,
  nodes: Nodes,
  machine: Machine,
  signal?: AbortSignal,
): Promise<void> {
  const living = await findLivingStranger(path, nodes, machine, signal);
  if (living >= 0) throw nodes.refuseStranger(living, path);
}

/** What the file says it is; undefined where that is of another layout, or damaged. */
export function identityIn(file: PoolFile): Identity | undefined {
  try {
    const identity = readIdentity(file);
    geometryOfIdentity(file, identity);
    return identity;
  } catch (error) {
    if (error instanceof PoolError) return undefined;
    throw error;
  }
}

/**
 * Throws IN_USE when a live node is attached, of whatever version: where the file cannot be read, its locks tell, and nodes under
 * another kernel are not seen. The caller holds the membership lock.
 */
export async function refuseIfAttached(file: PoolFile): Promise<void> {
  const identity = identityIn(file);
  if (identity === undefined) {
    refuseResidents(file);
    return;
  }
  const { segment, nodes, machine } = viewOnly(file, identity, mapMetadata);
  let alive: NodeRowInfo[];
  try {
    await findLivingStranger(file.path, nodes, machine);
    alive = nodes.list(true).filter((node) => node.state === 'alive');
  } finally {
    segment.unmapUnshared();
  }
  if (alive.length === 0) return;
  const names = alive.map((node) => node.name).join(', ');
  throw new PoolError('IN_USE', `${file.path}: ${alive.length} nodes are attached (${names}).`, { nodes: alive });
}
