/** Free lines of a host's own data: private memory of the process that has the host's region, rebuilt at its join. First fit. */
import { assert } from '../../lib/assert.js';

interface Run {
  start: number;
  count: number;
}

export class Extents {
  /** By start, never touching one another. */
  private readonly free: Run[];

  constructor(first: number, count: number) {
    this.free = [{ start: first, count }];
  }

  /** The first line of so many; undefined where no run is that long. */
  tryTake(count: number): number | undefined {
    const index = this.free.findIndex((run) => run.count >= count);
    const run = this.free[index];
    if (run === undefined) return undefined;
    const { start } = run;
    run.start += count;
    run.count -= count;
    if (run.count === 0) this.free.splice(index, 1);
    return start;
  }

  /** What a record of before says is in use. False where it is not free: the record is not to be believed. */
  tryTakeAt(start: number, count: number): boolean {
    const index = this.free.findIndex((run) => run.start <= start && start + count <= run.start + run.count);
    const run = this.free[index];
    if (run === undefined) return false;
    const after = { start: start + count, count: run.start + run.count - start - count };
    const before = { start: run.start, count: start - run.start };
    this.free.splice(index, 1, ...[before, after].filter((part) => part.count > 0));
    return true;
  }

  give(start: number, count: number): void {
    const next = this.free.findIndex((run) => run.start > start);
    const index = next < 0 ? this.free.length : next;
    const before = this.free[index - 1];
    const after = this.free[index];
    assert(before === undefined || before.start + before.count <= start, `line ${start} is given back twice`);
    assert(after === undefined || start + count <= after.start, `line ${start} is given back twice`);
    this.free.splice(index, 0, { start, count });
    this.join(index);
    if (index > 0) this.join(index - 1);
  }

  private join(index: number): void {
    const run = this.free[index] as Run;
    const next = this.free[index + 1];
    if (next === undefined || run.start + run.count !== next.start) return;
    run.count += next.count;
    this.free.splice(index + 1, 1);
  }

  /** Lines of the longest run. */
  get longest(): number {
    return this.free.reduce((most, { count }) => Math.max(most, count), 0);
  }

  get freeLines(): number {
    return this.free.reduce((sum, { count }) => sum + count, 0);
  }
}
