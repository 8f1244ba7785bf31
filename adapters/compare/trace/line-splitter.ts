/**
 * LineSplitter: lines of bytes that come in pieces.
 *
 * (L1) A line ends with LF, CR or CRLF; the last one may lack it. Spaces at either end, blank lines and comments, which
 *      begin with #, are dropped here.
 * (L2) A zero byte is no text: refused with the line and the byte.
 */
const [LF, CR, SPACE, TAB, HASH, SUBSTITUTE] = [10, 13, 32, 9, 35, 26];
const LINE_BYTES_MAX = 64 * 2 ** 20;

export interface LineTaker {
  line(bytes: Uint8Array, start: number, end: number): void;
  /** Throws. */
  refuse(what: string): never;
}

export class LineSplitter {
  /** Of the line that is given out, from 1. */
  number = 1;
  /** Where it begins. Of decoded bytes, where these were another encoding or compressed. */
  lineByte = 0;
  /** Bytes before the piece that is being split. */
  private before = 0;
  private carried: Buffer[] = [];
  private carriedBytes = 0;
  private endedWithReturn = false;
  private readonly taker: LineTaker;

  constructor(taker: LineTaker) {
    this.taker = taker;
  }

  push(piece: Uint8Array): void {
    let start = 0;
    if (this.endedWithReturn && piece[0] === LF) start = 1;
    if (piece.length > 0) this.endedWithReturn = false;
    for (let at = start; at < piece.length; at += 1) {
      const byte = piece[at]!;
      if (byte > CR) continue;
      if (byte === 0) this.taker.refuse(`holds a zero byte at byte ${this.before + at}; it is no text`);
      if (byte !== LF && byte !== CR) continue;
      this.give(piece, start, at);
      if (byte === CR && piece[at + 1] === LF) at += 1;
      else if (byte === CR && at + 1 === piece.length) this.endedWithReturn = true;
      start = at + 1;
      this.lineByte = this.before + start;
    }
    this.carry(piece.subarray(start));
    this.before += piece.length;
  }

  end(): void {
    if (this.carriedBytes > 0) this.give(new Uint8Array(0), 0, 0);
  }

  private carry(rest: Uint8Array): void {
    if (rest.length === 0) return;
    this.carried.push(Buffer.from(rest));
    this.carriedBytes += rest.length;
    if (this.carriedBytes > LINE_BYTES_MAX) this.taker.refuse(`is longer than ${LINE_BYTES_MAX} bytes; it is no trace`);
  }

  private give(piece: Uint8Array, start: number, end: number): void {
    if (this.carriedBytes > 0) {
      const whole = Buffer.concat([...this.carried, piece.subarray(start, end)]);
      this.carried = [];
      this.carriedBytes = 0;
      this.trim(whole, 0, whole.length);
    } else this.trim(piece, start, end);
    this.number += 1;
  }

  private trim(bytes: Uint8Array, from: number, to: number): void {
    let start = from;
    let end = to;
    while (start < end && bytes[start] === SPACE) start += 1;
    while (end > start && bytes[end - 1] === SPACE) end -= 1;
    // A tab may stand for an empty field, so it stays; a line of nothing else is blank.
    let first = start;
    while (first < end && (bytes[first] === TAB || bytes[first] === SPACE)) first += 1;
    // The end of a file, as DOS had it.
    if (end - first === 1 && bytes[first] === SUBSTITUTE) return;
    if (first < end && bytes[first] !== HASH) this.taker.line(bytes, start, end);
  }
}
