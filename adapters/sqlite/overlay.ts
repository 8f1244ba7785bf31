/**
 * Pages that SQLite wrote and the file has not yet. The writer reads through it, so that nobody has to know.
 *
 * (O1) whatever is in here goes to the file in one flush: before SQLite syncs it, so before the journal that takes it back may go.
 *      A spill of SQLite's cache stays here as well, and the file holds no page of a transaction before its commit, unless
 *      the transaction is larger than `bytesMax`.
 */
export class Overlay {
  private readonly pages = new Map<number, Uint8Array>();
  private readonly bytesMax: number;
  private bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.pages.size === 0;
  }

  get isFull(): boolean {
    return this.bytes > this.bytesMax;
  }

  get(pageNo: number): Uint8Array | undefined {
    return this.pages.get(pageNo);
  }

  /** The bytes are the overlay's from now on. */
  set(pageNo: number, bytes: Uint8Array): void {
    if (!this.pages.has(pageNo)) this.bytes += bytes.length;
    this.pages.set(pageNo, bytes);
  }

  /** In the order of the file. */
  sorted(): [number, Uint8Array][] {
    return [...this.pages].sort(([one], [other]) => one - other);
  }

  /** Pages from the number on are cut off. */
  cut(first: number): void {
    for (const [pageNo, bytes] of this.pages) {
      if (pageNo < first) continue;
      this.pages.delete(pageNo);
      this.bytes -= bytes.length;
    }
  }

  clear(): void {
    this.pages.clear();
    this.bytes = 0;
  }
}
