/** What commands of ours that were killed have left: pools and other files that nobody will come back for. */
import { type Leftovers, libc, PoolFile, removeLeftovers, scratchFolders } from '../../lib/linux/index.js';
import { MEMBERSHIP_BYTE } from './layout/index.js';

/** Whether a node of any version is attached to the file, or somebody makes or destroys it. What cannot be told is taken for so. */
function isLivedIn(path: string): boolean {
  try {
    const file = PoolFile.open(path, { writable: false, trustUids: 'all' });
    try {
      return file.countLockedByOthers(0, MEMBERSHIP_BYTE + 1) > 0;
    } finally {
      file.close();
    }
  } catch {
    return true;
  }
}

/**
 * Removes the pools, files and folders that `sealpool compare`, benchmarks and tests have left whose process was killed, in /dev/shm
 * and the folder of temporary files unless others are given. Only what those commands named themselves, and no pool to which a node
 * is attached. Gives the paths. Throws UNSUPPORTED.
 */
export function destroyStale(folders: readonly string[] = scratchFolders()): Leftovers {
  libc();
  const found = folders.map((folder) => removeLeftovers(folder, isLivedIn));
  return { removed: found.flatMap(({ removed }) => removed), kept: found.flatMap(({ kept }) => kept) };
}
