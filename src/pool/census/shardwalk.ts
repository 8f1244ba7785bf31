/**
 * One shard against its slots: their own soundness, the table, the lists, the counts, the policy's queues, the retire
 * ring and the stripes. The words may change or lie: every index is checked and every loop is bounded.
 */
import { KeyHash } from '../../../lib/hash.js';
import { isLater, stepsBetween } from '../../../lib/sequence.js';
import type { Words } from '../../../lib/words.js';
import type { EventLog } from '../events/index.js';
import {
  BUCKET_ENTRIES,
  Bucket,
  FLAG_DETACHED,
  FLAG_RETAINED,
  type Geometry,
  KEY_BYTES_MAX,
  RetireRecord,
  STATE_BITS,
  STATE_DRAFT,
  STATE_FREE,
  STATE_MASK,
  STATE_RETIRED,
  STATE_SEALED,
  Stripe,
} from '../layout/index.js';
import type { Nodes } from '../nodes/index.js';
import type { Shards, Slots, Spaces, Stripes, Table, VersionBounds } from '../objects/index.js';
import { type Policy, PolicyEntry } from '../policy/index.js';
import type { Findings } from './findings.js';

/** What of a node it works with. */
export interface ShardParts {
  readonly geometry: Geometry;
  readonly words: Words;
  readonly nodes: Nodes;
  readonly shards: Shards;
  readonly slots: Slots;
  readonly table: Table;
  readonly stripes: Stripes;
  readonly spaces: Spaces;
  readonly versionBounds: VersionBounds;
  readonly policies: readonly Policy[];
  readonly events: EventLog;
}

const QUEUE_MASK = 3;
/** More than slots of a shard, so that hash and slot are one number that a double holds. */
const LOCALS = 2 ** 20;
/** A sequence farther ahead than that may be that of a very old page. */
const AHEAD_MAX = 2 ** 20;

/** How a census is made: the parts of the pool, the seed of its key hash, and whom the dead nodes hold up. */
export interface CensusContext {
  readonly parts: ShardParts;
  readonly seed: number;
  /** Slots that pins or borrows of dead nodes name, and none of a living one. */
  readonly heldByDead: ReadonlySet<number>;
}

/** The states of a shard's slots as one walk read them: 0 for an invalid one. */
export class ShardWalk {
  readonly states: Uint8Array;
  private readonly context: CensusContext;
  private readonly parts: ShardParts;
  private readonly shard: number;
  private readonly findings: Findings;
  private readonly slotsPerShard: number;
  private readonly first: number;
  private readonly key = new Uint8Array(KEY_BYTES_MAX);

  constructor(context: CensusContext, shard: number, findings: Findings) {
    this.context = context;
    this.parts = context.parts;
    this.shard = shard;
    this.findings = findings;
    this.slotsPerShard = context.parts.geometry.slotsPerShard;
    this.first = shard * this.slotsPerShard;
    this.states = new Uint8Array(this.slotsPerShard);
  }

  walk(): void {
    for (let local = 0; local < this.slotsPerShard; local++) this.states[local] = this.slotState(local);
    this.checkSlots();
    this.checkVersions();
    this.checkTable();
    this.checkLists();
    this.checkCounts();
    this.checkPolicy();
    this.checkRing();
    this.checkStripes();
    const fault = this.parts.events.fault(this.shard);
    if (fault !== undefined) this.findings.add('EVENT_LOG_DAMAGED', this.where('event log'), fault);
  }

  private where(what: string, index?: number): string {
    return index === undefined ? `shard ${this.shard} ${what}` : `shard ${this.shard} ${what} ${index}`;
  }

  private slotState(local: number): number {
    const word = this.parts.slots.stateWord(this.first + local);
    const state = word & STATE_MASK;
    const known = state >= STATE_FREE && state <= STATE_RETIRED;
    if (known && (state === STATE_FREE || word >>> STATE_BITS !== 0)) return state;
    this.findings.add('SLOT_STATE_INVALID', this.where('slot', local), `the state word is ${word}`);
    return 0;
  }

  private locals(state: number): number[] {
    const found: number[] = [];
    for (let local = 0; local < this.slotsPerShard; local++) if (this.states[local] === state) found.push(local);
    return found;
  }

  private checkSlots(): void {
    const { slots, nodes } = this.parts;
    const hash = new KeyHash(this.context.seed);
    for (let local = 0; local < this.slotsPerShard; local++) {
      const state = this.states[local] as number;
      if (state === 0 || state === STATE_FREE) continue;
      const slot = this.first + local;
      const where = this.where('slot', local);
      if (!slots.isIntact(slot)) {
        const code = state === STATE_DRAFT ? 'DRAFT_DAMAGED' : 'SLOT_DAMAGED';
        this.findings.add(code, where, 'its fields do not agree with its check word, or are out of range');
        continue;
      }
      const gone = state === STATE_DRAFT && nodes.isGone(slots.ownerRow(slot), slots.ownerIncarnation(slot));
      if (gone) this.findings.add('DRAFT_OF_DEAD', where, `a draft of node ${slots.ownerRow(slot)}, which is gone`);
      if (state === STATE_RETIRED && this.context.heldByDead.has(slot)) {
        this.findings.add('LIMBO_OF_DEAD', where, 'a retired page that only dead nodes held');
      }
      this.checkKey(slot, where, hash);
      if (state !== STATE_DRAFT) this.checkSequence(slot, where);
    }
  }

  private checkKey(slot: number, where: string, hash: KeyHash): void {
    const { slots, shards, geometry } = this.parts;
    const length = slots.readKey(slot, this.key);
    hash.of(this.key, length);
    const sound = hash.low === slots.hashLow(slot) && hash.high === slots.hashHigh(slot);
    if (!sound) this.findings.add('SLOT_MISPLACED', where, 'its key has another hash than the one it carries');
    else if (shards.ofHash(hash.low) !== this.shard)
      this.findings.add('SLOT_MISPLACED', where, `its key belongs to shard ${shards.ofHash(hash.low)}`);
    const space = slots.space(slot);
    if (space < 0 || space > geometry.spaces) this.findings.add('SLOT_DAMAGED', where, `it names space ${space}`);
  }

  private checkSequence(slot: number, where: string): void {
    const { slots, shards } = this.parts;
    const newest = shards.publishSequence(this.shard);
    const sequence = slots.publishSequence(slot);
    // A page that is older than a sequence tells apart is no finding.
    const ahead = stepsBetween(newest, sequence);
    if (ahead <= 0 || ahead > AHEAD_MAX) return;
    this.findings.add('SLOT_SEQUENCE_AHEAD', where, `published as ${sequence}, but the shard is at ${newest}`);
  }

  /** Sealed slots of one key: no two with the same from-version, none valid when the next one begins. */
  private checkVersions(): void {
    const { slots } = this.parts;
    const byKey = new Map<string, number[]>();
    for (const local of this.ofEqualHashes()) {
      const key = Buffer.from(slots.keyBytes(this.first + local)).toString('latin1');
      const others = byKey.get(key);
      if (others === undefined) byKey.set(key, [local]);
      else others.push(local);
    }
    for (const [key, locals] of byKey) if (key !== '' && locals.length > 1) this.checkVersionsOf(locals);
  }

  /** Sealed slots whose hash is that of another: keys are copied and compared of these alone. */
  private ofEqualHashes(): number[] {
    const { slots } = this.parts;
    const sealed = this.locals(STATE_SEALED);
    const order = Float64Array.from(
      sealed,
      (local) => (slots.hashLow(this.first + local) >>> 0) * LOCALS + local,
    ).sort();
    const hash = (i: number) => Math.floor((order[i] as number) / LOCALS);
    return [...order.keys()]
      .filter((i) => (i > 0 && hash(i - 1) === hash(i)) || (i + 1 < order.length && hash(i + 1) === hash(i)))
      .map((i) => (order[i] as number) % LOCALS);
  }

  private checkVersionsOf(locals: number[]): void {
    const { slots } = this.parts;
    const from = (local: number) => slots.from(this.first + local);
    const generation = (local: number) => slots.spaceGeneration(this.first + local);
    const isOfOneGeneration = (one: number, other: number) => generation(one) === generation(other);
    locals.sort((a, b) => from(a) - from(b) || a - b);
    for (let i = 1; i < locals.length; i++) {
      const [earlier, later] = [locals[i - 1] as number, locals[i] as number];
      const where = this.where('slot', later);
      if (from(earlier) === from(later)) {
        this.findings.add('SLOT_TWINS', where, `slot ${earlier} has the same key and version`);
      } else if (isOfOneGeneration(earlier, later) && slots.until(this.first + earlier) > from(later)) {
        this.findings.add(
          'SLOT_VERSIONS_OVERLAP',
          where,
          `slot ${earlier}, of the version before, ends after it begins`,
        );
      }
    }
  }

  private checkTable(): void {
    const { table, slots, geometry, words } = this.parts;
    const counts = new Uint8Array(this.slotsPerShard);
    const region = geometry.regions.buckets.word + this.shard * geometry.regions.buckets.stride;
    for (let bucket = 0; bucket < geometry.bucketsPerShard; bucket++) {
      for (let i = 0; i < BUCKET_ENTRIES; i++) {
        const word = region + bucket * Bucket.words + i * 2 + 1;
        const local = words.load(word) - 1;
        if (local === -1) continue;
        const fault = this.entryFault(local, words.read(word - 1), word);
        if (fault === undefined) counts[local] = Math.min(2, (counts[local] as number) + 1);
        else this.findings.add('ENTRY_FOREIGN', this.where('bucket', bucket), `entry ${i} ${fault}`);
      }
    }
    for (let local = 0; local < this.slotsPerShard; local++) {
      const where = this.where('slot', local);
      if (counts[local] === 2) this.findings.add('ENTRY_TWICE', where, 'the table names it more than once');
      // A draft may have lost its entry to a page that was set meanwhile.
      if (this.states[local] !== STATE_SEALED || counts[local] !== 0) continue;
      this.findings.add('ENTRY_MISSING', where, 'the table does not name it');
    }
    const lows = Int32Array.from({ length: this.slotsPerShard }, (_, local) => slots.hashLow(this.first + local));
    const overflows = table.overflows(this.shard, lows);
    overflows.forEach((wanted, bucket) => {
      const found = table.overflowOf(this.shard, bucket);
      if (found === wanted) return;
      this.findings.add(
        'OVERFLOW_WRONG',
        this.where('bucket', bucket),
        `counts ${found} overflows instead of ${wanted}`,
      );
    });
  }

  private entryFault(local: number, tag: number, word: number): string | undefined {
    const { table, slots } = this.parts;
    if (local < 0 || local >= this.slotsPerShard) return `names slot ${local} of ${this.slotsPerShard}`;
    const state = this.states[local];
    const slot = this.first + local;
    if (state !== STATE_SEALED && state !== STATE_DRAFT) return `names slot ${local}, which holds no page`;
    if (state === STATE_DRAFT && (slots.flags(slot) & FLAG_DETACHED) !== 0) return `names the detached draft ${local}`;
    if (tag !== slots.hashHigh(slot)) return `has not the tag of slot ${local}`;
    return table.isReachable(this.shard, slots.hashLow(slot), word) ? undefined : `lies out of reach of slot ${local}`;
  }

  /** Free list, limbo list and live slots are all slots, each once. */
  private checkLists(): void {
    this.checkList('free', STATE_FREE);
    this.checkList('limbo', STATE_RETIRED);
  }

  private checkList(list: 'free' | 'limbo', state: number): void {
    const code = list === 'free' ? 'FREE_LIST_BROKEN' : 'LIMBO_LIST_BROKEN';
    const { locals, fault } = this.parts.shards.walk(this.shard, list);
    if (fault !== undefined) this.findings.add(code, this.where(`${list} list`), fault);
    const listed = new Uint8Array(this.slotsPerShard);
    for (const local of locals) {
      listed[local] = 1;
      if (this.states[local] === state) continue;
      this.findings.add(code, this.where('slot', local), `on the ${list} list, but in state ${this.states[local]}`);
    }
    for (const local of this.locals(state)) {
      if (listed[local] === 0) this.findings.add(code, this.where('slot', local), `not on the ${list} list`);
    }
  }

  private checkCounts(): void {
    const { shards, slots } = this.parts;
    const sealed = this.locals(STATE_SEALED);
    const drafts = this.locals(STATE_DRAFT).length;
    const retained = sealed.filter((local) => (slots.flags(this.first + local) & FLAG_RETAINED) !== 0).length;
    const live = sealed.length + drafts;
    const compare = (name: string, found: number, wanted: number) => {
      if (found !== wanted) this.findings.add('COUNT_WRONG', this.where(name), `${found} instead of ${wanted}`);
    };
    compare('liveCount', shards.live(this.shard), live);
    compare('draftCount', shards.drafts(this.shard), drafts);
    compare('limboCount', shards.limbo(this.shard), this.locals(STATE_RETIRED).length);
    compare('retainedCount', shards.retained(this.shard), retained);
    // One more while a page is superseded.
    const most = shards.capacity(this.shard) + 1;
    if (live > most) this.findings.add('CAPACITY_EXCEEDED', this.where('liveCount'), `${live} live slots of ${most}`);
  }

  /** The queues hold exactly the sealed pages that may be evicted. */
  private checkPolicy(): void {
    const { policies, geometry, words, slots } = this.parts;
    if (geometry.eviction === 'none') return;
    policies[this.shard]?.check((message) => this.findings.add('POLICY_DAMAGED', this.where('policy'), message));
    const { word, stride } = geometry.regions.policyEntries;
    for (let local = 0; local < this.slotsPerShard; local++) {
      const at = word + this.shard * stride + local * PolicyEntry.words;
      const queued = (words.read(at + PolicyEntry.word.info) & QUEUE_MASK) !== 0;
      const slot = this.first + local;
      const evictable = this.states[local] === STATE_SEALED && (slots.flags(slot) & FLAG_RETAINED) === 0;
      const where = this.where('slot', local);
      if (queued !== evictable) {
        const message = queued ? 'queued for eviction though it may not leave' : 'sealed, but in no queue for eviction';
        this.findings.add('POLICY_MEMBERS_WRONG', where, message);
      } else if (queued && words.read(at + PolicyEntry.word.hash) !== slots.hashLow(slot)) {
        this.findings.add('POLICY_MEMBERS_WRONG', where, 'queued under the hash of another key');
      }
    }
  }

  /** A record stands where its number says, and is not from the future; one cut off in the middle is harmless. */
  private checkRing(): void {
    const { geometry, words, shards } = this.parts;
    const newest = shards.retireSequence(this.shard);
    const { word, stride } = geometry.regions.retireRings;
    const { number: NUMBER, slot: SLOT } = RetireRecord.word;
    const mask = geometry.ringRecords - 1;
    for (let i = 0; i < geometry.ringRecords; i++) {
      const record = word + this.shard * stride + i * RetireRecord.words;
      const number = words.load(record + NUMBER);
      if (number === 0 || (~number & mask) === i) continue;
      const where = this.where('retire record', i);
      if ((number & mask) !== i || isLater(number, newest)) {
        this.findings.add('RETIRE_RING_DAMAGED', where, `has number ${number} while the sequence is ${newest}`);
        continue;
      }
      const local = words.load(record + SLOT) - this.first;
      if (local >= 0 && local < this.slotsPerShard) continue;
      this.findings.add('RETIRE_RING_DAMAGED', where, `names slot ${local} of the shard's ${this.slotsPerShard}`);
    }
  }

  private checkStripes(): void {
    const { geometry, words, slots, stripes, spaces, versionBounds } = this.parts;
    for (let i = 0; i < geometry.stripesPerShard; i++) {
      const at = stripes.at(this.shard, i);
      if (words.read(at + Stripe.word.reserved1) !== 0)
        this.findings.add('STRIPE_DAMAGED', this.where('stripe', i), 'a reserved word is not zero');
      const fault = versionBounds.faultIn(at);
      if (fault !== undefined) this.findings.add('STRIPE_DAMAGED', this.where('stripe', i), fault);
    }
    for (const local of this.locals(STATE_SEALED)) {
      const slot = this.first + local;
      const [space, generation] = [slots.space(slot), slots.spaceGeneration(slot)];
      if (!spaces.isCurrent(space, generation) || slots.from(slot) <= spaces.highest(space, generation)) continue;
      this.findings.add('SPACE_DAMAGED', `space ${space}`, `slot ${slot} holds a version above its highest`);
    }
  }
}
