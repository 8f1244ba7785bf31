/** One life of one host: it comes, does by chance what hosts do, tells the journal, and goes. Made into a coroutine. */
import { PoolError } from '../../../lib/errors.js';
import { Arbiter } from '../../../src/coherence/arbiter.js';
import type { CoherenceHost } from '../../../src/coherence/host.js';
import { formatDevice, Joining } from '../../../src/coherence/joining.js';
import { ARBITER, linesOf } from '../../../src/coherence/layout.js';
import { JOINED, JOINING } from '../../../src/coherence/members.js';
import type { Draft, HeldPage } from '../../../src/coherence/objects.js';
import type { HostLines } from '../memory.js';
import type { Journal, Made } from './journal.js';
import { POOL, WAIT_MS, type World } from './world.js';

/** What may be said of any operation, besides what it is for. */
const ORDINARY = new Set(['BUSY', 'POOL_FULL', 'TOO_MANY_PINS']);

interface Held {
  readonly page: HeldPage;
  readonly made: Made;
}

export class Actor {
  private readonly world: World;
  private readonly journal: Journal;
  private readonly host: number;
  private readonly keys: readonly string[];
  private node: CoherenceHost | undefined;
  private readonly held: Held[] = [];
  private readonly drafts: { readonly draft: Draft; readonly made: Made }[] = [];
  incarnation = 0;

  constructor(world: World, host: number) {
    this.world = world;
    this.journal = world.journal;
    this.host = host;
    this.keys = ['a', 'b', 'a long key: over more than the sixty-four bytes that its record has room for'];
  }

  get isThere(): boolean {
    return this.node !== undefined && !this.node.parts.members.isFenced;
  }

  formatAll(): void {
    formatDevice(this.world.lines[this.host] as HostLines, this.world.shape, POOL);
  }

  /** Until it is told to end, or is fenced. */
  live(acts: number): void {
    try {
      const lines = this.world.lines[this.host] as HostLines;
      const node = new Joining(lines, this.world.surroundings(), { host: this.host, waitMs: WAIT_MS }).join();
      this.node = node;
      this.incarnation = node.incarnation;
      this.journal.reach('joined');
      for (let act = 0; act < acts; act++) this.act(node);
      if (!this.world.isCalm && this.world.chance.below(4) === 0) this.goAway(node);
    } catch (error) {
      this.explain(error);
    }
  }

  private explain(error: unknown): void {
    if (!(error instanceof PoolError)) throw error;
    if (error.code === 'NODE_FENCED') {
      this.journal.reach('fenced');
      this.journal.fenced(this.host, this.node?.incarnation ?? this.incarnation);
    } else if (!ORDINARY.has(error.code)) this.journal.fault(`host ${this.host}: ${error.message}`);
    else this.journal.reach(error.code);
  }

  private act(node: CoherenceHost): void {
    try {
      this.actOnce(node);
    } catch (error) {
      if (error instanceof PoolError && ORDINARY.has(error.code)) this.explain(error);
      else throw error;
    }
  }

  private actOnce(node: CoherenceHost): void {
    const { chance } = this.world;
    const what = chance.below(20);
    const hot = this.world.hot?.key;
    const isDrawn = what >= 5 && what < 9 && hot !== undefined && chance.below(2) === 0;
    const key = isDrawn ? hot : chance.pick(this.keys);
    if (what < 5) this.makePage(node, key);
    else if (what < 9) this.lookFor(node, key);
    else if (what < 11) this.endPage(node, key);
    else if (what < 13) this.lookAgain(node);
    else if (what < 14) this.endDraft(node);
    else if (what < 16) node.beat();
    else if (what < 17) node.forget();
    else if (what < 18) node.reclaim();
    else if (this.host === ARBITER) this.judge(node);
    else this.letGo(node);
  }

  private makePage(node: CoherenceHost, key: string): void {
    const { journal } = this;
    const value = journal.nextValue();
    const attempt = journal.beginCreate(key);
    let draft: Draft;
    try {
      const size = (4 + (value % 4) * 15) * 4;
      draft = node.createDraft(key, size);
    } catch (error) {
      if (!(error instanceof PoolError) || error.code === 'NODE_FENCED') throw error;
      attempt.until = journal.now;
      if (error.code !== 'KEY_EXISTS') throw error;
      journal.reach('KEY_EXISTS');
      journal.refused(key, attempt);
      return;
    }
    attempt.until = journal.now;
    const made = journal.given(value, key, attempt.from, { host: this.host, incarnation: node.incarnation });
    const mine = { draft, made };
    if (this.world.chance.below(5) === 0) this.drafts.push(mine);
    else this.sealOne(node, mine);
  }

  private sealOne(node: CoherenceHost, { draft, made }: { draft: Draft; made: Made }): void {
    made.sealFrom = this.journal.now;
    this.world.hot = { host: this.host, key: made.key };
    try {
      node.sealDraft(draft, made.bytes);
    } catch (error) {
      if (error instanceof PoolError && ORDINARY.has(error.code)) {
        this.drafts.push({ draft, made });
        made.sealFrom = Number.POSITIVE_INFINITY;
      }
      throw error;
    }
    made.sealedBy = Math.min(made.sealedBy, this.journal.now);
    this.journal.reach('sealed');
  }

  private endDraft(node: CoherenceHost): void {
    const mine = this.drafts.shift();
    if (mine === undefined) return;
    if (this.world.chance.below(2) === 0) {
      this.sealOne(node, mine);
      return;
    }
    mine.made.draftUntil = Math.min(mine.made.draftUntil, this.journal.now);
    try {
      node.abortDraft(mine.draft);
    } catch (error) {
      this.drafts.push(mine);
      throw error;
    }
    mine.made.draftGone = this.journal.now;
  }

  private lookFor(node: CoherenceHost, key: string): void {
    const from = this.journal.now;
    const page = node.findPage(key);
    if (page === undefined) {
      this.journal.missed(key, from, this.host);
      return;
    }
    this.journal.reach(page.entry.host === this.host ? 'got own' : "got another's");
    const bytes = node.copyPage(page);
    const made = this.journal.found(key, bytes, from, this.host);
    if (made !== undefined && this.world.chance.below(2) === 0) this.held.push({ page, made });
    else node.releasePage(page);
  }

  private lookAgain(node: CoherenceHost): void {
    if (this.held.length === 0) return;
    const { page, made } = this.world.chance.pick(this.held);
    const bytes = node.copyPage(page);
    if (page.entry.state === 'retired') this.journal.reach('read under a pin after its end');
    if (Buffer.compare(bytes, made.bytes) === 0) return;
    this.journal.fault(`host ${this.host} holds ${made.key} (${made.value}), and its bytes are others (O4)`);
  }

  private letGo(node: CoherenceHost): void {
    const held = this.held.shift();
    if (held !== undefined) node.releasePage(held.page);
  }

  private endPage(node: CoherenceHost, key: string): void {
    const { journal } = this;
    const attempt = journal.beginDelete(key, this.host);
    const wasThere = node.deletePage(key);
    attempt.until = journal.now;
    if (!wasThere) journal.missed(key, attempt.from, this.host);
    else {
      journal.reach('deleted');
      journal.deleted(key, attempt.from, this.host);
    }
  }

  private judge(node: CoherenceHost): void {
    const { world, journal } = this;
    if (world.isCalm) return;
    const { members } = node.parts;
    const rows = members.readRows();
    const arbiter = new Arbiter(node, { leaseMs: 0 });
    for (const host of members.others) {
      const row = rows[host];
      if (row === undefined || (row.state !== JOINED && row.state !== JOINING)) continue;
      if (row.incarnation <= (members.deaths[host]?.incarnation ?? 0)) continue;
      const isWell = world.isAlive[host] === true && world.isStopped[host] !== true;
      if (world.chance.below(isWell ? 15 : 2) !== 0) continue;
      journal.reach(world.isAlive[host] === true ? 'falsely declared dead' : 'declared dead');
      journal.declared[host] = Math.max(journal.declared[host] ?? 0, row.incarnation);
      journal.gone(host, row.incarnation);
      arbiter.declare(host, row.incarnation);
    }
  }

  private goAway(node: CoherenceHost): void {
    while (this.held.length > 0) this.letGo(node);
    this.journal.gone(this.host, node.incarnation);
    node.leave();
    this.journal.reach('left');
  }

  /** At rest: everything is let go, ended and given back, step by step by all hosts. */
  rest(round: number): void {
    const { node } = this;
    if (node === undefined) return;
    if (round === 0) while (this.held.length > 0) this.tryTo(() => this.letGo(node));
    for (let left = this.drafts.length; left > 0; left--) this.tryTo(() => this.endDraft(node));
    // The second round finds what was sealed in the first.
    if (round < 3) for (const key of this.keys) this.tryTo(() => this.endPage(node, key));
    this.tryTo(() => node.beat());
    this.tryTo(() => node.forget());
    this.tryTo(() => {
      node.reclaim();
    });
  }

  private tryTo(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.explain(error);
    }
  }

  /** At rest, and everything deleted. */
  checkSpace(): void {
    const { node, world } = this;
    if (node === undefined) return;
    const { extents, directory, members, log } = node.parts;
    if (members.isFenced) return;
    let used = 0;
    for (const entry of directory.all()) {
      if (entry.host === this.host && !entry.isFreed && entry.lastPosition > 0) used += linesOf(entry.byteLength);
    }
    const isAll = used === 0 && extents.freeLines + log.keys.lines === world.shape.dataLines;
    if (!isAll) this.journal.fault(`host ${this.host} has ${extents.freeLines} lines free at rest, ${used} used (O7)`);
  }
}
