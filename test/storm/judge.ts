/**
 * What a node may find. Each page is checked byte by byte, and against the board: nothing older than a write that had
 * returned before the look began, nothing that nobody has begun to write, and never an older page after a newer one.
 */
import { checkContent } from '../support/content.js';
import type { Board } from './board.js';

export class Judge {
  private readonly board: Board;
  private readonly seat: number;
  /** The newest generation this node has met, by place on the board. */
  private readonly newest: Int32Array;

  constructor(board: Board, seat: number) {
    this.board = board;
    this.seat = seat;
    // Whole from the start: what a node remembers of its pages shall not look like a leak.
    this.newest = new Int32Array(board.size);
  }

  count(bytes: Uint8Array): void {
    this.board.count(this.seat, 'pagesRead');
    this.board.count(this.seat, 'kibibytesRead', bytes.length >> 10);
  }

  /** A page of a place whose floor was read before the look. Its generation. */
  meet(key: string, bytes: Uint8Array, place: number, floor: number): number {
    const generation = this.meetLoaded(key, bytes, place, floor);
    const known = this.newest[place] as number;
    if (generation < known) throw new Error(`${key}: generation ${generation} after ${known}`);
    this.newest[place] = generation;
    return generation;
  }

  /** One that may be private to its loader: the next look may well find what was in the pool before. */
  meetLoaded(key: string, bytes: Uint8Array, place: number, floor: number): number {
    const generation = checkContent(bytes, key);
    this.count(bytes);
    const begun = this.board.begun(place);
    if (generation < floor) throw new Error(`${key}: stale, generation ${generation} below ${floor}`);
    if (generation > begun) throw new Error(`${key}: generation ${generation}, but only ${begun} was begun`);
    return generation;
  }
}
