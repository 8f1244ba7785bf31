/** Who is attached to a pool, for those who would take it away, and for those who only look. */
import { PoolError } from '../../lib/errors.js';
import { LinuxMachine, type PoolFile, RobustLiveness } from '../../lib/linux/index.js';
import {
  geometryOfIdentity,
  type Identity,
  mapMetadata,
  mapSegment,
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
 * Throws IN_USE when a live node is attached, of whatever version: where the file cannot be read, its locks tell. The caller holds
 * the membership lock.
 */
export function refuseIfAttached(file: PoolFile): void {
  const identity = identityIn(file);
  if (identity === undefined) {
    refuseResidents(file);
    return;
  }
  const { segment, nodes } = viewOnly(file, identity, mapMetadata);
  const alive = nodes.list(true).filter((node) => node.state === 'alive');
  segment.unmapUnshared();
  if (alive.length === 0) return;
  const names = alive.map((node) => node.name).join(', ');
  throw new PoolError('IN_USE', `${file.path}: ${alive.length} nodes are attached (${names}).`, { nodes: alive });
}
