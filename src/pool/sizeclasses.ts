/**
 * Size classes, in granules. Eight to a doubling, so at most 12.5 % of an extent is waste; above an eighth of a chunk,
 * the sizes that divide a chunk into 7, 6, … 1 parts (whole OS pages where they are that large).
 */
import { CLASS_HEADS } from './layout.js';

const STEPS = 8;

export interface SizeClass {
  /** Place among the class heads. */
  readonly index: number;
  /** Granules of one extent. */
  readonly granules: number;
  /** Extents of one chunk. */
  readonly perChunk: number;
}

export class SizeClasses {
  private readonly chunkGranules: number;
  private readonly classes: SizeClass[] = [];
  private readonly byGranules = new Map<number, SizeClass>();
  private readonly largestSmall: number;

  constructor(chunkGranules: number, granulesPerOsPage: number) {
    this.chunkGranules = chunkGranules;
    this.largestSmall = Math.max(STEPS, chunkGranules / STEPS);
    for (let granules = 1; granules <= this.largestSmall; granules = this.after(granules)) this.add(granules);
    for (let parts = STEPS - 1; parts >= 1; parts--) {
      const even = Math.floor(chunkGranules / parts);
      const paged = Math.floor(even / granulesPerOsPage) * granulesPerOsPage;
      const granules = paged > 0 ? paged : even;
      if (granules > (this.classes.at(-1)?.granules ?? 0)) this.add(granules);
    }
  }

  private add(granules: number): void {
    const index = this.classes.length;
    if (index >= CLASS_HEADS) throw new Error(`more than ${CLASS_HEADS} size classes`);
    const sizeClass = { index, granules, perChunk: Math.floor(this.chunkGranules / granules) };
    this.classes.push(sizeClass);
    this.byGranules.set(granules, sizeClass);
  }

  /** The next class size: steps of an eighth of the power of two below. */
  private after(granules: number): number {
    return granules + Math.max(1, 2 ** Math.floor(Math.log2(granules)) / STEPS);
  }

  /** The smallest class that holds so many granules; undefined when it takes a run of chunks. */
  classFor(granules: number): SizeClass | undefined {
    if (granules > this.chunkGranules) return undefined;
    let low = 0;
    let high = this.classes.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.classes[middle] as SizeClass).granules >= granules) high = middle;
      else low = middle + 1;
    }
    return this.classes[low];
  }

  /** The class whose extents are exactly so many granules. */
  exactly(granules: number): SizeClass | undefined {
    return this.byGranules.get(granules);
  }
}
