/**
 * The checkpoint directory: which checkpoint a name leads to, and who may write the next one. Guarded by the checkpoint
 * lock, under which no other lock is taken; readers take none.
 *
 * | step    | by     | stores, in order                                             | a crash after any of them leaves     |
 * |---------|--------|--------------------------------------------------------------|--------------------------------------|
 * | enter   | open   | name, its hash, current 0; state USED last                   | an unused entry                      |
 * | take    | open   | open 0; owner, incarnation; term; open 1                     | a name that nobody writes, as it was |
 * | commit  | commit | the place that does not count, its check; current; open 0    | up to current the old checkpoint,    |
 * |         |        |                                                              | from then on the new one             |
 * | give up | end    | open 0; state UNUSED where nothing was ever committed        | the same                             |
 * | forget  | forget | open 0; state UNUSED                                         | an entry to be used anew             |
 *
 * (T1) a commit is one word store: `current` names the place that counts. The places and `current` share a line, so on
 *      a disk they share a page.
 * (T2) terms only rise, over all entries together: a term is one more than the largest there is, and unused entries keep
 *      theirs. So a term names one writer for ever, and a writer whose term the entry no longer has is fenced.
 * (T3) a place counts only with its check, which covers the name: a reader who meets the entry while it is given to
 *      another name, or while its place is written anew, sees that and looks again.
 * (T4) the used entries have distinct names.
 *
 * What the entries lead to, the objects, are others' business: checkpoints.ts.
 */
import { PoolError } from '../../../lib/errors.js';
import { KeyHash } from '../../../lib/hash.js';
import type { Words } from '../../../lib/words.js';
import {
  CHECKPOINT_NAME_BYTES_MAX,
  CHECKPOINT_UNUSED,
  CHECKPOINT_USED,
  CheckpointEntry,
  type Geometry,
  raiseUnsigned64,
  readUnsigned64,
  writeUnsigned64,
} from '../layout/index.js';
import type { Locks, Nodes } from '../nodes/index.js';

/** Names an object of a checkpoint for all time. */
export interface ObjectId {
  readonly entry: number;
  readonly term: number;
  readonly nonce: number;
  readonly serial: number;
}

const at = CheckpointEntry.word;
const FIRST = { term: at.firstTerm, sequence: at.firstSequence, nonce: at.firstNonce, serial: at.firstSerial };
const SECOND = { term: at.secondTerm, sequence: at.secondSequence, nonce: at.secondNonce, serial: at.secondSerial };
const PLACES = [
  { ...FIRST, check: at.firstCheck },
  { ...SECOND, check: at.secondCheck },
] as const;
const TRIES_MAX = 16;
const TERM_MAX = 2 ** 52;
const encoder = new TextEncoder();

/** What an entry leads to: the manifest of the commit, and its number. */
export interface Committed {
  readonly manifest: ObjectId;
  readonly sequence: number;
}

/** A name taken for writing. */
export interface Tenure {
  readonly entry: number;
  readonly term: number;
  /** Of the last commit. */
  readonly committed: Committed | undefined;
  /** Whether the name is new, and whether its last writer ended neither way. */
  readonly isNew: boolean;
  readonly isTakenOver: boolean;
}

export class CheckpointDirectory {
  private readonly words: Words;
  private readonly base: number;
  private readonly count: number;
  private readonly lock: number;
  private readonly locks: Locks;
  private readonly nodes: Nodes;
  private readonly hash = new KeyHash(0x5eed);

  constructor(words: Words, geometry: Geometry, locks: Locks, nodes: Nodes) {
    this.words = words;
    this.base = geometry.regions.checkpoints.word;
    this.count = geometry.regions.checkpoints.count;
    this.lock = geometry.shards + 3;
    this.locks = locks;
    this.nodes = nodes;
  }

  wordOf(entry: number): number {
    return this.base + entry * CheckpointEntry.words;
  }

  private guarded<T>(work: () => T): T {
    return this.locks.within(this.lock, work);
  }

  isUsed(entry: number): boolean {
    return this.words.load(this.wordOf(entry) + at.state) === CHECKPOINT_USED;
  }

  /** The bytes of the entry's name; undefined where there can be none. */
  nameOf(entry: number): Uint8Array | undefined {
    const word = this.wordOf(entry);
    const length = this.words.read(word + at.nameLength) >>> 0;
    if (length < 1 || length > CHECKPOINT_NAME_BYTES_MAX) return undefined;
    const name = new Uint8Array(length);
    for (let i = 0; i < length; i++) name[i] = this.words.read(word + at.name + (i >> 2)) >>> ((i & 3) * 8);
    return name;
  }

  hashOf(name: Uint8Array): number {
    this.hash.of(name, name.length);
    return this.hash.low;
  }

  /** The used entry of the name, or -1. */
  private find(name: Uint8Array): number {
    const hash = this.hashOf(name);
    for (let entry = 0; entry < this.count; entry++) {
      if (!this.isUsed(entry) || this.words.read(this.wordOf(entry) + at.nameHash) !== hash) continue;
      const other = this.nameOf(entry);
      if (other?.length === name.length && other.every((byte, i) => byte === name[i])) return entry;
    }
    return -1;
  }

  private term(entry: number): number {
    return readUnsigned64(this.words, this.wordOf(entry) + at.term);
  }

  /** Of whoever took the name last; -1 when nobody has. */
  termOf(name: Uint8Array): number {
    const entry = this.find(name);
    return entry < 0 ? -1 : this.term(entry);
  }

  private isOpen(entry: number): boolean {
    return this.words.load(this.wordOf(entry) + at.open) === 1;
  }

  private isOwnerGone(entry: number): boolean {
    const word = this.wordOf(entry);
    return this.nodes.isGone(this.words.read(word + at.owner) - 1, this.words.read(word + at.ownerIncarnation));
  }

  /** Row of the node that took the name last. */
  ownerOf(entry: number): number {
    return this.words.read(this.wordOf(entry) + at.owner) - 1;
  }

  /** The term of the entry's living writer, or -1. */
  openTerm(entry: number): number {
    return entry >= 0 && entry < this.count && this.isUsed(entry) && this.isOpen(entry) && !this.isOwnerGone(entry)
      ? this.term(entry)
      : -1;
  }

  /** What a name leads to; undefined for nothing. Throws POOL_CORRUPT. */
  read(name: Uint8Array): { entry: number; committed: Committed } | undefined {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const entry = this.find(name);
      if (entry < 0) return undefined;
      const committed = this.committedOf(entry);
      if (committed === 'damaged') continue;
      return committed === undefined ? undefined : { entry, committed };
    }
    throw damaged();
  }

  /** 'damaged' also for an entry that is being given another name, or overtaken by two commits, while it is read. */
  committedOf(entry: number): Committed | undefined | 'damaged' {
    const { words } = this;
    const word = this.wordOf(entry);
    // ORDER commit-1: current, then the place it names; pairs with commit.
    const current = words.load(word + at.current);
    if (current === 0) return undefined;
    const place = PLACES[current - 1];
    if (place === undefined) return 'damaged';
    const [term, sequence] = [readUnsigned64(words, word + place.term), readUnsigned64(words, word + place.sequence)];
    const manifest = { entry, term, nonce: words.read(word + place.nonce), serial: words.read(word + place.serial) };
    const committed = { manifest, sequence };
    // (T3)
    if (words.read(word + place.check) !== this.checkOf(entry, committed)) return 'damaged';
    return words.load(word + at.current) === current ? committed : 'damaged';
  }

  private checkOf(entry: number, { manifest, sequence }: Committed): number {
    const hash = this.words.read(this.wordOf(entry) + at.nameHash);
    return this.hashOf(encoder.encode(`${hash} ${manifest.term} ${manifest.nonce} ${manifest.serial} ${sequence}`));
  }

  /**
   * Takes the name for this node, whoever had it. `heldTerm`: the term under which this node had it last,
   * or saw it since. Throws NODE_FENCED when another node has taken it since; TOO_MANY_CHECKPOINTS, BUSY, POOL_CORRUPT.
   */
  open(name: Uint8Array, heldTerm: number | undefined): Tenure {
    const outcome = this.guarded(() => {
      const known = this.find(name);
      if (known >= 0 && heldTerm !== undefined && this.term(known) !== heldTerm) return 'fenced';
      const committed = known < 0 ? undefined : this.committedOf(known);
      if (committed === 'damaged') return 'damaged';
      const isTakenOver = known >= 0 && this.isOpen(known);
      const entry = known >= 0 ? known : this.enter(name);
      return entry < 0 ? 'full' : { entry, term: this.takeName(entry), committed, isNew: known < 0, isTakenOver };
    });
    if (outcome === 'fenced') throw fenced();
    if (outcome === 'damaged') throw damaged();
    if (outcome !== 'full') return outcome;
    throw new PoolError('TOO_MANY_CHECKPOINTS', `The pool has ${this.count} checkpoints already.`, {
      checkpoints: this.count,
    });
  }

  /** An unused entry gets the name; -1 when there is none. */
  private enter(name: Uint8Array): number {
    const { words } = this;
    let entry = 0;
    while (entry < this.count && words.load(this.wordOf(entry) + at.state) !== CHECKPOINT_UNUSED) entry++;
    if (entry === this.count) return -1;
    const word = this.wordOf(entry);
    words.fill(word + at.name, CheckpointEntry.words - at.name, 0);
    for (let i = 0; i < name.length; i++) {
      const part = word + at.name + (i >> 2);
      words.write(part, words.read(part) | ((name[i] as number) << ((i & 3) * 8)));
    }
    words.write(word + at.nameLength, name.length);
    words.write(word + at.nameHash, this.hashOf(name));
    words.store(word + at.open, 0);
    words.store(word + at.current, 0);
    words.store(word + at.state, CHECKPOINT_USED);
    return entry;
  }

  private takeName(entry: number): number {
    const { words } = this;
    const word = this.wordOf(entry);
    let term = 0;
    for (let other = 0; other < this.count; other++) term = Math.max(term, this.boundedTerm(other));
    words.store(word + at.open, 0);
    words.write(word + at.owner, this.nodes.self + 1);
    words.write(word + at.ownerIncarnation, this.nodes.incarnation);
    // Cut off between its two words a term is larger than it should be, never smaller.
    raiseUnsigned64(words, word + at.term, term + 1);
    words.store(word + at.open, 1);
    return term + 1;
  }

  /** A term that no pool lives to see is a lie, and not to be counted on from. */
  private boundedTerm(entry: number): number {
    const term = this.term(entry);
    return term < TERM_MAX ? term : 0;
  }

  isHeld(entry: number, term: number): boolean {
    return this.isUsed(entry) && this.isOpen(entry) && this.term(entry) === term;
  }

  /** The commit. False for a writer that is fenced. The objects are sealed, and synced where they have to be. */
  commit({ entry, term }: Tenure, committed: Committed): boolean {
    const { words } = this;
    return this.guarded(() => {
      if (!this.isHeld(entry, term)) return false;
      const word = this.wordOf(entry);
      const next = words.load(word + at.current) === 1 ? 2 : 1;
      const place = PLACES[next - 1] as (typeof PLACES)[number];
      writeUnsigned64(words, word + place.term, committed.manifest.term);
      writeUnsigned64(words, word + place.sequence, committed.sequence);
      words.write(word + place.nonce, committed.manifest.nonce);
      words.write(word + place.serial, committed.manifest.serial);
      words.write(word + place.check, this.checkOf(entry, committed));
      // ORDER commit-1: the objects and the place before current; pairs with committedOf.
      words.store(word + at.current, next);
      words.store(word + at.open, 0);
      return true;
    });
  }

  /** The writer gives up. */
  end({ entry, term }: Pick<Tenure, 'entry' | 'term'>): void {
    this.guarded(() => {
      if (this.isHeld(entry, term)) this.close(entry);
    });
  }

  private close(entry: number): void {
    const { words } = this;
    const word = this.wordOf(entry);
    words.store(word + at.open, 0);
    if (words.load(word + at.current) === 0) words.store(word + at.state, CHECKPOINT_UNUSED);
  }

  /** Whoever writes the name is fenced, and the name leads to nothing. The commit that it led to, if any. */
  forget(name: Uint8Array): { entry: number; committed: Committed } | undefined {
    return this.guarded(() => {
      const entry = this.find(name);
      if (entry < 0) return undefined;
      const committed = this.committedOf(entry);
      const word = this.wordOf(entry);
      this.words.store(word + at.open, 0);
      this.words.store(word + at.state, CHECKPOINT_UNUSED);
      // Of a damaged place nothing can be told, and the name is free.
      return committed === undefined || committed === 'damaged' ? undefined : { entry, committed };
    });
  }

  /** Names whose writer died are nobody's. */
  closeGone(): void {
    const isLeft = (entry: number) => this.isUsed(entry) && this.isOpen(entry) && this.isOwnerGone(entry);
    for (let entry = 0; entry < this.count; entry++) {
      if (!isLeft(entry)) continue;
      this.guarded(() => {
        if (isLeft(entry)) this.close(entry);
      });
    }
  }

  /** After a restart of the machine: nobody writes, and entries that do not agree with themselves lead to nothing. */
  restore(): void {
    const { words } = this;
    for (let entry = 0; entry < this.count; entry++) {
      const word = this.wordOf(entry);
      if (!this.isSound(entry)) {
        words.fill(word, CheckpointEntry.words, 0);
        words.store(word + at.state, CHECKPOINT_UNUSED);
      }
      words.store(word + at.open, 0);
    }
  }

  private isSound(entry: number): boolean {
    const word = this.wordOf(entry);
    const state = this.words.load(word + at.state);
    if (!(this.term(entry) < TERM_MAX)) return false;
    if (state === CHECKPOINT_UNUSED) return true;
    const name = this.nameOf(entry);
    if (state !== CHECKPOINT_USED || name === undefined || this.find(name) !== entry) return false;
    const current = this.words.load(word + at.current);
    return current >= 0 && current <= PLACES.length && this.committedOf(entry) !== 'damaged';
  }

  /** After the lock was taken from a dead owner: names that were entered and never taken, or given up half-way. */
  repair(): void {
    for (let entry = 0; entry < this.count; entry++) {
      if (this.isUsed(entry) && !this.isOpen(entry)) this.close(entry);
    }
  }

  /** Entries that lead to a commit. */
  committedEntries(): number[] {
    const found: number[] = [];
    for (let entry = 0; entry < this.count; entry++) {
      if (this.isUsed(entry) && this.words.load(this.wordOf(entry) + at.current) !== 0) found.push(entry);
    }
    return found;
  }
}

export function fenced(): PoolError {
  return new PoolError('NODE_FENCED', 'Another node has taken the checkpoint over.');
}

function damaged(): PoolError {
  return new PoolError('POOL_CORRUPT', 'An entry of the checkpoint directory is damaged.');
}
