import { expect } from 'chai';
import fc from 'fast-check';
import { AssertionError } from '../../lib/assert.js';
import {
  type FieldKind,
  type Fields,
  fingerprint,
  LINE_BYTES,
  LINE_WORDS,
  type LineSpec,
  record,
  render,
  struct,
} from '../../lib/struct.js';

const whole = { writer: 'owner', fields: { state: 'sync32', size: 'u32', stamp: 'u64', rest: ['u32', 12] } } as const;

describe('struct', () => {
  it('places fields in order, in words from its start', () => {
    const row = struct('Row', [whole, { writer: 'lock', fields: { head: 'u64', more: ['u32', 14] } }]);
    expect(row.word).to.deep.equal({ state: 0, size: 1, stamp: 2, rest: 4, head: 16, more: 18 });
    expect(row).to.include({ name: 'Row', words: 32, bytes: 128 });
  });

  it('remembers of each field who writes it', () => {
    const row = struct('Row', [whole, { writer: 'lock', fields: { more: ['u32', 16] } }]);
    expect(row.fields.map((field) => field.writer)).to.deep.equal(['owner', 'owner', 'owner', 'owner', 'lock']);
  });

  it('refuses a u64 that implicit padding would have to align', () => {
    const fields = { state: 'u32', stamp: 'u64', rest: ['u32', 13] } as const;
    expect(() => struct('Row', [{ writer: 'owner', fields }])).to.throw(AssertionError, 'Row.stamp needs padding');
  });

  it('refuses a line that is not filled', () => {
    const fields = { short: ['u32', 15] } as const;
    expect(() => struct('Row', [{ writer: 'owner', fields }])).to.throw(AssertionError, 'line 0 holds 60 bytes');
    expect(() => struct('Row', [whole, { writer: 'lock', fields }])).to.throw(AssertionError, 'line 1 holds 60 bytes');
  });

  it('refuses a line with more fields than it has room for', () => {
    const fields = { state: 'u32', rest: ['u32', 16] } as const;
    expect(() => struct('Row', [{ writer: 'owner', fields }])).to.throw(AssertionError, 'holds 68 bytes');
  });

  it('lets an array run over several lines of one writer at the end, and nowhere else', () => {
    const long = { writer: 'owner', fields: { list: ['u32', 48] } } as const;
    expect(struct('Row', [whole, long]).bytes).to.equal(256);
    expect(() => struct('Row', [long, whole])).to.throw(AssertionError, 'not the last');
  });

  it('refuses a field declared twice, on another line too', () => {
    const again = { writer: 'lock', fields: { state: ['u32', 16] } } as const;
    expect(() => struct('Row', [whole, again])).to.throw(AssertionError, 'Row.state is declared twice');
  });

  it('refuses an array without width, an empty line and an empty struct', () => {
    const fields = { none: ['u32', 0], rest: ['u32', 16] } as const;
    expect(() => struct('Row', [{ writer: 'owner', fields }])).to.throw(AssertionError, 'Row.none has no width');
    expect(() => struct('Row', [{ writer: 'owner', fields: {} }])).to.throw(AssertionError, 'holds 0 bytes');
    expect(() => struct('Row', [])).to.throw(AssertionError, 'has no fields');
  });

  it('cannot be changed afterwards', () => {
    const row = struct('Row', [whole]);
    expect(row.word).to.be.frozen;
    expect(row.fields).to.be.frozen;
  });
});

describe('record', () => {
  it('places fields that together divide a line', () => {
    expect(record('Entry', 'lock', { tag: 'u32', slot: 'sync32' })).to.include({ words: 2, bytes: 8 });
  });

  it('refuses a size that does not divide a line', () => {
    const three = { tag: 'u32', slot: 'u32', more: 'u32' } as const;
    expect(() => record('Entry', 'lock', three)).to.throw(AssertionError, '3 words, which do not divide a line');
    expect(() => record('Entry', 'lock', {})).to.throw(AssertionError, 'do not divide a line');
  });

  it('refuses a whole line: that is a struct', () => {
    expect(() => record('Entry', 'lock', { all: ['u32', LINE_WORDS] })).to.throw(AssertionError, '16 words');
  });

  it('refuses implicit padding', () => {
    expect(() => record('Entry', 'lock', { tag: 'u32', stamp: 'u64', end: 'u32' })).to.throw('needs padding');
  });

  it('never lets a field straddle two lines of an array, whatever is declared', () => {
    const kind = fc.constantFrom<FieldKind>('u32', 'sync32', 'u64', ['u32', 3], ['u32', 4]);
    fc.assert(
      fc.property(fc.array(kind, { maxLength: 9 }), fc.nat(63), (kinds, index) => {
        const fields: Fields = Object.fromEntries(kinds.map((one, at) => [`field${at}`, one]));
        let entry: ReturnType<typeof record>;
        try {
          entry = record('Entry', 'lock', fields);
        } catch (error) {
          expect(error).to.be.instanceOf(AssertionError);
          return;
        }
        for (const field of entry.fields) {
          const first = index * entry.bytes + field.word * 4;
          const last = first + field.words * 4 - 1;
          expect(Math.floor(first / LINE_BYTES)).to.equal(Math.floor(last / LINE_BYTES));
        }
      }),
    );
  });
});

describe('fingerprint', () => {
  const base: readonly LineSpec[] = [{ writer: 'owner', fields: { a: 'u32', b: 'u32', c: 'u64', d: ['u32', 12] } }];
  const of = (lines: readonly LineSpec[], name = 'Row', constants: Record<string, number> = { MAGIC: 7 }) =>
    fingerprint([struct(name, lines)], constants);
  const changed: Record<string, number> = {
    'the name of the struct': of(base, 'Line'),
    'the name of a field': of([{ writer: 'owner', fields: { a: 'u32', x: 'u32', c: 'u64', d: ['u32', 12] } }]),
    'the kind of a field': of([{ writer: 'owner', fields: { a: 'sync32', b: 'u32', c: 'u64', d: ['u32', 12] } }]),
    'a kind of the same width': of([
      { writer: 'owner', fields: { a: 'u32', b: 'u32', c: ['u32', 2], d: ['u32', 12] } },
    ]),
    'the order of fields': of([{ writer: 'owner', fields: { b: 'u32', a: 'u32', c: 'u64', d: ['u32', 12] } }]),
    'the writer of a line': of([{ writer: 'lock', fields: { a: 'u32', b: 'u32', c: 'u64', d: ['u32', 12] } }]),
    'a further line': of([...base, { writer: 'owner', fields: { e: ['u32', 16] } }]),
    'the value of a constant': of(base, 'Row', { MAGIC: 8 }),
    'the name of a constant': of(base, 'Row', { MAGIK: 7 }),
    'a further constant': of(base, 'Row', { MAGIC: 7, SHARDS: 4 }),
  };

  it('is the same for the same layout, and a 32-bit number that is not zero', () => {
    expect(of(base)).to.equal(of(base));
    expect(of(base)).to.be.within(1, 2 ** 32 - 1);
  });

  for (const [what, value] of Object.entries(changed)) {
    it(`moves with ${what}`, () => {
      expect(value).to.not.equal(of(base));
    });
  }

  it('moves with the order of structs and with a struct left out', () => {
    const [one, two] = [struct('One', base), struct('Two', base)];
    const all = [fingerprint([one, two], {}), fingerprint([two, one], {}), fingerprint([one], {}), fingerprint([], {})];
    expect(new Set(all).size).to.equal(all.length);
  });
});

describe('render', () => {
  it('prints each field with byte, size, kind and writer', () => {
    const lines = render(struct('Row', [whole])).split('\n');
    expect(lines[0]).to.equal('### Row (64 bytes)');
    expect(lines.slice(4, 8)).to.deep.equal([
      '| 0 | 4 | state | sync32 | owner |',
      '| 4 | 4 | size | u32 | owner |',
      '| 8 | 8 | stamp | u64 | owner |',
      '| 16 | 48 | rest | u32[12] | owner |',
    ]);
  });
});
