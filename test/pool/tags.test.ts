/** Tags by themselves: cells, numbers and times, against an oracle that keeps every invalidation. */
import { expect } from 'chai';
import { Words } from '../../lib/words.js';
import { geometryOf } from '../../src/pool/layout/geometry.js';
import type { Geometry } from '../../src/pool/layout/index.js';
import { Control, TagCell } from '../../src/pool/layout/layout.js';
import type { Locks } from '../../src/pool/nodes/index.js';
import type { Slots } from '../../src/pool/objects/slots.js';
import { CELLS_OF_TAG, hashTags, marksOf, type SoughtTags, type TagState, Tags } from '../../src/pool/objects/tags.js';
import { Chance } from '../support/chance.js';

const NOTHING = new Uint8Array(0);
const PLAN = { size: 2 ** 23, pageSize: 8192, maxObjects: 900, maxNodes: 4, eviction: 's3-fifo' } as const;
const GEOMETRY = geometryOf(PLAN);

/** Tells before each store. */
class WatchedWords extends Words {
  before: () => void = () => {};

  override store(index: number, value: number): void {
    this.before();
    super.store(index, value);
  }
}

interface Bench {
  readonly words: WatchedWords;
  readonly tags: Tags;
  /** Of a page with the tags, of the last moment. */
  page(...names: string[]): SoughtTags;
  invalidate(names: readonly string[], untilMs?: number, nowMs?: number): void;
}

function bench(cells = GEOMETRY.tagCells): Bench {
  const geometry: Geometry = { ...GEOMETRY, tagCells: cells };
  const words = new WatchedWords(new ArrayBuffer(geometry.dataOffset));
  const tags = new Tags(words, geometry, {} as Slots);
  tags.useLocks({ within: <T>(_: number, work: () => T) => work() } as Locks);
  const hash = (names: readonly string[]) => hashTags(7, NOTHING, names);
  return {
    words,
    tags,
    page: (...names) => tags.seek(marksOf(hash(names), tags.moment())),
    invalidate: (names, untilMs, nowMs = 0) => tags.invalidate(hash(names), untilMs, nowMs),
  };
}

function control(name: 'tagSequence' | 'tagEpoch'): number {
  return GEOMETRY.regions.control.word + Control.word[name];
}

/** Every invalidation of a page's tag since its moment. */
interface Known {
  readonly sought: SoughtTags;
  readonly tag: string;
  readonly untils: (number | undefined)[];
}

const SEVERITY: Readonly<Record<TagState, number>> = { fresh: 0, stale: 1, gone: 2 };

function leastOf({ untils }: Known, nowMs: number): TagState {
  if (untils.length === 0) return 'fresh';
  return untils.every((until) => until !== undefined && until > nowMs) ? 'stale' : 'gone';
}

describe('the tags of a page', () => {
  it('are fresh until one of them is invalidated, for every page from before and none from after', () => {
    const { tags, page, invalidate } = bench();
    const [one, both, other] = [page('a'), page('a', 'b'), page('c')];
    expect([one, both, other].map((each) => tags.isFresh(each))).to.deep.equal([true, true, true]);
    invalidate(['b']);
    expect([one, both, other].map((each) => tags.isFresh(each))).to.deep.equal([true, false, true]);
    invalidate(['a', 'never seen']);
    expect([one, both, other].map((each) => tags.stateOf(each, 0))).to.deep.equal(['gone', 'gone', 'fresh']);
    expect(tags.isFresh(page('a', 'b'))).to.equal(true);
  });

  it('are never fresher than the invalidations say, nor stale for longer, also in the midst of one and where tags share all cells', () => {
    const chance = new Chance(11);
    for (const cells of [4, 8, 16, 64, 1024]) {
      const { tags, words, page, invalidate } = bench(cells);
      const names = Array.from({ length: 6 }, (_, i) => `tag ${i}`);
      let known: Known[] = [];
      let nowMs = 1000;
      const look = (what: string) => {
        for (const each of known) {
          const state = tags.stateOf(each.sought, nowMs);
          const least = leastOf(each, nowMs);
          expect(SEVERITY[state], `${each.tag} ${what}, of ${cells} cells`).to.be.at.least(SEVERITY[least]);
          expect(tags.isFresh(each.sought), what).to.equal(state === 'fresh');
        }
      };
      words.before = () => look('in the midst');
      for (let step = 0; step < 400; step++) {
        nowMs += chance.below(40);
        const tag = names[chance.below(names.length)] as string;
        if (chance.below(2) === 0) {
          known.push({ tag, sought: page(tag), untils: [] });
          known = known.slice(-40);
        } else {
          const until = chance.below(2) === 0 ? undefined : nowMs + chance.below(120);
          invalidate([tag], until, nowMs);
          for (const each of known) if (each.tag === tag) each.untils.push(until);
        }
        look('after');
      }
    }
  });

  it('may be served stale until the time said, and no longer where it was shortened or a later one has none', () => {
    const { tags, page, invalidate } = bench();
    const sought = page('a');
    invalidate(['a'], 100, 10);
    expect([50, 99, 100].map((nowMs) => tags.stateOf(sought, nowMs))).to.deep.equal(['stale', 'stale', 'gone']);
    expect([tags.mayBeStale(99), tags.mayBeStale(100)]).to.deep.equal([true, false]);
    invalidate(['a'], 80, 20);
    expect([50, 80].map((nowMs) => tags.stateOf(sought, nowMs))).to.deep.equal(['stale', 'gone']);
    const later = page('a');
    invalidate(['a'], 500, 200);
    expect([sought, later].map((each) => tags.stateOf(each, 300))).to.deep.equal(['gone', 'stale']);
    invalidate(['a'], undefined, 210);
    expect(tags.stateOf(later, 211)).to.equal('gone');
  });

  it('are over too early about as seldom as reckoned, by how many other tags were invalidated', () => {
    const cells = GEOMETRY.tagCells;
    expect(cells).to.equal(1024);
    for (const [share, most] of [
      [1 / 64, 0.0002],
      [1 / 16, 0.006],
      [1 / 4, 0.22],
    ] as const) {
      const { tags, page, invalidate } = bench();
      const pages = Array.from({ length: 20_000 }, (_, i) => page(`mine ${i}`));
      for (let i = 0; i < cells * share; i++) invalidate([`other ${i}`]);
      const over = pages.filter((each) => !tags.isFresh(each)).length / pages.length;
      const reckoned = (1 - Math.exp(-CELLS_OF_TAG * share)) ** CELLS_OF_TAG;
      expect(over, `${share}: reckoned ${reckoned}`).to.be.at.most(most);
      if (share === 1 / 4) expect(over).to.be.within(reckoned * 0.7, reckoned * 1.3);
    }
  });

  for (const before of [2 ** 29 - 2, 2 ** 31 - 2, 2 ** 32 - 2]) {
    it(`hold over the number ${before}, where numbers come round or an epoch begins`, () => {
      const { tags, words, page, invalidate } = bench();
      words.store(control('tagSequence'), before | 0);
      words.store(control('tagEpoch'), Math.floor(before / 2 ** 29));
      tags.restore();
      const [ended, kept] = [page('a'), page('b')];
      for (let i = 0; i < 5; i++) {
        invalidate([`other ${i}`]);
        expect([tags.isFresh(ended), tags.isFresh(kept)]).to.deep.equal([true, true]);
      }
      invalidate(['a']);
      expect([tags.isFresh(ended), tags.isFresh(kept), tags.isFresh(page('a'))]).to.deep.equal([false, true, true]);
    });
  }

  it('are over once two epochs have begun, and a cell that nobody meets is brought up meanwhile', () => {
    const { tags, words, page, invalidate } = bench();
    const sought = page('a');
    const step = (number: number) => {
      words.store(control('tagSequence'), (number - 1) | 0);
      invalidate(['other']);
    };
    step(2 ** 29);
    expect(tags.isFresh(sought)).to.equal(true);
    step(2 ** 30);
    expect(tags.stateOf(sought, 0)).to.equal('gone');
    // A round of the cells in each epoch, as some 2^29 invalidations make many.
    for (let epoch = 3; epoch <= 9; epoch++) {
      for (let i = 0; i < GEOMETRY.tagCells; i++) step(epoch * 2 ** 29 + i);
      expect(tags.isFresh(page('a')), `epoch ${epoch}`).to.equal(true);
    }
  });

  it('a restore of the machine leaves no cell ahead of the number, and none behind it', () => {
    const { tags, words, page, invalidate } = bench();
    invalidate(['a']);
    expect(tags.cellAhead()).to.equal(-1);
    const cell = GEOMETRY.regions.tagCells.word + 5 * TagCell.words;
    words.store(cell + TagCell.word.last, 77);
    expect(tags.cellAhead()).to.equal(5);
    tags.restore();
    expect([tags.cellAhead(), tags.isFresh(page('a'))]).to.deep.equal([-1, true]);
  });
});
