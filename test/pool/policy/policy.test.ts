import { expect } from 'chai';
import { PoolError } from '../../../lib/errors.js';
import {
  GhostEntry,
  GhostRing,
  ghostLinesFor,
  makePolicy,
  type Policy,
  PolicyEntry,
  PolicyHead,
  type PolicyKind,
} from '../../../src/pool/policy/index.js';
import { hashOf, plainShard, problemsOf, type Shard } from './shard.js';

const KINDS: readonly PolicyKind[] = ['adaptive-2q', 's3-fifo', 'sieve', 'lru'];
const hasSmall = (kind: PolicyKind) => kind === 's3-fifo' || kind === 'adaptive-2q';
const free = () => false;

function filled(kind: PolicyKind, slots: number): Shard {
  const shard = plainShard(kind, { capacity: slots });
  for (let slot = 0; slot < slots; slot++) shard.policy.insert(slot, hashOf(slot));
  return shard;
}

/** All but the last pages in main, with a counter of zero; the few of small are taken out. */
function allInMain(slots: number): Shard {
  const shard = filled('s3-fifo', slots);
  for (let hit = 0; hit < 2 * slots; hit++) shard.policy.touch(hit % slots);
  shard.policy.evict(free);
  for (let slot = 0; slot < slots; slot++) {
    if (queueOf(shard, slot) === 1) shard.policy.remove(slot);
  }
  return shard;
}

/** 0: in none, 1: in small, 2: in main. */
function queueOf({ region }: Shard, slot: number): number {
  return region.words.read(region.entries + slot * PolicyEntry.words + PolicyEntry.word.info) & 3;
}

function drained(policy: Policy): number[] {
  const victims: number[] = [];
  for (let victim = policy.evict(free); victim >= 0; victim = policy.evict(free)) victims.push(victim);
  return victims;
}

function codeOf(action: () => void): string {
  try {
    action();
    return 'none';
  } catch (error) {
    return error instanceof PoolError ? error.code : String(error);
  }
}

describe('eviction policies', () => {
  it('the head is one line, entries and ghost entries divide one', () => {
    expect([PolicyHead.bytes, PolicyEntry.words, GhostEntry.words, GhostRing.bytes]).to.deep.equal([64, 4, 2, 64]);
  });

  it('a ghost has a power of two of lines and two to five entries per hash to remember', () => {
    for (const capacity of [1, 2, 5, 9, 10, 100, 1_000, 4_096, 65_536, 1_000_000]) {
      const lines = ghostLinesFor(capacity);
      expect(Math.log2(lines) % 1, `${capacity}`).to.equal(0);
      const entries = (lines - Math.max(1, lines / 32)) * 8;
      expect(entries, `${capacity}`).to.be.at.least(2 * Math.floor(capacity * 0.9));
      if (capacity >= 9) expect(entries, `${capacity}`).to.be.at.most(5 * Math.floor(capacity * 0.9));
    }
  });

  it('none keeps nothing, evicts nothing and needs no words', () => {
    const { words } = plainShard('lru', { capacity: 1 }).region;
    const policy = makePolicy('none', { words, head: 0, entries: 0, slots: 0, capacity: 0, ghost: 0, ghostLines: 0 });
    policy.reset();
    policy.insert(5, 1);
    policy.touch(5);
    expect([policy.evict(free), policy.count(), problemsOf(policy)]).to.deep.equal([-1, 0, []]);
    policy.remove(5);
  });

  for (const kind of KINDS) {
    it(`${kind} evicts every page once and in order of entry when none was hit`, () => {
      expect(drained(filled(kind, 30).policy)).to.deep.equal(Array.from({ length: 30 }, (_, slot) => slot));
    });

    it(`${kind} takes touch and remove of a slot that is not queued for nothing`, () => {
      const { policy } = plainShard(kind, { capacity: 4 });
      policy.insert(1, 1);
      policy.touch(2);
      policy.remove(2);
      policy.remove(1);
      policy.remove(1);
      expect([policy.count(), policy.evict(free), problemsOf(policy)]).to.deep.equal([0, -1, []]);
    });

    it(`${kind} refuses a slot that is queued already or out of range`, () => {
      const { policy } = filled(kind, 4);
      expect(codeOf(() => policy.insert(2, 9))).to.equal('POOL_CORRUPT');
      for (const slot of [-1, 4, 2 ** 31, Number.NaN]) {
        expect(
          codeOf(() => policy.insert(slot, 9)),
          `insert ${slot}`,
        ).to.equal(Number.isNaN(slot) ? 'POOL_CORRUPT' : 'POOL_CORRUPT');
        expect(
          codeOf(() => policy.touch(slot)),
          `touch ${slot}`,
        ).to.equal('POOL_CORRUPT');
        expect(
          codeOf(() => policy.remove(slot)),
          `remove ${slot}`,
        ).to.equal('POOL_CORRUPT');
      }
    });

    it(`${kind} goes on in another object over the same words`, () => {
      const one = filled(kind, 40);
      const other = filled(kind, 40);
      const successor = makePolicy(kind, other.region);
      for (let round = 0; round < 400; round++) {
        const policy = round % 2 === 0 ? other.policy : successor;
        for (const slot of [round % 40, (round * 7) % 13]) {
          one.policy.touch(slot);
          policy.touch(slot);
        }
        const victim = one.policy.evict(free);
        expect(policy.evict(free)).to.equal(victim);
        one.policy.insert(victim, hashOf(round % 60));
        policy.insert(victim, hashOf(round % 60));
      }
    });

    it(`${kind} leaves the order of its pages alone when all of them are held`, () => {
      const { policy } = filled(kind, 30);
      expect(policy.evict(() => true)).to.equal(-1);
      expect(problemsOf(policy)).to.deep.equal([]);
      expect(drained(policy)).to.deep.equal(Array.from({ length: 30 }, (_, slot) => slot));
    });

    it(`${kind} finds the one page that is not held, wherever it is`, () => {
      for (let only = 0; only < 30; only++) {
        const { policy } = filled(kind, 30);
        for (let hit = 0; hit < 60; hit++) policy.touch((hit * hit) % 30);
        expect(policy.evict((slot) => slot !== only)).to.equal(only);
      }
    });

    it(`${kind} asks about each page once when all are held and none was hit`, () => {
      const { policy } = filled(kind, 30);
      let asked = 0;
      policy.evict(() => {
        asked += 1;
        return true;
      });
      expect(asked).to.equal(30);
    });

    it(`${kind} reports any single wrong link, count or queue in its census`, () => {
      const { policy, region } = filled(kind, 12);
      for (let hit = 0; hit < 20; hit++) policy.touch((hit * hit) % 12);
      for (let turn = 0; turn < 30; turn++) policy.insert(policy.evict(free), hashOf(turn % 9));
      policy.remove(5);
      expect(problemsOf(policy)).to.deep.equal([]);
      const { smallFirst, smallLast, smallCount, mainFirst, mainLast, mainCount } = PolicyHead.word;
      const heads = [smallFirst, smallLast, smallCount, mainFirst, mainLast, mainCount];
      const { previous, next, info } = PolicyEntry.word;
      const entries = Array.from({ length: 12 }, (_, slot) => region.entries + slot * PolicyEntry.words);
      const infos = entries.map((entry) => entry + info);
      const spoiled = [
        ...(hasSmall(kind) ? heads : heads.slice(3)).map((at) => region.head + at),
        ...(kind === 's3-fifo' ? [region.head + PolicyHead.word.ghostCount] : []),
        ...infos,
        // The links of the slot that is not queued mean nothing.
        ...entries.toSpliced(5, 1).flatMap((entry) => [entry + previous, entry + next]),
      ];
      for (const word of spoiled) {
        const before = region.words.read(word);
        // A stamp may have any bits.
        const changes = infos.includes(word) && kind === 'adaptive-2q' ? [1, 2, 3, -5] : [1, 2, 3, -5, 1_000_000];
        for (const change of changes) {
          region.words.write(word, before ^ change);
          expect(problemsOf(policy), `word ${word}: ${before} ^ ${change}`).to.have.length.greaterThan(0);
        }
        region.words.write(word, before);
      }
      expect(problemsOf(policy)).to.deep.equal([]);
    });
  }

  for (const kind of KINDS) {
    it(`${kind} meets a wrong link before it has changed any word`, () => {
      const { policy, region } = filled(kind, 6);
      const all = () => Array.from({ length: region.words.length }, (_, word) => region.words.read(word));
      for (let slot = 0; slot < 6; slot++) {
        const entry = region.entries + slot * PolicyEntry.words;
        for (const word of [entry + PolicyEntry.word.previous, entry + PolicyEntry.word.next]) {
          const before = region.words.read(word);
          for (const link of [0, 1, 2, 3, 4, 5, 6, 7, -1, -6, 1_000_000].filter((one) => one !== before)) {
            region.words.write(word, link);
            const spoiled = all();
            expect(
              codeOf(() => policy.remove(slot)),
              `slot ${slot}, link ${link}`,
            ).to.equal('POOL_CORRUPT');
            expect(all()).to.deep.equal(spoiled);
          }
          region.words.write(word, before);
        }
      }
      expect(problemsOf(policy)).to.deep.equal([]);
    });

    it(`${kind} takes no page into a queue that counts all slots already`, () => {
      const { policy, region } = filled(kind, 6);
      policy.remove(3);
      const { smallCount, mainCount } = PolicyHead.word;
      region.words.write(region.head + (hasSmall(kind) ? smallCount : mainCount), 6);
      expect(codeOf(() => policy.insert(3, 3))).to.equal('POOL_CORRUPT');
    });
  }

  it('s3-fifo finds a victim when all pages are in main with the highest counter', () => {
    const { policy } = allInMain(30);
    for (let hit = 0; hit < 90; hit++) policy.touch(hit % 30);
    expect(policy.evict(free)).to.equal(1);
  });

  it('s3-fifo evicts from small, hit or not, when small is short and all of main is held', () => {
    const { policy, region } = allInMain(40);
    policy.insert(0, 1_000);
    policy.insert(39, 1_001);
    for (const slot of [0, 39, 0, 39]) policy.touch(slot);
    const held = (slot: number) => slot !== 0 && slot !== 39;
    const mainCount = region.words.read(region.head + PolicyHead.word.mainCount);
    expect(policy.evict(held)).to.equal(0);
    expect(region.words.read(region.head + PolicyHead.word.mainCount)).to.equal(mainCount);
    expect(policy.evict(held)).to.equal(39);
    expect(policy.evict(held)).to.equal(-1);
    expect(problemsOf(policy)).to.deep.equal([]);
  });

  it('s3-fifo forgets the oldest hash when the ring of stamps comes round to it', () => {
    const shard = allInMain(6);
    const { policy } = shard;
    const entersSmall = (hash: number, message: string) => {
      policy.insert(0, hash);
      expect(queueOf(shard, 0), message).to.equal(1);
      expect(policy.evict(free)).to.equal(0);
    };
    entersSmall(-1, 'the first hash');
    for (let turn = 0; turn < 2_000; turn++) {
      entersSmall(turn, `a new hash, turn ${turn}`);
      policy.insert(0, turn);
      expect(queueOf(shard, 0), `a hash just forgotten by small, turn ${turn}`).to.equal(2);
      policy.remove(0);
    }
    expect(problemsOf(policy)).to.deep.equal([]);
    entersSmall(-1, 'the first hash again');
  });

  it('sieve reports a hand that is at no queued slot', () => {
    const { policy, region } = filled('sieve', 4);
    policy.remove(2);
    for (const link of [3, 5, -1]) {
      region.words.write(region.head + PolicyHead.word.hand, link);
      expect(problemsOf(policy), `link ${link}`).to.have.length(1);
    }
  });

  it('s3-fifo reports a bit of the ghost ring that belongs to no remembered stamp', () => {
    const { policy, region } = filled('s3-fifo', 4);
    region.words.write(region.ghost + GhostRing.words + 3, 1);
    expect(problemsOf(policy)).to.have.length(1);
  });

  it('s3-fifo remembers and forgets alike when the ghost clock passes 2^32', () => {
    const victims = [0, -200].map((clock) => {
      const { policy, region } = filled('s3-fifo', 50);
      region.words.write(region.head + PolicyHead.word.ghostClock, clock === 0 ? 1 : clock);
      region.words.write(region.head + PolicyHead.word.ghostOldest, clock === 0 ? 1 : clock);
      const order: number[] = [];
      for (let turn = 0; turn < 2_000; turn++) {
        policy.touch((turn * turn) % 50);
        const victim = policy.evict(free);
        order.push(victim);
        policy.insert(victim, hashOf(1 + ((turn * 31) % 90)));
      }
      expect(problemsOf(policy)).to.deep.equal([]);
      return order;
    });
    expect(victims[1]).to.deep.equal(victims[0]);
  });

  it('s3-fifo lets a page that comes back soon into main, past a scan that would push it out of small', () => {
    const { policy } = filled('s3-fifo', 20);
    const victim = policy.evict(free);
    policy.insert(victim, hashOf(victim));
    for (let scanned = 0; scanned < 40; scanned++) {
      const slot = policy.evict(free);
      expect(slot).to.not.equal(victim);
      policy.insert(slot, hashOf(1_000 + scanned));
    }
  });
});
