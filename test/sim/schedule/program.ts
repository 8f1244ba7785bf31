/**
 * What actors do: a few operations each, drawn from the seed. Every page read is checked for being whole and its key's
 * own, when it is found and once more before what protects it ends.
 */
import { PoolError } from '../../../lib/errors.js';
import type { Page } from '../../../src/pool/layout/types.js';
import { contentOf, faultOf, valueIn } from '../content.js';
import type { ControlBlock } from '../control.js';
import type { SimulatedNode } from '../node.js';
import type { EntryKind, Journal } from './journal.js';
import { type Act, WORKLOADS, type Workload } from './workloads.js';

export class PageFault extends Error {}

/** An actor's own chance: its program does not depend on the schedule. */
export class Dice {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed, 0x85ebca6b) ^ 0x27d4eb2f;
  }
  below(count: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) % 65_536) % count;
  }
}

export function workloadOf(seed: number): Workload {
  return WORKLOADS[seed % WORKLOADS.length] as Workload;
}

export function keyName(key: number): string {
  return `k${key}`;
}
function poolKey(key: number): string {
  return `\u0000k${key}`;
}

const LOOKS = 8;
/** What a tag ended may be served stale for so long. */
export const STALE_MS = 1000;

interface Held {
  readonly bytes: Uint8Array;
  readonly key: number;
  readonly value: number;
  readonly size: number;
  readonly page: Page | undefined;
}

export interface ProgramOptions {
  readonly node: SimulatedNode;
  readonly control: ControlBlock;
  readonly journal: Journal;
  readonly actor: number;
  readonly seed: number;
  readonly isOfOneKey: boolean;
}

export class Program {
  private readonly node: SimulatedNode;
  private readonly control: ControlBlock;
  private readonly journal: Journal;
  private readonly actor: number;
  private readonly dice: Dice;
  private readonly workload: Workload;
  private held: Held[] = [];
  private made = 0;
  private readonly isOfOneKey: boolean;

  constructor(options: ProgramOptions) {
    this.node = options.node;
    this.control = options.control;
    this.journal = options.journal;
    this.actor = options.actor;
    this.dice = new Dice(options.seed * 8 + options.actor);
    this.workload = workloadOf(options.seed);
    this.isOfOneKey = options.isOfOneKey;
  }

  /** `acts`: in this order, instead of by chance. */
  run(acts?: readonly Act[]): void {
    const { workload, dice, node } = this;
    const choice = (this.actor === 1 ? workload.firstActs : undefined) ?? workload.acts;
    const count = acts?.length ?? 1 + dice.below(workload.actsMax);
    for (let act = 0; act < count; act++) {
      if (acts === undefined) this.chooseFences();
      this.perform(acts?.[act] ?? (choice[dice.below(choice.length)] as Act));
      this.checkHeld();
      if (acts === undefined && dice.below(2) === 0) this.endRun();
    }
    this.endRun();
    // What is pinned is protected by that alone now.
    if (this.held.length > 0) this.wait();
    this.checkHeld();
    for (const { page } of this.held.splice(0)) page?.release();
    // What a stopped node kept it from taking back is others' to clean up.
    if ((acts === undefined && dice.below(2) === 0) || node.session.writer.leftovers.count > 0) node.session.close();
  }

  private endRun(): void {
    this.checkHeld();
    this.held = this.held.filter(({ page }) => page !== undefined);
    this.node.machine.endRun();
  }

  /** What is protected is still what it was. */
  private checkHeld(): void {
    for (const { bytes, key, value, size } of this.held) {
      const fault = faultOf(bytes, key, size) ?? (valueIn(bytes) === value ? undefined : 'another value');
      if (fault !== undefined)
        throw new PageFault(`a page held by actor ${this.actor} under ${keyName(key)}: ${fault}`);
    }
  }

  private perform(act: Act): void {
    const key = this.isOfOneKey ? 0 : this.dice.below(this.workload.keys);
    const value = this.actor * 100 + ++this.made;
    try {
      this[act](key, value);
    } catch (error) {
      if (!(error instanceof PoolError) || !(error.code === 'BUSY' || error.code === 'POOL_FULL')) throw error;
    }
  }

  /** Journals an operation; `work` gives the value and the result that go into it. */
  private record(kind: EntryKind, key: number, value: number, work: () => [value: number, result: number]): void {
    const index = this.journal.begin(this.actor, kind, key, value, this.control.nextStep());
    try {
      const [found, result] = work();
      this.journal.end(index, found, result, this.control.nextStep());
    } catch (error) {
      // Nothing was made of a put without room.
      if (error instanceof PoolError && error.code === 'POOL_FULL') {
        this.journal.end(index, 0, 0, this.control.nextStep());
        this.journal.forget(index);
      }
      throw error;
    }
  }

  chooseFences(): void {
    this.node.session.reader.hazards.choose();
  }

  put(key: number, value: number): void {
    this.record('put', key, value, () => [value, this.node.pool.put(poolKey(key), contentOf(key, value)) ? 1 : 0]);
  }

  putLarge(key: number, value: number): void {
    this.record('put', key, value, () => [
      value,
      this.node.pool.put(poolKey(key), contentOf(key, value, this.workload.sizeOf(value))) ? 1 : 0,
    ]);
  }

  create(key: number, value: number): void {
    const kind = this.dice.below(2) === 0 ? 'put' : 'abort';
    this.record(kind, key, value, () => {
      let draft: ReturnType<SimulatedNode['pool']['create']>;
      try {
        const bytes = contentOf(key, value);
        draft = this.node.pool.create(poolKey(key), bytes.length);
        draft.bytes.set(bytes);
      } catch (error) {
        if (error instanceof PoolError && error.code === 'KEY_EXISTS') return [value, 0];
        throw error;
      }
      try {
        if (kind === 'put') draft.seal();
      } finally {
        // Of what could not be sealed nothing stays; of what was there is nothing to take back.
        draft.abort();
      }
      // Behind a stopped lock holder a draft is taken back later.
      if (this.node.session.writer.leftovers.count > 0) throw new PoolError('BUSY', 'taken back later');
      return [value, 1];
    });
  }

  set(key: number, value: number): void {
    this.record('set', key, value, () => {
      const stored = this.node.cache.set(keyName(key), contentOf(key, value));
      return [stored ? value : 0, stored ? 1 : 0];
    });
  }

  delete(key: number): void {
    this.record('delete', key, 0, () => [0, this.node.cache.delete(keyName(key)) ? 1 : 0]);
  }

  clear(): void {
    const { keys } = this.workload;
    const start = this.control.nextStep();
    const indexes = Array.from({ length: keys }, (_, key) => this.journal.begin(this.actor, 'clear', key, 0, start));
    this.node.cache.clear();
    const end = this.control.nextStep();
    for (const index of indexes) this.journal.end(index, 0, 1, end);
  }

  get(key: number): void {
    this.record('get', key, 0, () => {
      const page = this.node.pool.get(poolKey(key));
      return [page === undefined ? 0 : this.see(key, page.bytes, page), 1];
    });
  }

  borrow(key: number): void {
    this.record('get', key, 0, () => {
      const bytes = this.node.cache.borrow(keyName(key));
      return [bytes === undefined ? 0 : this.see(key, bytes, undefined), 1];
    });
  }

  read(key: number): void {
    this.record('get', key, 0, () => {
      const target = new Uint8Array(2048);
      const size = this.node.cache.read(keyName(key), target);
      if (size < 0) return [0, 1];
      const bytes = target.subarray(0, size);
      const fault = faultOf(bytes, key, this.workload.sizeOf(valueIn(bytes)));
      if (fault !== undefined) throw new PageFault(`a copy read under ${keyName(key)}: ${fault}`);
      return [valueIn(bytes), 1];
    });
  }

  /** A page just found: whole, the key's own, and held from now on. */
  private see(key: number, bytes: Uint8Array, page: Page | undefined): number {
    const value = valueIn(bytes);
    const size = this.workload.sizeOf(value);
    const fault = faultOf(bytes, key, size);
    if (fault !== undefined) throw new PageFault(`a page found by actor ${this.actor} under ${keyName(key)}: ${fault}`);
    this.held.push({ bytes, key, value, size, page });
    return value;
  }

  release(): void {
    const pinned = this.held.filter(({ page }) => page !== undefined);
    const chosen = pinned[this.dice.below(Math.max(1, pinned.length))];
    if (chosen === undefined) return;
    this.held = this.held.filter((held) => held !== chosen);
    chosen.page?.release();
  }

  /** Others may go on, while what this actor holds stays what it is. */
  wait(): void {
    for (let look = 0; look < LOOKS; look++) this.node.session.parts.words.load(0);
  }

  tick(): void {
    this.node.upkeep.tick();
  }

  evict(): void {
    this.node.pool.evict(100);
  }

  /** The source of the key moves on, and its page is hidden: no later get may find what is older. */
  write(key: number): void {
    const index = this.journal.begin(this.actor, 'source', key, 0, this.control.nextStep());
    const version = this.control.nextSource(key);
    this.node.cache.delete(keyName(key));
    this.journal.end(index, version, 1, this.control.nextStep());
  }

  /** A miss is filled from the source, under a lease. */
  fill(key: number): void {
    const lease = this.node.cache.lease(keyName(key));
    if (lease === undefined) return;
    const version = this.readSource(key);
    const bytes = contentOf(key, version, 96);
    this.record('fill', key, version, () => [version, this.node.cache.set(keyName(key), bytes, { lease }) ? 1 : 0]);
  }

  /** The source of the key moves on, or of all keys, and a tag of theirs is invalidated. */
  writeTag(key: number): void {
    const isOfAll = this.dice.below(4) === 0;
    const keys = isOfAll ? Array.from({ length: this.workload.keys }, (_, other) => other) : [key];
    const start = this.control.nextStep();
    const moved = keys.map((each) => ({
      index: this.journal.begin(this.actor, 'source', each, 0, start),
      version: this.control.nextSource(each),
    }));
    const staleFor = this.dice.below(2) * STALE_MS;
    this.node.cache.invalidateTags([isOfAll ? 'all' : keyName(key)], { staleFor });
    const end = this.control.nextStep();
    for (const { index, version } of moved) this.journal.end(index, version, 1, end);
  }

  fillTagged(key: number): void {
    const lease = this.node.cache.lease(keyName(key));
    if (lease === undefined) return;
    const version = this.readSource(key);
    const options = { lease, tags: [keyName(key), 'all'] };
    const bytes = contentOf(key, version, 96);
    this.record('fill', key, version, () => [version, this.node.cache.set(keyName(key), bytes, options) ? 1 : 0]);
  }

  /** Others may go on before the source is read and after. */
  private readSource(key: number): number {
    this.node.session.parts.words.load(0);
    const version = this.control.source(key);
    this.node.session.parts.words.load(0);
    return version;
  }

  writePage(key: number): void {
    const index = this.journal.begin(this.actor, 'source', key, 0, this.control.nextStep());
    const version = this.control.nextSource(key);
    this.node.pages.invalidate(key);
    this.journal.end(index, version, 1, this.control.nextStep());
  }

  fetchPage(key: number): void {
    this.record('get', key, 0, () => {
      const bytes = this.node.pages.fetchSync(key, (_, target) => target.set(contentOf(key, this.readSource(key), 96)));
      return [this.see(key, bytes, undefined), 1];
    });
  }

  borrowPage(key: number): void {
    this.record('get', key, 0, () => {
      const bytes = this.node.pages.borrow(key);
      return [bytes === undefined ? 0 : this.see(key, bytes, undefined), 1];
    });
  }

  /** A version of a page, in any order. Its value is its version. */
  putVersion(key: number): void {
    const from = 1 + this.dice.below(6);
    this.record('version', key, from, () => [
      from,
      this.node.pages.put(key, contentOf(key, from, 96), { from }) ? 1 : 0,
    ]);
  }

  endVersions(key: number): void {
    const from = 1 + this.dice.below(6);
    this.record('until', key, from, () => {
      this.node.pages.invalidate(key, from);
      return [from, 1];
    });
  }

  getVersion(key: number): void {
    const asOf = 1 + this.dice.below(7);
    this.record('get', key, 0, () => {
      const bytes = this.node.pages.borrow(key, asOf === 7 ? undefined : asOf);
      return [bytes === undefined ? 0 : this.see(key, bytes, undefined), asOf];
    });
  }
}
