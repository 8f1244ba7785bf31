/** Temporary files of a comparison: under names that tell whose they are, so that the next run removes those of the dead. */
import { join } from 'node:path';
import { ownName } from '../../../lib/linux/index.js';

/** A path in the folder that belongs to this process. */
export function ownPath(folder: string, extension: string): string {
  return join(folder, `${ownName('compare')}.${extension}`);
}
