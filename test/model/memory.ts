/**
 * What memory does with the stores of a model: three machines, from the kindest to the meanest. The same programs run on
 * each.
 *
 * sequential: a store is seen by all at once. Atomics on coherent memory.
 *
 * buffered: x64 (TSO). A plain `write` waits in its actor's store buffer, in order, and is seen by nobody else until it
 * drains, which it may do at any moment; the actor's own loads see it. A `store` (an exchange) drains the buffer first.
 * `fenceAll` drains every buffer: membarrier(2).
 *
 * apart: CXL 2.0. Each host has its own copy of every line, and nothing but writing back and invalidating moves one for
 * certain; a dirty line may leave and a clean one be refreshed at any moment by itself. It is kept exactly but lazily:
 * per line the values stored in order, `reached`, the oldest of them that memory may hold, and per host the oldest that
 * its clean copy may be. Loading picks one between that and the newest, and so settles what happened unseen.
 * Each word is a line of its own, which is worse than the truth where words share one.
 *
 * One actor is one host. A word has one writer (the model says which); the writer sees what it wrote.
 */
export type Choose = (count: number) => number;

export interface Memory {
  /** Whether writing back and invalidating mean anything. */
  readonly isApart: boolean;
  reset(values: Uint8Array): void;
  load(actor: number, word: number, choose: Choose): number;
  store(actor: number, word: number, value: number): void;
  write(actor: number, word: number, value: number): void;
  writeback(word: number): void;
  invalidate(actor: number, word: number): void;
  fenceAll(): void;
  /** The actor stops for good, or goes on as another: what it had not made visible becomes so. */
  drainAll(actor: number): void;
  /** One thing that memory may do by itself for the actor; false when there is nothing. */
  stir(actor: number): boolean;
  /** What was stored last: for the oracle. */
  newest(word: number): number;
  /** Whether a load by the actor could return anything else. */
  isOnly(actor: number, word: number, value: number): boolean;
  encode(into: Uint8Array, at: number): number;
  decode(from: Uint8Array, at: number): void;
}

export class Sequential implements Memory {
  readonly isApart = false;
  protected values: Uint8Array;

  constructor(words: number) {
    this.values = new Uint8Array(words);
  }
  reset(values: Uint8Array): void {
    this.values.set(values);
  }
  load(_actor: number, word: number, _choose?: Choose): number {
    return this.values[word] as number;
  }
  store(_actor: number, word: number, value: number): void {
    this.values[word] = value;
  }
  write(actor: number, word: number, value: number): void {
    this.store(actor, word, value);
  }
  writeback(_word: number): void {}
  invalidate(_actor: number, _word: number): void {}
  fenceAll(): void {}
  drainAll(_actor: number): void {}
  stir(_actor: number): boolean {
    return false;
  }
  newest(word: number): number {
    return this.values[word] as number;
  }
  isOnly(_actor: number, word: number, value: number): boolean {
    return this.values[word] === value;
  }
  encode(into: Uint8Array, at: number): number {
    into.set(this.values, at);
    return at + this.values.length;
  }
  decode(from: Uint8Array, at: number): void {
    for (let i = 0; i < this.values.length; i++) this.values[i] = from[at + i] as number;
  }
}

const BUFFER_MAX = 4;

export class Buffered extends Sequential {
  private readonly buffers: [word: number, value: number][][];

  constructor(words: number, actors: number) {
    super(words);
    this.buffers = Array.from({ length: actors }, () => []);
  }
  private bufferOf(actor: number): [number, number][] {
    return this.buffers[actor] as [number, number][];
  }
  override load(actor: number, word: number): number {
    const buffer = this.bufferOf(actor);
    for (let i = buffer.length - 1; i >= 0; i--) if (buffer[i]?.[0] === word) return buffer[i]?.[1] as number;
    return this.values[word] as number;
  }
  override write(actor: number, word: number, value: number): void {
    const buffer = this.bufferOf(actor);
    buffer.push([word, value]);
    if (buffer.length > BUFFER_MAX) this.stir(actor);
  }
  override store(actor: number, word: number, value: number): void {
    this.drainAll(actor);
    this.values[word] = value;
  }
  override drainAll(actor: number): void {
    while (this.stir(actor));
  }
  override fenceAll(): void {
    for (let actor = 0; actor < this.buffers.length; actor++) this.drainAll(actor);
  }
  override stir(actor: number): boolean {
    const oldest = this.bufferOf(actor).shift();
    if (oldest !== undefined) this.values[oldest[0]] = oldest[1];
    return oldest !== undefined;
  }
  override newest(word: number): number {
    for (let actor = 0; actor < this.buffers.length; actor++) {
      const value = this.load(actor, word);
      if (value !== this.values[word]) return value;
    }
    return this.values[word] as number;
  }
  override isOnly(_actor: number, word: number, value: number): boolean {
    return this.values[word] === value;
  }
  override encode(into: Uint8Array, start: number): number {
    let at = super.encode(into, start);
    for (const buffer of this.buffers) {
      into[at++] = buffer.length;
      for (const [word, value] of buffer) {
        into[at++] = word;
        into[at++] = value;
      }
    }
    return at;
  }
  override decode(from: Uint8Array, start: number): void {
    super.decode(from, start);
    let at = start + this.values.length;
    for (const buffer of this.buffers) {
      buffer.length = from[at++] as number;
      for (let i = 0; i < buffer.length; i++, at += 2) buffer[i] = [from[at] as number, from[at + 1] as number];
    }
  }
}

interface Line {
  /** In the order stored; the last is the newest. */
  values: number[];
  /** Index of the oldest value that memory may hold. */
  reached: number;
  /** Per host, index of the oldest value that its clean copy may be. Never above `reached`. */
  copies: number[];
}

export class Apart implements Memory {
  readonly isApart = true;
  private readonly lines: Line[];
  private readonly hosts: number;
  /** Per word, the host that writes it. */
  private readonly owners: readonly number[];
  /** Whether an old copy in the host's cache can matter still: no, where every load of the word invalidates first. */
  private readonly isKept: (host: number, word: number) => boolean;
  /** Where what `decode` read has ended. */
  protected decodedTo = 0;

  constructor(owners: readonly number[], hosts: number, isKept: (host: number, word: number) => boolean) {
    this.hosts = hosts;
    this.owners = owners;
    this.isKept = isKept;
    this.lines = owners.map(() => ({ values: [0], reached: 0, copies: new Array(hosts).fill(0) }));
  }
  private line(word: number): Line {
    return this.lines[word] as Line;
  }
  reset(values: Uint8Array): void {
    this.lines.forEach((line, word) => {
      line.values = [values[word] as number];
      line.reached = 0;
      line.copies.fill(0);
    });
  }
  load(host: number, word: number, choose: Choose): number {
    const { values } = this.line(word);
    if (this.owners[word] === host) return values[values.length - 1] as number;
    const line = this.line(word);
    const oldest = line.copies[host] as number;
    const picked = oldest + choose(values.length - oldest);
    line.copies[host] = picked;
    line.reached = Math.max(line.reached, picked);
    return values[picked] as number;
  }
  store(_host: number, word: number, value: number): void {
    const { values } = this.line(word);
    if (values[values.length - 1] !== value) values.push(value);
  }
  write(host: number, word: number, value: number): void {
    this.store(host, word, value);
  }
  writeback(word: number): void {
    const line = this.line(word);
    line.reached = line.values.length - 1;
  }
  invalidate(host: number, word: number): void {
    const line = this.line(word);
    line.copies[host] = Math.max(line.copies[host] as number, line.reached);
  }
  fenceAll(): void {}
  drainAll(_host: number): void {}
  stir(_host: number): boolean {
    return false;
  }
  newest(word: number): number {
    const { values } = this.line(word);
    return values[values.length - 1] as number;
  }
  isOnly(host: number, word: number, value: number): boolean {
    const { values, copies } = this.line(word);
    for (let i = copies[host] as number; i < values.length; i++) if (values[i] !== value) return false;
    return true;
  }
  encode(into: Uint8Array, start: number): number {
    let at = start;
    for (let word = 0; word < this.lines.length; word++) {
      this.forgetUnreachable(word);
      const line = this.line(word);
      into[at++] = line.values.length;
      for (const value of line.values) into[at++] = value;
      if (line.values.length === 1) continue;
      into[at++] = line.reached;
      for (const copy of line.copies) into[at++] = copy;
    }
    return at;
  }
  /** The host loses power: of each of its lines what memory holds is now the newest. */
  cutShort(host: number, choose: Choose): void {
    this.lines.forEach((line, word) => {
      if (this.owners[word] !== host) return;
      line.reached += choose(line.values.length - line.reached);
      line.values.length = line.reached + 1;
    });
  }
  private forgetUnreachable(word: number): void {
    const line = this.line(word);
    if (line.values.length === 1) return;
    let oldest = line.reached;
    for (let host = 0; host < this.hosts; host++) {
      if (this.owners[word] === host || !this.isKept(host, word)) line.copies[host] = line.reached;
      oldest = Math.min(oldest, line.copies[host] as number);
    }
    if (oldest === 0) return;
    line.values.splice(0, oldest);
    line.reached -= oldest;
    for (let host = 0; host < this.hosts; host++) line.copies[host] = (line.copies[host] as number) - oldest;
  }
  decode(from: Uint8Array, start: number): void {
    let at = start;
    for (const line of this.lines) {
      line.values.length = from[at++] as number;
      for (let i = 0; i < line.values.length; i++) line.values[i] = from[at++] as number;
      const isPlain = line.values.length === 1;
      line.reached = isPlain ? 0 : (from[at++] as number);
      for (let host = 0; host < this.hosts; host++) line.copies[host] = isPlain ? 0 : (from[at++] as number);
    }
    this.decodedTo = at;
  }
}
