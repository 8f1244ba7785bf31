/** Bounds of versions: never below what was told of a key, whoever else was told of, and whichever store was the last. */
import { expect } from 'chai';
import fc from 'fast-check';
import { Words } from '../../lib/words.js';
import { fillRegions } from '../../src/pool/formatter.js';
import { type Geometry, geometryOf } from '../../src/pool/layout/geometry.js';
import type { Segment } from '../../src/pool/layout/segment.js';
import type { Locks } from '../../src/pool/nodes/index.js';
import { type Slots, Spaces, Stripes, VersionBounds, type VersionOwner } from '../../src/pool/objects/index.js';

const encoder = new TextEncoder();
const CUT = new Error('cut');

/** Words whose stores can be made to end. */
class CutWords extends Words {
  left = Number.POSITIVE_INFINITY;

  private count(): void {
    if (this.left-- <= 0) throw CUT;
  }

  override store(index: number, value: number): void {
    this.count();
    super.store(index, value);
  }
  override write(index: number, value: number): void {
    this.count();
    super.write(index, value);
  }
  override compareExchange(index: number, expected: number, value: number): number {
    this.count();
    return super.compareExchange(index, expected, value);
  }

  /** Whether the work came to its end within so many stores. */
  within(stores: number, work: () => void): boolean {
    this.left = stores;
    try {
      work();
      return true;
    } catch (error) {
      if (error !== CUT) throw error;
      return false;
    } finally {
      this.left = Number.POSITIVE_INFINITY;
    }
  }
}

class Table {
  readonly words: CutWords;
  readonly geometry: Geometry;
  readonly spaces: Spaces;
  readonly stripes: Stripes;
  readonly bounds: VersionBounds;
  /** By key: what was told of it since its space was dropped. */
  readonly told = new Map<string, number>();

  static nameOf(space: number): Uint8Array {
    return encoder.encode('abc'[space - 1]);
  }

  constructor() {
    this.geometry = geometryOf({ size: 2 ** 21, pageSize: 512, maxObjects: 64, maxNodes: 2, eviction: 'lru' });
    this.words = new CutWords(new ArrayBuffer(this.geometry.dataOffset));
    for (const _ of fillRegions({ words: this.words } as unknown as Segment, this.geometry));
    this.spaces = new Spaces(this.words, this.geometry);
    this.spaces.useLocks({ within: (_: number, work: () => unknown) => work() } as unknown as Locks);
    this.stripes = new Stripes(this.words, this.geometry);
    this.bounds = new VersionBounds(this.words, this.geometry, {
      slots: {} as Slots,
      spaces: this.spaces,
      stripes: this.stripes,
    });
    for (const name of ['a', 'b', 'c']) this.spaces.hold(encoder.encode(name), 64);
  }

  /** All keys lie in one stripe; every eighth has the place of another. */
  owner(space: number, key: number): VersionOwner {
    const hashHigh = (key % 8) << 20;
    return { stripe: this.stripes.wordOf(0, 0), hashHigh, space, spaceGeneration: this.spaces.generation(space) };
  }

  tell(space: number, key: number, version: number, stores = Number.POSITIVE_INFINITY): void {
    this.spaces.raiseHighest(space, this.spaces.generation(space), version);
    const isTold = this.words.within(stores, () => this.bounds.raise(this.owner(space, key), version));
    const name = `${space} ${key}`;
    if (isTold) this.told.set(name, Math.max(version, this.told.get(name) ?? 0));
  }

  drop(space: number): void {
    this.spaces.drop(Table.nameOf(space));
    for (const name of this.told.keys()) if (name.startsWith(`${space} `)) this.told.delete(name);
  }

  check(): void {
    for (const [name, version] of this.told) {
      const [space = 0, key = 0] = name.split(' ').map(Number);
      expect(this.bounds.gone(this.owner(space, key)), `key ${key} of space ${space}`).to.be.at.least(version);
    }
    expect(this.bounds.faultIn(this.stripes.wordOf(0, 0))).to.equal(undefined);
  }
}

describe('bounds of versions', () => {
  it('are never below what was told, of many keys in one stripe, and whichever store was the last', () => {
    const step = fc.record({
      space: fc.integer({ min: 1, max: 3 }),
      key: fc.nat(11),
      version: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 2 ** 32 - 3, max: 2 ** 32 + 3 })),
      stores: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat(9)),
      what: fc.constantFrom('tell', 'tell', 'tell', 'tell', 'tell', 'tell', 'tell', 'drop', 'doubt'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new Table();
        for (const { what, space, key, version, stores } of steps) {
          if (what === 'tell') table.tell(space, key, version, stores);
          else if (what === 'drop') table.drop(space);
          else if (stores < 5) table.bounds.doubt(0);
          table.check();
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('are exact for as many keys as a stripe has ways, and where more are gone of one space, for the others', () => {
    const table = new Table();
    for (const [key, version] of [
      [0, 2 ** 40 + 1],
      [1, 7],
      [0, 5],
    ] as const)
      table.tell(1, key, version);
    table.tell(2, 2, 9);
    const gone = (space: number, key: number) => table.bounds.gone(table.owner(space, key));
    expect([gone(1, 0), gone(1, 1), gone(2, 2), gone(1, 3), gone(2, 0)]).to.deep.equal([2 ** 40 + 1, 7, 9, 0, 0]);
    for (let key = 3; key < 8; key++) table.tell(1, key, 100 + key);
    expect([gone(1, 0), gone(2, 2), gone(2, 0), gone(3, 0)]).to.deep.equal([2 ** 40 + 1, 9, 0, 0]);
    // Of six keys two have ways, the two highest; the bound is the highest of the others.
    expect([gone(1, 7), gone(1, 1), gone(1, 6)]).to.deep.equal([107, 106, 106]);
  });

  it('of a key that gets a way are no lower than what was known of it without one', () => {
    const table = new Table();
    table.tell(1, 0, 30);
    table.bounds.doubt(0);
    table.tell(1, 0, 5);
    expect(table.bounds.gone(table.owner(1, 0))).to.equal(30);
  });

  it('end with a drop, and ways of before it are the first to be taken', () => {
    const table = new Table();
    for (let key = 0; key < 8; key++) table.tell(1, key, 1000);
    table.drop(1);
    const gone = (space: number, key: number) => table.bounds.gone(table.owner(space, key));
    for (let key = 0; key < 8; key++) expect(gone(1, key)).to.equal(0);
    for (let key = 0; key < 3; key++) table.tell(2, key, 5);
    expect([gone(2, 0), gone(2, 3), table.spaces.gone(2, table.spaces.generation(2))]).to.deep.equal([5, 0, 0]);
  });

  it('of a generation that a drop began are kept when the drop is done again', () => {
    let { words, spaces } = new Table();
    // Cut off right after the generation: what is missing is the drop count and the end of the pending drop.
    for (let stores = 0; spaces.generation(1) === 1; stores++) {
      ({ words, spaces } = new Table());
      expect(words.within(stores, () => spaces.drop(Table.nameOf(1)))).to.equal(false);
    }
    const next = spaces.generation(1);
    spaces.raiseHighest(1, next, 9);
    spaces.raiseGone(1, next, 8);
    spaces.repair();
    expect([spaces.generation(1), spaces.highest(1, next), spaces.gone(1, next)]).to.deep.equal([next, 9, 8]);
  });

  it('of the generation that is dropped stand until the next one has begun', () => {
    const { words, spaces } = new Table();
    for (let stores = 0; ; stores++) {
      const generation = spaces.generation(1);
      spaces.raiseGone(1, generation, 8);
      const isThrough = words.within(stores, () => spaces.drop(Table.nameOf(1)));
      if (spaces.generation(1) === generation) expect(spaces.gone(1, generation)).to.equal(8);
      else expect(spaces.gone(1, spaces.generation(1))).to.equal(0);
      spaces.repair();
      if (isThrough) break;
    }
  });

  it('are not mixed up when generations come round', () => {
    const { words, geometry, spaces } = new Table();
    words.write(geometry.regions.spaces.word + 1, -1);
    spaces.raiseGone(1, -1, 8);
    spaces.drop(Table.nameOf(1));
    expect([spaces.generation(1), spaces.gone(1, spaces.generation(1)), spaces.gone(1, -1)]).to.deep.equal([2, 0, 8]);
  });
});
