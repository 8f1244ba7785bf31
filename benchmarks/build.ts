/**
 * The build of sealpool that is measured: this one, or the one in the folder that `--against` names. What measures, and what it
 * is compared with, is this checkout's in any case.
 *
 * Only the public surface is bound, and each name by itself: an older build may lack some. Whoever can do without one asks whether
 * it is there.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Sealpool from '../src/index.js';

/** How a cell's process is told, and the processes that it starts. */
export const BUILD_VARIABLE = 'SEALPOOL_BENCH_BUILD';

const folder = process.env[BUILD_VARIABLE];

export function entranceOf(folder: string): string {
  return join(folder, 'dist/src/index.js');
}

const entrance = folder === undefined ? '../src/index.js' : pathToFileURL(entranceOf(folder)).href;
export const sealpool = (await import(entrance)) as typeof Sealpool;

export const { connect, poolSizeFor, SharedCache } = sealpool;
export type SharedCache = Sealpool.SharedCache;
