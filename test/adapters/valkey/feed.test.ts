import { expect } from 'chai';
import { applyEntries } from '../../../adapters/valkey/feed.js';
import { type EndOfTags, encodeEnd } from '../../../adapters/valkey/tagcells.js';

const PLACE = { count: '100', nonce: 'x' };
const entry = (count: number | string, key: string, kind = 'key', nonce = `n${count}`) => [
  Buffer.from(typeof count === 'number' ? `${count}-0` : count),
  ['n', nonce, 'k', kind, 'v', key, 'o', 'host'].map((field) => Buffer.from(field)),
];

/** Applies entries after 100; what was dropped, with * for everything. */
function applied(reply: unknown) {
  const dropped: string[] = [];
  const counts = { applied: 0, gaps: 0 };
  const drop = (key: Uint8Array | undefined) =>
    void dropped.push(key === undefined ? '*' : Buffer.from(key).toString());
  const endTags = ({ tags, staleFor }: EndOfTags) => void dropped.push(`#${tags.join('+')} ${staleFor}`);
  const place = applyEntries(reply, PLACE, { drop, endTags }, counts);
  return { dropped, place: place.count, gaps: counts.gaps };
}
const of = (...entries: unknown[]) => applied({ log: entries });

describe('the log of a space', () => {
  it('drops the keys of its entries in their order, and the place moves to the last', () => {
    expect(of(entry(101, 'a'), entry(102, 'b'))).to.deep.equal({ dropped: ['a', 'b'], place: '102', gaps: 0 });
    expect(applied([['log', [entry(101, 'a')]]])).to.deep.equal({ dropped: ['a'], place: '101', gaps: 0 });
  });

  it('ends tags in their turn, and drops everything where an entry says none that can be read', () => {
    const end = encodeEnd({ tags: ['t', 'ü'], staleFor: 5 });
    const entries = [entry(101, 'a'), entry(102, end, 'tags'), entry(103, 'b')];
    expect(of(...entries)).to.deep.equal({ dropped: ['a', '#t+ü 5', 'b'], place: '103', gaps: 0 });
    for (const wrong of [
      '',
      '[]',
      '{}',
      '{"tags":["t"]}',
      '{"tags":[1],"staleFor":0}',
      '{"tags":["t"],"staleFor":-1}',
      'null',
    ])
      expect(of(entry(101, wrong, 'tags')).dropped, wrong).to.deep.equal(['*']);
    expect(of(entry(102, end, 'tags')).dropped).to.deep.equal(['*']);
    expect(of(entry(100, end, 'tags'), entry(99, end, 'tags')).dropped).to.deep.equal([]);
  });

  it('says nothing where nothing came', () => {
    expect(applied(null)).to.deep.equal({ dropped: [], place: '100', gaps: 0 });
  });

  it('drops everything at an entry of all keys, whatever its count', () => {
    expect(of(entry(101, '', 'all'))).to.deep.equal({ dropped: ['*'], place: '101', gaps: 0 });
    expect(of(entry(500, '', 'all'))).to.deep.equal({ dropped: ['*'], place: '500', gaps: 0 });
  });

  it('drops everything where an entry is missing', () => {
    expect(of(entry(101, 'a'), entry(103, 'c'))).to.deep.equal({ dropped: ['a', '*'], place: '103', gaps: 1 });
  });

  it('passes over what comes twice, or a second old', () => {
    expect(of(entry(101, 'a'), entry(101, 'a'), entry(99, 'z'), entry(102, 'b'))).to.deep.equal({
      dropped: ['a', 'b'],
      place: '102',
      gaps: 0,
    });
  });

  it('drops everything where entries come in another order, and the place does not go back', () => {
    expect(of(entry(102, 'b'), entry(101, 'a'))).to.deep.equal({ dropped: ['*'], place: '102', gaps: 1 });
  });

  it('drops everything for what it cannot read', () => {
    const bad = [
      entry('101-1', 'a'),
      entry('x', 'a'),
      entry(101, 'a', 'tag'),
      entry(101, ''),
      ['101-0', ['n', 'x']],
      ['101-0', entry(101, 'a')[1]?.slice().reverse()],
      null,
      7,
    ];
    for (const raw of bad)
      expect(of(raw), JSON.stringify(raw)).to.deep.equal({ dropped: ['*'], place: '100', gaps: 1 });
    for (const reply of [[], {}, { log: 'x' }, [['log']]]) expect(applied(reply).dropped).to.deep.equal(['*']);
  });
});
