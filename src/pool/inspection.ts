/**
 * inspect: a report on a pool by somebody who is no node of it. Maps read-only, joins nothing, takes no lock, changes
 * nothing, so it can be used on a pool that is at work, damaged, or full.
 */
import { Deadline, libc, type PoolFile } from '../../lib/linux/index.js';
import { statsOf, withHoldings } from './access/index.js';
import { partsFor } from './attach.js';
import { findLivingStranger, viewOnly } from './attached.js';
import { takeCensus } from './census/index.js';
import { infoOf, type PoolProblem, type PoolReport, readIdentity } from './layout/index.js';
import { openFormatted } from './open.js';
import { isWhole } from './recovery/index.js';

const FORMAT_WAIT_MS = 10_000;

/** The machine restarted since the pool was last open: its words are of many moments, until the next opener restores it. */
const NOT_RESTORED: PoolProblem = {
  code: 'NOT_RESTORED',
  where: 'pool',
  message: 'the machine restarted since, and the next node to connect will restore what is whole (W1)',
  repairable: true,
};

function asRepairable(problem: PoolProblem): PoolProblem {
  return { ...problem, repairable: true };
}

/**
 * Checks every numbered invariant of the pool's layout. Throws, as connect does, POOL_NOT_FOUND, ACCESS_DENIED,
 * FORMAT_MISMATCH, and POOL_CORRUPT where there is not enough of a pool to walk. `trustUids` as of connect.
 */
export async function inspect(path: string, options: { trustUids?: readonly number[] } = {}): Promise<PoolReport> {
  libc();
  const deadline = new Deadline(`Inspecting ${path}`, FORMAT_WAIT_MS, undefined);
  const file = await openFormatted(path, options.trustUids ?? [], deadline);
  try {
    return await reportOn(path, file);
  } finally {
    file.close();
  }
}

async function reportOn(path: string, file: PoolFile): Promise<PoolReport> {
  const identity = readIdentity(file);
  const { segment, nodes, machine } = viewOnly(file, identity);
  try {
    const parts = partsFor(segment, machine, nodes, () => {});
    // Who of another boot id lives is told by looking for a while.
    await findLivingStranger(path, nodes, machine);
    const found = await takeCensus(parts, identity.seed);
    const problems = isWhole(segment, machine) ? found : [NOT_RESTORED, ...found.map(asRepairable)];
    return {
      info: infoOf(path, identity),
      ok: problems.every((problem) => problem.repairable),
      problems,
      stats: statsOf(parts),
      nodes: withHoldings(parts, nodes.list(true)),
    };
  } finally {
    segment.unmapUnshared();
  }
}
