/** Faults in a shard's slots, table, lists and queues. */
import {
  Bucket,
  EventHead,
  EventLine,
  RetireRecord,
  ShardHead,
  Slot,
  Space,
  STATE_DRAFT,
  STATE_FREE,
  STATE_MASK,
  Stripe,
  Way,
} from '../../../src/pool/layout/layout.js';
import { PolicyEntry, PolicyHead } from '../../../src/pool/policy/index.js';
import type { Fault } from './place.js';

const up = (value: number) => value + 1;
const slot = Slot.word;

const slotFaults: Fault[] = [
  {
    code: 'SLOT_STATE_INVALID',
    where: /^shard 0 slot \d+$/,
    what: 'a state that is none',
    make: (at) => at.set(at.slot(at.of('key-1'), slot.state), (word) => word | STATE_MASK),
  },
  ...(
    ['size', 'extent', 'hashLow', 'keyLength', 'metadataLength', 'expiry', 'from', 'flags', 'space', 'check'] as const
  ).map(
    (field): Fault => ({
      code: 'SLOT_DAMAGED',
      where: /^shard 0 slot \d+$/,
      what: `${field} of a sealed slot changed`,
      make: (at) => at.set(at.slot(at.of('key-1'), slot[field]), up),
    }),
  ),
  {
    code: 'SLOT_MISPLACED',
    where: /^shard 0 slot \d+$/,
    what: 'a byte of a key changed',
    make: (at) => at.set(at.slot(at.of('key-1'), slot.key), up),
  },
  {
    code: 'SLOT_TWINS',
    where: /^shard 0 slot \d+$/,
    what: 'two pages of one key and version',
    make(at) {
      const [from, to] = [at.of('key-1'), at.of('key-2')];
      for (let i = slot.check; i < Slot.words; i++) {
        if (i !== slot.extent) at.set(at.slot(to, i), () => at.parts.words.read(at.slot(from, i)));
      }
      at.parts.slots.stampCheck(to);
    },
  },
  {
    code: 'SLOT_VERSIONS_OVERLAP',
    where: /^shard 0 slot \d+$/,
    what: 'a version that ends after the next begins',
    make(at) {
      const { slots } = at.parts;
      for (let i = 0; i < slots.total; i++) {
        if (slots.from(i) === 5 && slots.until(i) === 9) at.set(at.slot(i, slot.until), up);
      }
    },
  },
  {
    code: 'SLOT_SEQUENCE_AHEAD',
    where: /^shard 0 slot \d+$/,
    what: 'a page published after the last one',
    make: (at) => at.set(at.head(ShardHead.word.publishSequence), (word) => word - 1),
  },
  {
    code: 'DRAFT_DAMAGED',
    where: /^shard 0 slot \d+$/,
    what: 'a draft with another size',
    make: (at) => at.set(at.slot(at.inState(STATE_DRAFT), slot.size), up),
  },
  {
    code: 'DRAFT_OF_DEAD',
    where: /^shard 0 slot \d+$/,
    what: 'a draft of an earlier incarnation',
    repairable: true,
    make: (at) => at.set(at.slot(at.inState(STATE_DRAFT), slot.ownerIncarnation), (word) => word - 1),
  },
];

const tableFaults: Fault[] = [
  {
    code: 'ENTRY_MISSING',
    where: /^shard 0 slot \d+$/,
    what: 'an entry taken away',
    make: (at) => at.set(at.entryOf(at.of('key-1')), () => 0),
  },
  {
    code: 'ENTRY_FOREIGN',
    where: /^shard 0 bucket \d+$/,
    what: 'an entry with another tag',
    make: (at) => at.set(at.entryOf(at.of('key-1')) - 1, up),
  },
  {
    code: 'ENTRY_FOREIGN',
    where: /^shard 0 bucket \d+$/,
    what: 'an entry that names a free slot',
    make: (at) => at.set(at.entryOf(at.of('key-1')), () => at.inState(STATE_FREE) + 1),
  },
  {
    code: 'ENTRY_FOREIGN',
    where: /^shard 0 bucket \d+$/,
    what: 'an entry that names no slot of the shard',
    make: (at) => at.set(at.entryOf(at.of('key-1')), () => at.parts.geometry.slotsPerShard + 1),
  },
  {
    code: 'ENTRY_TWICE',
    where: /^shard 0 slot \d+$/,
    what: 'a slot with two entries',
    make(at) {
      const { table, slots } = at.parts;
      const one = at.of('key-1');
      table.insert(0, slots.hashLow(one), slots.hashHigh(one), one);
    },
  },
  {
    code: 'OVERFLOW_WRONG',
    where: /^shard 0 bucket 1$/,
    what: 'an overflow count too high',
    make: (at) => at.set(at.word('buckets', 0) + Bucket.words + Bucket.word.overflow, up),
  },
];

const headFaults: Fault[] = [
  {
    code: 'FREE_LIST_BROKEN',
    where: /^shard 0 (slot \d+|free list)$/,
    what: 'a free slot missing',
    make: (at) =>
      at.set(at.head(ShardHead.word.freeHead), (word) => at.parts.words.read(at.word('slotLinks', 0) + word - 1)),
  },
  {
    code: 'FREE_LIST_BROKEN',
    where: /^shard 0 free list$/,
    what: 'a circle',
    make: (at) => at.set(at.word('slotLinks', 0) + at.inState(STATE_FREE), () => at.inState(STATE_FREE) + 1),
  },
  {
    code: 'FREE_LIST_BROKEN',
    where: /^shard 0 free list$/,
    what: 'a link beyond the slots',
    make: (at) => at.set(at.head(ShardHead.word.freeHead), () => -5),
  },
  {
    code: 'LIMBO_LIST_BROKEN',
    where: /^shard 0 slot \d+$/,
    what: 'a retired page missing',
    make: (at) => at.set(at.head(ShardHead.word.limboHead), () => 0),
  },
  ...(['liveCount', 'draftCount', 'limboCount', 'retainedCount', 'granulesUsed'] as const).map(
    (field): Fault => ({
      code: 'COUNT_WRONG',
      where: new RegExp(`^shard 0 ${field}$`),
      what: `${field} too high`,
      make: (at) => at.set(at.head(ShardHead.word[field]), up),
    }),
  ),
  {
    code: 'POLICY_DAMAGED',
    where: /^shard 0 policy$/,
    what: 'a queue that counts one too many',
    make: (at) => at.set(at.word('policyHeads', 0, PolicyHead.word.smallCount), up),
  },
  {
    code: 'POLICY_MEMBERS_WRONG',
    where: /^shard 0 slot \d+$/,
    what: 'a page that no queue holds',
    make: (at) => at.parts.policies[0]?.remove(at.of('key-1')),
  },
  {
    code: 'POLICY_MEMBERS_WRONG',
    where: /^shard 0 slot \d+$/,
    what: 'a retained page in a queue',
    make: (at) => at.parts.policies[0]?.insert(at.of('retained'), 1),
  },
  {
    code: 'POLICY_MEMBERS_WRONG',
    where: /^shard 0 slot \d+$/,
    what: 'a page queued under another hash',
    make: (at) => at.set(at.word('policyEntries', 0) + at.of('key-1') * PolicyEntry.words + PolicyEntry.word.hash, up),
  },
  {
    code: 'RETIRE_RING_DAMAGED',
    where: /^shard 0 retire record 1$/,
    what: 'a record from the future',
    make: (at) =>
      at.set(at.word('retireRings', 0) + RetireRecord.words, (number) => number + at.parts.geometry.ringRecords),
  },
  {
    code: 'EVENT_LOG_DAMAGED',
    where: /^shard 0 event log$/,
    what: 'an event under way though nobody holds the lock',
    make: (at) => at.set(at.word('eventHeads', 0, EventHead.word.pending), () => 1),
  },
  {
    code: 'EVENT_LOG_DAMAGED',
    where: /^shard 0 event log$/,
    what: 'an end that no event reaches',
    make: (at) => at.set(at.word('eventHeads', 0, EventHead.word.end), (end) => end + 1),
  },
  {
    code: 'EVENT_LOG_DAMAGED',
    where: /^shard 0 event log$/,
    what: 'a byte of the last key changed',
    make(at) {
      const last = at.parts.words.read(at.word('eventHeads', 0, EventHead.word.last));
      at.set(at.word('eventRings', 0) + last * EventLine.words + EventLine.word.key, up);
    },
  },
  {
    code: 'STRIPE_DAMAGED',
    where: /^shard 0 stripe \d+$/,
    what: 'a bound that is no version',
    make: (at) => at.set(at.word('stripes', 0, Stripe.word.overflow + 1), () => -1),
  },
  {
    code: 'STRIPE_DAMAGED',
    where: /^shard 0 stripe \d+$/,
    what: 'a reserved word in use',
    make: (at) => at.set(at.word('stripes', 0, Stripe.word.reserved1), () => 1),
  },
  {
    code: 'STRIPE_DAMAGED',
    where: /^shard 0 stripe \d+$/,
    what: 'two ways of one key',
    make(at) {
      const { slots } = at.parts;
      for (let i = 0; i < slots.total; i++) {
        if (slots.from(i) === 0) continue;
        for (const way of [0, 1]) {
          const word = at.word('stripes', 0, Stripe.word.ways + way * Way.words);
          at.set(word + Way.word.place, () => slots.space(i));
          at.set(word + Way.word.generation, () => slots.spaceGeneration(i));
        }
      }
    },
  },
  {
    code: 'SPACE_DAMAGED',
    where: /^space \d+$/,
    what: 'a highest version below a page of it',
    make(at) {
      const { slots } = at.parts;
      for (let i = 0; i < slots.total; i++) {
        if (slots.from(i) === 0) continue;
        const bound = Space.word.highestEven + (slots.spaceGeneration(i) & 1);
        at.set(at.word('spaces', slots.space(i) - 1, bound), () => 0);
      }
    },
  },
];

export const shardFaults: readonly Fault[] = [...slotFaults, ...tableFaults, ...headFaults];
