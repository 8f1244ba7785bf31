/**
 * Formatting a device, and a host's coming: for the first time, after a crash of its process or machine, or after it was declared
 * dead. A host has its number by configuration; its region is only ever its own.
 *
 * A host that comes, in order, and why:
 *  1. what a former process left in this host's cache is written back: what is adopted below was then in memory before (2);
 *  2. the deaths, fresh: a new incarnation, higher than any that was there or is dead. Records beyond the limit of a death are
 *     zeroed: were the new incarnation declared dead as well, they would lie below its limit;
 *  3. its row as joining, with the tails of the others: from now on they wait for it before they write over what it may read;
 *  4. the tails once more: what lies below them may be overwritten already;
 *  5. the deaths once more. A death of a former incarnation that is found here is waited for; one that is declared later has a
 *     limit beyond all that is adopted, as (1) came before;
 *  6. its own log, to its end;
 *  7. the logs of the others, their tails again, what lies below forgotten (a DELETE may have gone when its page had);
 *  8. claims and drafts of before given up (BEGIN); extents; the row as joined.
 * A crash in between leaves a row that others wait for until its death is declared.
 */
import { PoolError } from '../../lib/errors.js';
import { checkOfArray } from '../../lib/hash.js';
import { LINE_WORDS } from '../../lib/struct.js';
import { MAGIC_HIGH, MAGIC_LOW } from '../pool/index.js';
import { Directory } from './directory.js';
import { Extents } from './extents.js';
import { CoherenceHost, type HostParts } from './host.js';
import { ARBITER, Deaths, extentLines, LAYOUT, Plan, type PoolId, type Shape, Superblock, VERSION } from './layout.js';
import type { Lines } from './lines.js';
import { OwnLog } from './log.js';
import { LongKeys } from './longkeys.js';
import { Look, type Surroundings } from './look.js';
import { JOINED, Members, NO_TENANT, type Tenant } from './members.js';
import { Pins } from './pins.js';
import { BEGIN, type LogRecord, NO_KEY, NO_MORE, Records } from './records.js';

const at = Superblock.word;
const READY = 0x79646572;

function checkOf(words: Int32Array): number {
  return checkOfArray(words, 0, at.check, LAYOUT);
}

/** Host 0's: makes the device a pool of this id, over whatever it holds. Nobody may be attached to a pool that it held. */
export function formatDevice(lines: Lines, shape: Shape, pool: PoolId): void {
  const plan = new Plan(shape);
  if (plan.lineCount > lines.lineCount) {
    throw new PoolError('NO_SPACE', `The plan needs ${plan.lineCount} lines, and the device has ${lines.lineCount}.`);
  }
  const words = new Int32Array(LINE_WORDS);
  // Nothing is ready while it is written, and what is ready is stored last (L2).
  lines.store(at.ready, 0);
  lines.writeback(plan.superblock, 1);
  lines.order();
  const deaths = plan.deaths * LINE_WORDS;
  lines.store(deaths + Deaths.word.poolLow, pool.low);
  lines.store(deaths + Deaths.word.poolHigh, pool.high);
  for (let word = Deaths.word.deaths; word < LINE_WORDS; word++) lines.store(deaths + word, 0);
  lines.writeback(plan.deaths, 1);
  lines.order();
  words[at.magicLow] = MAGIC_LOW;
  words[at.magicHigh] = MAGIC_HIGH;
  words[at.version] = VERSION;
  words[at.fingerprint] = LAYOUT;
  words[at.poolLow] = pool.low;
  words[at.poolHigh] = pool.high;
  const createdAtMs = pool.createdAtMs ?? 0;
  words[at.createdAt] = createdAtMs % 2 ** 32;
  words[at.createdAt + 1] = createdAtMs / 2 ** 32;
  words[at.hosts] = shape.hosts;
  words[at.logRecords] = shape.logRecords;
  words[at.pinLines] = shape.pinLines;
  words[at.dataLines] = shape.dataLines;
  words[at.pageSize] = shape.pageSize ?? 0;
  words[at.check] = checkOf(words);
  for (let word = 0; word < at.ready; word++) lines.store(word, words[word] as number);
  lines.store(at.ready, READY);
  lines.writeback(plan.superblock, 1);
  lines.order();
}

/** The words of the superblock, fresh. */
export function readSuperblock(lines: Lines): Int32Array {
  const words = new Int32Array(LINE_WORDS);
  lines.invalidate(0, 1);
  lines.order();
  for (let word = 0; word < LINE_WORDS; word++) words[word] = lines.load(word);
  return words;
}

/** What the device is. Throws FORMAT_MISMATCH; POOL_CORRUPT, also for a format that is not through. */
export function readPlan(lines: Lines): { readonly plan: Plan; readonly pool: PoolId } {
  const found = planIn(readSuperblock(lines));
  if (found.plan.lineCount > lines.lineCount) {
    throw new PoolError('POOL_CORRUPT', 'The pool is larger than the device.');
  }
  return found;
}

/** What a superblock says. Throws as readPlan does. */
export function planIn(words: Int32Array): { readonly plan: Plan; readonly pool: PoolId } {
  const word = (index: number) => words[index] as number;
  if (word(at.magicLow) !== MAGIC_LOW || word(at.magicHigh) !== MAGIC_HIGH) {
    throw new PoolError('FORMAT_MISMATCH', 'The device does not begin like a pool.');
  }
  const isBegun = word(at.version) === 0;
  if (!isBegun && (word(at.version) !== VERSION || word(at.fingerprint) !== (LAYOUT | 0))) {
    throw new PoolError(
      'FORMAT_MISMATCH',
      'The pool is of another layout, or not one for memory that is not coherent.',
    );
  }
  if (isBegun || word(at.ready) !== READY) {
    throw new PoolError('POOL_CORRUPT', 'The format of the device is not through.', { isUnready: true });
  }
  const shape = {
    ...{ hosts: word(at.hosts), logRecords: word(at.logRecords) },
    ...{ pinLines: word(at.pinLines), dataLines: word(at.dataLines), pageSize: word(at.pageSize) },
  };
  if (word(at.check) !== checkOf(words))
    throw new PoolError('POOL_CORRUPT', 'The superblock does not agree with its check.');
  const plan = new Plan(shape);
  const createdAtMs = (word(at.createdAt) >>> 0) + (word(at.createdAt + 1) >>> 0) * 2 ** 32;
  return { plan, pool: { low: word(at.poolLow), high: word(at.poolHigh), createdAtMs } };
}

export interface JoinOptions {
  /** This host's number, of its own for ever. */
  readonly host: number;
  /** How long an operation waits for another host, in milliseconds. */
  readonly waitMs: number;
  readonly tenant?: Tenant;
}

export class Joining {
  private readonly members: Members;
  private readonly records: Records;
  private readonly parts: HostParts;
  private readonly options: JoinOptions;

  constructor(lines: Lines, surroundings: Surroundings, options: JoinOptions) {
    const { plan, pool } = readPlan(lines);
    const { host, waitMs } = options;
    if (!(host >= 0 && host < plan.shape.hosts)) {
      throw new PoolError('OPTION_INVALID', `host: ${host} is none of the pool's ${plan.shape.hosts}.`, {
        option: 'host',
      });
    }
    this.options = options;
    this.members = new Members(lines, plan, pool, host);
    this.records = new Records(lines, plan, pool);
    const directory = new Directory(host);
    const extents = new Extents(plan.data(host), plan.shape.dataLines);
    this.parts = {
      ...{ lines, members: this.members, directory, surroundings },
      log: new OwnLog(this.members, this.records, directory, new LongKeys(extents)),
      look: new Look(this.members, this.records, directory, surroundings, { waitMs }),
      pins: new Pins(lines, plan, host),
      extents,
    };
  }

  /** Throws NODE_FENCED, BUSY, POOL_FULL, POOL_CORRUPT. */
  join(): CoherenceHost {
    const { members, parts } = this;
    const { lines, plan, self } = members;
    lines.writeback(plan.row(self), plan.metadataLines);
    lines.order();
    this.awaitLimit();
    const before = members.loadRow(self);
    this.clearBeyond(before.tail);
    const dead = members.deaths[self]?.incarnation ?? 0;
    parts.pins.clear();
    parts.pins.publish();
    const tenant = this.options.tenant ?? NO_TENANT;
    members.enter(Math.max(before.incarnation, dead) + 1, before.tail, this.tails(), tenant);
    const tails = this.tails();
    for (const host of members.others) members.next[host] = tails[host] as number;
    this.awaitLimit();
    if (self === ARBITER) this.decideAll();
    parts.log.begin(before.tail);
    this.adoptOwn();
    parts.look.look();
    const later = this.tails();
    parts.look.look();
    for (const host of members.others) parts.directory.forgetBelow(host, later[host] as number);
    this.settle();
    members.become(JOINED);
    return new CoherenceHost(parts, this.options);
  }

  private tails(): number[] {
    return this.members.readRows().map(({ tail }) => tail);
  }

  /** The arbiter decides what its former incarnation left undecided. */
  private decideAll(): void {
    for (const host of this.members.others) if (this.members.deaths[host]?.isPending === true) decide(this.parts, host);
  }

  /** The deaths, fresh, when that of this host is decided. */
  private awaitLimit(): void {
    const { members, options } = this;
    const { surroundings } = this.parts;
    members.readDeaths();
    const until = surroundings.elapsedMs() + options.waitMs;
    while (members.self !== ARBITER && members.deaths[members.self]?.isPending === true) {
      if (surroundings.elapsedMs() > until) {
        throw new PoolError(
          'BUSY',
          'Host 0 has begun to declare this host dead, and has not said what counts of its log.',
        );
      }
      surroundings.pause();
      members.readDeaths();
    }
  }

  private doesCount(record: LogRecord): boolean {
    const death = this.members.deaths[this.members.self];
    return death === undefined || record.incarnation > death.incarnation || record.position < death.limit;
  }

  /** Zeroes what a dead incarnation went on to write beyond its limit. */
  private clearBeyond(tail: number): void {
    const { members, records } = this;
    const { self, plan, lines } = members;
    for (let position = tail; position < tail + plan.shape.logRecords; position++) {
      const record = records.load(self, position);
      if (record === undefined) break;
      if (this.doesCount(record)) continue;
      const line = plan.record(self, position);
      for (let word = 0; word < LINE_WORDS; word++) lines.store(line * LINE_WORDS + word, 0);
      lines.writeback(line, 1);
    }
    lines.order();
  }

  /** This host's own log, up to where it counts. */
  private adoptOwn(): void {
    const { members, records } = this;
    const { log, directory } = this.parts;
    for (let count = 0; count < members.plan.shape.logRecords; count++) {
      const record = records.load(members.self, log.head);
      if (record === undefined) return;
      log.adopt(log.head, record);
      directory.note(members.self, record);
    }
  }

  private settle(): void {
    const { members, parts } = this;
    const { log, directory, extents } = parts;
    log.keys.takeAll();
    const own = directory.all().filter(({ host }) => host === members.self);
    // Where two say that they have a place, the one whose last record is older was freed before.
    const held = own.filter(({ state }) => state === 'page' || state === 'retired');
    for (const entry of held.sort((a, b) => b.lastPosition - a.lastPosition)) {
      if (entry.lastPosition === 0 || extents.tryTakeAt(entry.extent, extentLines(entry))) continue;
      if (entry.state === 'page') {
        throw new PoolError('POOL_CORRUPT', `Two pages of host ${members.self} have one place: ${entry.extent}.`);
      }
      entry.isFreed = true;
    }
    if (!own.some(({ state }) => state === 'claim' || state === 'draft')) return;
    directory.voidUnsealed(members.self, members.incarnation - 1);
    this.awaitRoom();
    log.append({
      kind: BEGIN,
      host: members.self,
      id: 0,
      extent: 0,
      byteLength: 0,
      dataCheck: 0,
      key: NO_KEY,
      ...NO_MORE,
    });
  }

  /** Others may wait for this host's acknowledgement while it waits for theirs: so it says how far it has read. */
  private awaitRoom(): void {
    const { log, look, pins, surroundings } = this.parts;
    const until = surroundings.elapsedMs() + this.options.waitMs;
    for (;;) {
      try {
        log.makeRoomForEnd();
        return;
      } catch (error) {
        const isBusy = error instanceof PoolError && error.code === 'BUSY';
        if (!isBusy || surroundings.elapsedMs() > until) throw error;
      }
      look.look();
      this.members.beat(pins, log.head);
      surroundings.pause();
    }
  }
}

/** The arbiter's: finds the limit of a death that is pending, and says it (M1). */
export function decide(parts: HostParts, host: number): void {
  const { members, look } = parts;
  const incarnation = members.deaths[host]?.incarnation ?? 0;
  const news = look.fetch(host);
  const limit = (members.next[host] as number) + news.length;
  members.writeDeath(host, incarnation, limit);
  members.deaths[host] = { incarnation, isPending: false, limit };
  look.noteOf(host, news);
}
