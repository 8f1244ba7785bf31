/**
 * Keeps what the caller of a node was given before its call was cut: handles, and bytes as they were when it got them. A
 * call that was cut gave nothing.
 */
import type { SimulatedNode } from '../node.js';

type Call = (...args: never[]) => unknown;

interface Given {
  readonly bytes: Uint8Array;
  readonly before: Uint8Array;
}

export class Caller {
  private readonly pages = new Set<{ release(): void }>();
  /** Drafts and checkpoints in the making. */
  private readonly drafts: { abort(): void }[] = [];
  private readonly given: Given[] = [];
  private depth = 0;
  readonly node: SimulatedNode;

  constructor(node: SimulatedNode) {
    this.node = node;
    const keepPage = (page: unknown) => this.keepPage(page);
    this.after(node.pool, 'get', keepPage);
    this.after(node.cache, 'get', keepPage);
    this.after(node.pool, 'getMany', (pages) => (pages as unknown[]).forEach(keepPage));
    this.after(node.cache, 'borrow', (bytes) => this.keepBytes(bytes as Uint8Array | undefined));
    for (const name of ['create', 'checkpoint'])
      this.after(node.pool, name, (draft) => void this.drafts.push(draft as { abort(): void }));
    this.after(node.machine, 'endRun', () => void this.given.splice(0));
    this.after(node.pool, 'restore', (checkpoint) => {
      if (checkpoint !== undefined) this.pages.add(checkpoint as { release(): void });
    });
  }

  private after(object: object, name: string, keep: (result: unknown) => void): void {
    const target = object as Record<string, Call>;
    const plain = (target[name] as Call).bind(object) as Call;
    target[name] = (...args: never[]) => {
      // What one call of the product takes by another is not the caller's yet.
      this.depth++;
      try {
        const result = plain(...args);
        if (this.depth === 1) keep(result);
        return result;
      } finally {
        this.depth--;
      }
    };
  }

  private keepPage(page: unknown): void {
    if (page !== undefined) this.pages.add(page as { release(): void });
  }

  private keepBytes(bytes: Uint8Array | undefined): void {
    if (bytes !== undefined) this.given.push({ bytes, before: bytes.slice() });
  }

  /** Whether something that was borrowed in this run is another page's by now. */
  hasLostBytes(): boolean {
    return this.given.some(({ bytes, before }) => Buffer.compare(bytes, before) !== 0);
  }

  pagesSoFar(): readonly { release(): void }[] {
    return [...this.pages];
  }

  /** Releases every page it got, those once more that it released, as `finally` does. */
  letGo(): void {
    for (const page of this.pages) page.release();
    for (const draft of this.drafts) draft.abort();
  }
}
