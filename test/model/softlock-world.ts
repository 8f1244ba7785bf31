/** The world of the lock between hosts (softlock.ts): its lines, what a host knows, and what the oracle knows. */
import { HostMemory } from './softlock-memory.js';
import { type Mutation, World } from './world.js';

// Private bytes of a host.
export const [MAX, AT, TURNS, DEATH, INSIDE, VALUE, IMAGE, GIVE_UPS, LEFT_OUT, SEEN] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
/** How a host's process died: its heir goes on, its lines leave later, or the host lost power. */
export const [LIVES, HAS_HEIR, LINES_LEFT, NO_POWER] = [0, 1, 2, 3];
// What only the oracle knows.
export const [TRUTH, VOID, DEATHS, FALSE_DEATHS] = [0, 1, 2, 3];
export const TERM_MAX = 3;

export interface LockBounds {
  readonly hosts: number;
  /** Times that each host takes the lock; or of each. */
  readonly turns: number | readonly number[];
  /** A host that died inside before all began, its lines still in its cache; -1: none. */
  readonly dead: number;
  readonly deaths: number;
  /** Hosts that are declared dead and live. */
  readonly falseDeaths: number;
  readonly giveUps: number;
}

export interface Line {
  readonly isChoosing: boolean;
  readonly number: number;
  readonly term: number;
  /** Hosts, as bits: declared, and dead since the term began. */
  readonly declaring: number;
  readonly dead: number;
}

/** What is guarded: how often it was changed, and by which host last. */
export function changed(value: number, host: number): number {
  return (((value >> 2) + 1) << 2) | host;
}
function tellOf(value: number): string {
  return `change ${value >> 2}, by host ${value & 3}`;
}

export class LockWorld extends World {
  readonly bounds: LockBounds;
  readonly hosts: number;
  readonly lines: HostMemory;
  /** Lines by the byte that stands for them. */
  private readonly known: Line[] = [];
  private readonly bytes = new Map<string, number>();

  constructor(bounds: LockBounds, mutation: Mutation) {
    const { hosts } = bounds;
    const names = Array.from({ length: hosts }, (_, host) => `line ${host}`);
    const lines = new HostMemory(hosts, 1 + TERM_MAX * hosts, (mutation.unflushed ?? []).length > 0);
    super({ memory: lines, mutation, wordNames: names, actors: hosts + 1, locals: SEEN + hosts, ghosts: 4 });
    this.bounds = bounds;
    this.hosts = hosts;
    this.lines = lines;
    this.byteOf({ isChoosing: false, number: 0, term: 0, declaring: 0, dead: 0 });
  }

  byteOf(line: Line): number {
    const name = JSON.stringify(line);
    let byte = this.bytes.get(name);
    if (byte === undefined) {
      byte = this.known.length;
      if (byte > 255) throw new Error('More kinds of lines than a byte can tell.');
      this.bytes.set(name, byte);
      this.known.push(line);
    }
    return byte;
  }
  lineOf(byte: number): Line {
    return this.known[byte] as Line;
  }
  get mine(): Line {
    return this.lineOf(this.own(this.actor));
  }
  /** Whom this host has declared dead without having begun a term since. */
  get undecided(): number {
    const { declaring, dead } = this.mine;
    return declaring & ~dead;
  }
  change(part: Partial<Line>): void {
    const { isChoosing, number, term, declaring, dead } = { ...this.mine, ...part };
    this.store(this.actor, this.byteOf({ isChoosing, number, term, declaring, dead }));
  }
  look(host: number): Line {
    const byte = this.load(host);
    this.set(SEEN + host, byte);
    return this.lineOf(byte);
  }
  seen(host: number): Line {
    return host === this.actor ? this.mine : this.lineOf(this.get(SEEN + host));
  }

  isVoid(host: number): boolean {
    return (this.ghost(VOID) & (1 << host)) !== 0;
  }

  /** Of the lines seen, the term that counts and who began it; -1: nobody. */
  newest(): { term: number; by: number } {
    let found = { term: 0, by: -1 };
    for (let host = 0; host < this.hosts; host++) {
      const { term } = this.seen(host);
      if (term > 0 && term >= found.term && !this.isOverruled(host, term)) found = { term, by: host };
    }
    return found;
  }
  private isOverruled(host: number, term: number): boolean {
    if (this.has('terms of the dead count')) return false;
    for (let other = 0; other < this.hosts; other++) {
      const line = this.seen(other);
      if ((line.dead & (1 << host)) !== 0 && term >= line.term) return true;
    }
    return false;
  }
  imageOf({ term, by }: { term: number; by: number }): number {
    return term === 0 ? 0 : 1 + (term - 1) * this.hosts + by;
  }
  isDeclared(): boolean {
    for (let host = 0; host < this.hosts; host++)
      if (((this.seen(host).declaring | this.seen(host).dead) & (1 << this.actor)) !== 0) return true;
    return false;
  }

  /** Writebacks, and loads of what was invalidated: each one line that goes to memory and back. By step. */
  readonly operations = new Map<string, number>();
  private operated(): void {
    this.operations.set(this.step, (this.operations.get(this.step) ?? 0) + 1);
  }
  override load(word: number): number {
    this.operated();
    return super.load(word);
  }
  override store(word: number, value: number): void {
    this.operated();
    super.store(word, value);
  }
  cleanImage(): void {
    this.operated();
    this.lines.clean(this.actor, this.get(IMAGE));
  }
  readImage(): number {
    this.operated();
    const image = this.get(IMAGE);
    if (this.flushes) this.lines.drop(this.actor, image);
    return this.lines.read(this.actor, image, this.chooses);
  }
  /** Nothing of the turn stays behind. */
  forgetTurn(): void {
    for (const local of [MAX, AT, INSIDE, VALUE, IMAGE, LEFT_OUT]) this.set(local, 0);
    for (let host = 0; host < this.hosts; host++) this.set(SEEN + host, 0);
  }

  // The oracle.

  /** Whether another host has declared this one dead, seen by anybody or not. */
  private isSuspect(host: number): boolean {
    for (let other = 0; other < this.hosts; other++) {
      const { declaring, dead } = this.lineOf(this.own(other));
      if (((declaring | dead) & (1 << host)) !== 0) return true;
    }
    return false;
  }

  /** The host has read the image that it is going to change or copy; `isHeir`: its process before this one may have changed it. */
  enter(value: number, isHeir: boolean): void {
    const self = this.actor;
    if (this.isSuspect(self)) return;
    const truth = this.ghost(TRUTH);
    const { undecided } = this;
    let isRight = value === truth || (isHeir && value === changed(truth, self));
    for (let host = 0; host < this.hosts; host++) {
      if (host === self || this.of(host, INSIDE) === 0 || this.isVoid(host)) continue;
      if (!this.isSuspect(host)) this.fail(`(X) hosts ${host} and ${self} are inside`);
      // What it found may be the change of a process that died there.
      const found = this.of(host, VALUE);
      if (value === found || value === changed(found, host)) isRight = true;
      if ((undecided & (1 << host)) !== 0) this.setOf(host, LEFT_OUT, value === changed(found, host) ? 0 : 1);
    }
    if (!isRight) this.fail(`(G) host ${self} sees ${tellOf(value)}, and ${tellOf(truth)} was acknowledged`);
    this.setGhost(TRUTH, value);
  }
  /** From now on nothing of those counts that the host has declared; of a suspect's terms nobody knows whether they count. */
  overrule(): void {
    if (this.isSuspect(this.actor)) return;
    this.setGhost(VOID, this.ghost(VOID) | this.undecided);
  }
  acknowledge(): void {
    if (this.get(LEFT_OUT) === 1) this.fail('(A) a change is acknowledged that a repair has left out');
    else if (!this.isVoid(this.actor)) this.setGhost(TRUTH, changed(this.get(VALUE), this.actor));
  }
}
