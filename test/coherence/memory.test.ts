/**
 * Litmus tests of the simulator itself: what a memory that nobody keeps coherent allows has to come about in some seeds, and
 * what writebacks, invalidates and orders forbid in none.
 */
import { expect } from 'chai';
import { LINE_WORDS } from '../../lib/struct.js';
import { Chance } from '../support/chance.js';
import { Device, HostLines } from './memory.js';

const SEEDS = 4000;
const X = 0;
const Y = 1;

type Program = (lines: HostLines, saw: (value: number) => void) => Generator<undefined, void>;

/** What a host does to a line: everything that makes it seen, or nothing of it. */
interface Care {
  readonly writes: boolean;
  readonly drops: boolean;
  readonly orders: boolean;
}
const ALL: Care = { writes: true, drops: true, orders: true };

function* put(lines: HostLines, line: number, value: number, care: Care): Generator<undefined, void> {
  yield;
  lines.store(line * LINE_WORDS, value);
  yield;
  if (care.writes) lines.writeback(line, 1);
  yield;
  if (care.orders) lines.order();
}

function* look(lines: HostLines, line: number, care: Care): Generator<undefined, number> {
  yield;
  if (care.drops) lines.invalidate(line, 1);
  yield;
  if (care.orders) lines.order();
  yield;
  return lines.load(line * LINE_WORDS);
}

/** Outcomes by how often they came, of hosts that run the programs in turns and with caches that drift as the seed has it. */
function outcomes(programs: readonly Program[], lineCount = 2): Map<string, number> {
  const counts = new Map<string, number>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const chance = new Chance(seed);
    const device = new Device(lineCount);
    const hosts = programs.map((_, host) => new HostLines(device, host));
    const seen = programs.map((): number[] => []);
    const all = [...Array(lineCount).keys()];
    // Some have a copy from before, so that staleness can show.
    for (const lines of hosts) for (const line of all) if (chance.below(2) === 0) lines.load(line * LINE_WORDS);
    const running = programs.map((program, host) =>
      program(hosts[host] as HostLines, (value) => seen[host]?.push(value)),
    );
    while (running.length > 0) {
      if (chance.below(3) === 0) chance.pick(hosts).drift(chance, all);
      const next = chance.below(running.length);
      if (running[next]?.next().done === true) running.splice(next, 1);
    }
    const outcome = seen
      .map((values) => values.join(''))
      .join(' ')
      .trim();
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  return counts;
}

/** Message passing. */
function passing(writer: Care, reader: Care): Map<string, number> {
  return outcomes([
    function* (lines) {
      yield* put(lines, X, 1, writer);
      yield* put(lines, Y, 1, writer);
    },
    function* (lines, saw) {
      saw(yield* look(lines, Y, reader));
      saw(yield* look(lines, X, reader));
    },
  ]);
}

/** Store buffering, Dekker's. */
function dekker(care: Care): Map<string, number> {
  const side = (mine: number, other: number): Program =>
    function* (lines, saw) {
      yield* put(lines, mine, 1, care);
      saw(yield* look(lines, other, care));
    };
  return outcomes([side(X, Y), side(Y, X)]);
}

describe('the memory that does not snoop', () => {
  it('shows a flag without its payload (MP) unless both hosts do their part', () => {
    expect(passing(ALL, ALL).has('10')).to.equal(false);
    expect([...passing(ALL, ALL).keys()]).to.include.members(['00', '01', '11']);
    expect(passing({ ...ALL, writes: false }, ALL).get('10')).to.be.greaterThan(0);
    expect(passing({ ...ALL, orders: false }, ALL).get('10')).to.be.greaterThan(0);
    expect(passing(ALL, { ...ALL, drops: false }).get('10')).to.be.greaterThan(0);
    expect(passing(ALL, { ...ALL, orders: false }).get('10')).to.be.greaterThan(0);
  });

  it('lets two hosts miss each other (SB) unless stores are out before the look', () => {
    expect(dekker(ALL).has('0 0')).to.equal(false);
    expect([...dekker(ALL).keys()]).to.have.members(['0 1', '1 0', '1 1']);
    for (const care of [
      { ...ALL, writes: false },
      { ...ALL, drops: false },
      { ...ALL, orders: false },
    ]) {
      expect(dekker(care).get('0 0')).to.be.greaterThan(0);
    }
  });

  it('never shows a value before it was stored (LB)', () => {
    const side = (mine: number, other: number): Program =>
      function* (lines, saw) {
        saw(yield* look(lines, other, ALL));
        yield* put(lines, mine, 1, ALL);
      };
    expect(outcomes([side(X, Y), side(Y, X)]).has('1 1')).to.equal(false);
  });

  it('never goes back in the values of one line (CoRR), however lines leave and come', () => {
    const careless: Care = { writes: false, drops: false, orders: false };
    const counts = outcomes([
      function* (lines) {
        yield* put(lines, X, 1, careless);
        yield* put(lines, X, 2, careless);
      },
      function* (lines, saw) {
        for (let i = 0; i < 3; i++) saw(yield* look(lines, X, careless));
      },
    ]);
    const back = [...counts.keys()].filter((seen) =>
      [...seen].some((value, i) => i > 0 && value < (seen[i - 1] ?? '')),
    );
    expect(back).to.deep.equal([]);
    expect([...counts.keys()]).to.include.members(['000', '002', '222', '012', '122']);
  });

  it('shows two hosts the stores of two others in one order (IRIW) if they look anew', () => {
    const writer =
      (line: number): Program =>
      (lines) =>
        put(lines, line, 1, ALL);
    const reader = (first: number, second: number, care: Care): Program =>
      function* (lines, saw) {
        saw(yield* look(lines, first, care));
        saw(yield* look(lines, second, care));
      };
    const run = (care: Care) => outcomes([writer(X), writer(Y), reader(X, Y, care), reader(Y, X, care)]);
    expect(run(ALL).has('10 10')).to.equal(false);
    expect(run({ ...ALL, drops: false }).get('10 10')).to.be.greaterThan(0);
  });

  it('moves a line whole, as a prefix of its stores, and tears what spans two lines', () => {
    const counts = outcomes([
      function* (lines) {
        for (const word of [0, 1, LINE_WORDS, LINE_WORDS + 1]) {
          yield;
          lines.store(word, 1);
        }
        lines.writeback(X, 2);
        yield;
        lines.order();
      },
      function* (lines, saw) {
        lines.invalidate(X, 2);
        yield;
        lines.order();
        for (const word of [0, 1, LINE_WORDS, LINE_WORDS + 1]) saw(lines.load(word));
      },
    ]);
    expect([...counts.keys()]).to.include.members(['0000', '1111', '1100', '0011', '1000', '1110']);
    expect([...counts.keys()].filter((seen) => seen.startsWith('01') || seen.endsWith('01'))).to.deep.equal([]);
  });

  it('loses or keeps each dirty line of a host without power', () => {
    const kept = new Set<string>();
    for (let seed = 1; seed <= 64; seed++) {
      const device = new Device(2);
      const lines = new HostLines(device, 0);
      lines.store(0, 1);
      lines.store(LINE_WORDS, 1);
      lines.losePower(new Chance(seed));
      kept.add(`${lines.load(0)}${lines.load(LINE_WORDS)}`);
    }
    expect([...kept]).to.have.members(['00', '01', '10', '11']);
  });

  it('finds a line that two hosts store to', () => {
    const device = new Device(3);
    new HostLines(device, 0).store(0, 1);
    new HostLines(device, 1).store(LINE_WORDS, 1);
    expect(device.linesOfTwoWriters()).to.deep.equal([]);
    new HostLines(device, 1).copyIn(0, new Uint8Array(1));
    expect(device.linesOfTwoWriters()).to.deep.equal([0]);
  });
});
