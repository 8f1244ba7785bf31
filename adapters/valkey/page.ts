/** A page whose freshness the tier says. */
import type { Freshness, Key, Page } from '../../src/index.js';

export class StaleAnswer implements Page {
  readonly freshness: Freshness = 'stale';
  private readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  get key(): Key {
    return this.page.key;
  }
  get bytes(): Uint8Array {
    return this.page.bytes;
  }
  get metadata(): Uint8Array {
    return this.page.metadata;
  }
  get size(): number {
    return this.page.size;
  }
  get generation(): number {
    return this.page.generation;
  }
  copy(): Uint8Array {
    return this.page.copy();
  }
  readable(): ReadableStream<Uint8Array> {
    return this.page.readable();
  }
  descriptor(): string | undefined {
    return this.page.descriptor();
  }
  release(): void {
    this.page.release();
  }
  [Symbol.dispose](): void {
    this.page.release();
  }
}
