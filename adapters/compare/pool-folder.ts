/** Where a comparison puts its pool. */
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const SHARED_MEMORY = '/dev/shm';
/** Room to be left beside the pool's file. */
const MARGIN = 1.05;

/** Memory, where there is room for so many bytes; else the temporary directory, and a note that says so. */
export function poolFolder(size: number, memory = SHARED_MEMORY): { folder: string; note?: string } {
  try {
    const { bavail, bsize } = statfsSync(memory);
    if (bavail * bsize >= size * MARGIN) return { folder: memory };
  } catch {
    // There is none: the note says so.
  }
  const folder = tmpdir();
  return { folder, note: `${memory} is missing or too small for the pool, which is a file in ${folder} instead.` };
}
