/**
 * Who lives in a pool, told to any version by any version. The same for all time, whatever else a layout changes:
 *
 * (V1) a pool begins with 'sealpool', the version of its layout and the fingerprint of it, each in 32 bits, little-endian, at the
 *      bytes 8 and 12. A version of zero is a format that is not through.
 * (V2) a node that is attached has, for as long as it is, a write lock of an open file description (F_OFD_SETLK) on one byte of
 *      ROW_LOCKS, counted from byte 2^48 of the file: that of its row. A node that only reads has none.
 * (V3) who formats, joins, replaces or destroys has such a lock on MEMBERSHIP_BYTE meanwhile, and has looked afterwards whether
 *      the path still leads to the file it locked.
 *
 * (V4) versions from 2^16 on are of pools of another kind: for memory that is not coherent, and from 2^17 on for a device that is
 *      emulated. There a row is a host's.
 *
 * So whoever has the membership lock and finds no byte of ROW_LOCKS taken may take the file away, whichever version made it.
 */
import { PoolError } from '../../../lib/errors.js';
import type { PoolFile } from '../../../lib/linux/index.js';

/** Row locks are the bytes from 0 to before this one. */
export const ROW_LOCKS = 4096;
/** For joining, formatting and destroying. */
export const MEMBERSHIP_BYTE = 4096;

/** Of pools for memory that is not coherent (V4). */
export const SOFTWARE_VERSIONS = 2 ** 16;
/** Of files that play a device which is not coherent (V4). */
export const EMULATED_VERSIONS = 2 ** 17;

type Locked = Pick<PoolFile, 'path' | 'countLockedByOthers' | 'lockHolders'>;

/** Nodes of whatever version that are attached, but for one of this very descriptor. */
export function countResidents(file: Locked): number {
  return file.countLockedByOthers(0, ROW_LOCKS);
}

/** Who they are, in words. */
export function describeResidents(file: Locked): string {
  const count = countResidents(file);
  if (count === 0) return 'no node is attached';
  const known = file.lockHolders(0, ROW_LOCKS).map(({ pid, name }) => `pid ${pid}, ${name}`);
  const who = known.length === 0 ? 'of processes that this one is not shown' : known.join('; ');
  return `${count} ${count === 1 ? 'node is' : 'nodes are'} attached (${who})`;
}

/** Throws IN_USE where a node of any version is attached. The caller holds the membership lock. */
export function refuseResidents(file: Locked): void {
  if (countResidents(file) === 0) return;
  throw new PoolError(
    'IN_USE',
    `${file.path}: ${describeResidents(file)}, and this version cannot read its superblock. Take another path until the last of them has left.`,
    { path: file.path, nodes: file.lockHolders(0, ROW_LOCKS) },
  );
}
