/**
 * What the nodes of a soak hold against each other, beside the storm's judge: keys that are never evicted and have one
 * writer, so that a miss may be a lie too; keys with an end; checkpoints.
 *
 * A kept key's generation is odd where the key is there and even where it is not. Its writer says before each change
 * which generation begins, and after it that it has ended: where both words stand at one odd number before a look and
 * after it, the key was there all the while. A change that was cut, or whose writer died, leaves them apart until the
 * next one; then both answers are right.
 */
import type { Checkpoint, CheckpointWriter, Page, Pool } from '../../src/index.js';
import type { Board } from '../storm/board.js';
import { Judge } from '../storm/judge.js';
import { CONTENT_BYTES_MIN, checkContent, contentOf } from '../support/content.js';
import { CHECKPOINT_PLACE, KEPT_KEYS } from './plan.js';

const PARTS = ['first', 'second', 'third'];
/** What is carried over from commit to commit, and the generation it always has. */
const BASE = 'base';
const BASE_GENERATION = 7;
/** A process may be stopped between reckoning an end and storing it. */
const SLACK_MS = 5000;

export interface Kept {
  readonly key: string;
  readonly place: number;
}

export class Oracle {
  private readonly pool: Pool;
  private readonly board: Board;
  private readonly seat: number;
  readonly judge: Judge;

  constructor(pool: Pool, board: Board, seat: number) {
    this.pool = pool;
    this.board = board;
    this.seat = seat;
    this.judge = new Judge(board, seat);
  }

  kept(seat: number, index: number): Kept {
    return { key: `kept-${seat}-${index}`, place: this.board.other(seat, index) };
  }

  /** Begins to watch whether the key is there throughout; the answer is given to what is asked at the end. */
  watch({ place }: Kept): { readonly floor: number; wasThere(): boolean } {
    const { board } = this;
    const floor = board.floor(place);
    const isThere = floor % 2 === 1 && board.begun(place) === floor;
    return { floor, wasThere: () => isThere && board.begun(place) === floor };
  }

  /** A look at a kept key that had this answer; `late`: others may have looked between the answer and this. */
  judgeKept(kept: Kept, bytes: Uint8Array | undefined, watched: ReturnType<Oracle['watch']>, late = false): void {
    if (bytes !== undefined) {
      const { judge } = this;
      const { key, place } = kept;
      const generation = late
        ? judge.meetLoaded(key, bytes, place, watched.floor)
        : judge.meet(key, bytes, place, watched.floor);
      if (generation % 2 === 0) throw new Error(`${kept.key}: generation ${generation} was never stored`);
      return;
    }
    if (!watched.wasThere()) return;
    throw new Error(`${kept.key}: a miss, but generation ${watched.floor} was there before the look and after it`);
  }

  /** The seat's own next change of a kept key. `change` is told the generation; whether it was made, is its answer. */
  change(kept: Kept, stays: boolean, change: (generation: number) => boolean): void {
    const { board, seat } = this;
    const generation = board.nextGeneration(seat) * 2 + (stays ? 1 : 0);
    board.begin(kept.place, generation);
    if (change(generation)) board.finish(kept.place, generation);
  }

  /** Page of a key with an end: its metadata say when. */
  judgeBrief(key: string, page: Page, lookedAtMs: number): void {
    checkContent(page.bytes, key);
    this.judge.count(page.bytes);
    const { metadata } = page;
    const endMs = Number(new DataView(metadata.buffer, metadata.byteOffset, 8).getBigInt64(0));
    if (endMs + SLACK_MS < lookedAtMs) throw new Error(`${key}: found ${lookedAtMs - endMs} ms after its end`);
  }

  checkpointPlace(seat: number): number {
    return this.board.other(seat, CHECKPOINT_PLACE);
  }

  /** Parts of one generation, and one that is carried over where it can be. The writer is in hand before it is used. */
  commitCheckpoint(hands: { writer: CheckpointWriter | undefined }, size: number): void {
    const { board, seat, pool } = this;
    const place = this.checkpointPlace(seat);
    const generation = board.nextGeneration(seat);
    board.begin(place, generation);
    const writer = pool.checkpoint(`saved-${seat}`);
    hands.writer = writer;
    for (const part of PARTS) writer.put(part, contentOf(`saved-${seat}-${part}`, generation, size));
    if (!writer.reuse(BASE)) writer.put(BASE, contentOf(`saved-${seat}-${BASE}`, BASE_GENERATION, size));
    writer.commit(new TextEncoder().encode(String(generation)));
    board.finish(place, generation);
  }

  /** The seat's last checkpoint, whole; what is restored is in hand before it is looked at. */
  restore(seat: number, hands: Restored): void {
    const { board, pool } = this;
    const name = `saved-${seat}`;
    const place = this.checkpointPlace(seat);
    const floor = board.floor(place);
    hands.checkpoint = pool.restore(name);
    if (hands.checkpoint === undefined) {
      if (floor > 0) throw new Error(`${name}: not there, but generation ${floor} was committed`);
      return;
    }
    const generation = Number(new TextDecoder().decode(hands.checkpoint.metadata));
    const begun = board.begun(place);
    if (generation < floor) throw new Error(`${name}: generation ${generation}, older than ${floor}`);
    if (generation > begun) throw new Error(`${name}: generation ${generation}, but only ${begun} was begun`);
    for (const part of [...PARTS, BASE]) {
      hands.page = hands.checkpoint.get(part);
      const found = checkContent(hands.page.bytes, `${name}-${part}`);
      this.judge.count(hands.page.bytes);
      hands.page.release();
      if (found !== (part === BASE ? BASE_GENERATION : generation))
        throw new Error(`${name}: part ${part} is of ${found}, the checkpoint of ${generation}`);
    }
  }
}

export interface Restored {
  checkpoint: Checkpoint | undefined;
  page: Page | undefined;
}

export function keptOf(oracle: Oracle, seats: number, below: (limit: number) => number): Kept {
  return oracle.kept(below(seats), below(KEPT_KEYS));
}

export function briefContent(key: string, endMs: number, size: number): { bytes: Uint8Array; metadata: Uint8Array } {
  const metadata = new Uint8Array(8);
  new DataView(metadata.buffer).setBigInt64(0, BigInt(endMs));
  return { bytes: contentOf(key, endMs & 0xfffffff, Math.max(CONTENT_BYTES_MIN, size)), metadata };
}
