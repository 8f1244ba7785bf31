/**
 * The visibility port: a memory device as one host has it, through that host's own cache. The device is an array of 64-byte
 * lines, and of 32-bit words.
 *
 * (V1) loads and stores go to this host's cache. What another host stored is seen here only after it wrote the line back and
 *      this host dropped its copy.
 * (V2) a line moves whole. Stores of one thread to one line reach it in order, so what moves is a prefix of them. Stores to
 *      different lines reach memory in any order.
 * (V3) a dirty line may leave and a clean one be dropped, or filled anew, at any moment: leaving out a writeback or an
 *      invalidate may go well for a long time.
 * (V4) `writeback` and `invalidate` have happened when `order` returns, and not before. What is loaded or stored after `order`
 *      comes after them.
 * (V5) x86 has no plain invalidate: a dirty line that is dropped is written back before. So a line that this host has stored
 *      to must never be another host's to store to: (A1) of the layout.
 *
 * Implementations: real lines (`lib/linux/cachelines.ts`), a private image over a shared file for processes that play hosts
 * (`emulated.ts`), and the simulator's (`test/coherence/memory.ts`).
 */
export interface Lines {
  /** How many lines the device has. */
  readonly lineCount: number;
  /** A word as this host's cache holds it, as a signed integer. */
  load(word: number): number;
  store(word: number, value: number): void;
  /** Whole words from the line on, as many as the target has bytes; a last word is cut off. */
  copyOut(line: number, target: Uint8Array): void;
  /** Stores to as many lines as the bytes fill; what is left of the last one becomes zero. */
  copyIn(line: number, bytes: Uint8Array): void;
  /** Begins to write back what is dirty of these lines; they may stay in the cache. */
  writeback(line: number, count: number): void;
  /** Begins to write back what is dirty of these lines, and to drop them. */
  invalidate(line: number, count: number): void;
  /** All writebacks and invalidates before it have happened, and nothing after it has. */
  order(): void;
}
