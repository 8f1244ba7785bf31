/** The lines that each operation moves: exactly which, in which order, and how many. */
import { expect } from 'chai';
import type { CoherenceHost } from '../../src/coherence/host.js';
import { formatDevice, Joining, readPlan } from '../../src/coherence/joining.js';
import { Plan } from '../../src/coherence/layout.js';
import { Chance } from '../support/chance.js';
import { Device, HostLines } from './memory.js';

const PAGE_BYTES = 8192;

/** Hosts of one device, with names for its lines. */
class Recorded {
  readonly lines: HostLines[];
  readonly nodes: CoherenceHost[];
  private readonly plan: Plan;

  constructor(hosts: number) {
    const shape = { hosts, logRecords: 64, pinLines: 2, dataLines: 1024 };
    this.plan = new Plan(shape);
    const device = new Device(this.plan.lineCount);
    this.lines = Array.from({ length: hosts }, (_, host) => new HostLines(device, host));
    formatDevice(this.lines[0] as HostLines, shape, { low: 1, high: 2 });
    this.nodes = this.lines.map((lines, host) => {
      const surroundings = { elapsedMs: () => 0, pause: () => {} };
      return new Joining(lines, surroundings, { host, waitMs: 10 }).join();
    });
    for (const node of [...this.nodes, ...this.nodes]) node.beat();
  }

  private nameOf(line: number): string {
    const { plan } = this;
    if (line === plan.deaths) return 'deaths';
    const host = [...this.nodes.keys()].findLast((one) => line >= plan.row(one)) ?? -1;
    if (line === plan.row(host)) return `row ${host}`;
    if (line >= plan.data(host)) return `data ${host}`;
    return line < plan.record(host, 0) ? `pins ${host}` : `log ${host}`;
  }

  /** What the host does to lines, in order, with equal ones that follow one another as one. */
  sequence(host: number, act: (node: CoherenceHost) => void): string[] {
    const lines = this.lines[host] as HostLines;
    const seen: string[] = [];
    lines.trace = (what, line, count) => {
      seen.push(what === 'order' ? 'order' : `${what} ${count} ${this.nameOf(line)}`);
    };
    act(this.nodes[host] as CoherenceHost);
    lines.trace = undefined;
    return seen.filter((what, i) => what !== 'order' || seen[i - 1] !== 'order');
  }

  /** Line operations: writebacks, and loads of what was dropped. */
  cost(host: number, act: (node: CoherenceHost) => void): number {
    const { counted } = this.lines[host] as HostLines;
    const before = counted.writebacks + counted.invalidates;
    act(this.nodes[host] as CoherenceHost);
    return counted.writebacks + counted.invalidates - before;
  }
}

const bytes = new Uint8Array(PAGE_BYTES).fill(7);

describe('lines moved, of two hosts', () => {
  const look = ['invalidate 1 log 0', 'order', 'invalidate 1 deaths', 'order'];
  const hosts = new Recorded(2);

  it('by create: the claim, a look, that it has won', () => {
    const seen = hosts.sequence(1, (node) => node.createDraft('k', PAGE_BYTES));
    expect(seen).to.deep.equal(['writeback 2 log 1', 'order', ...look, 'writeback 1 log 1', 'order']);
  });

  it('by seal: data, the record, a look at the deaths', () => {
    const draft = hosts.nodes[1]?.createDraft('page', PAGE_BYTES);
    if (draft === undefined) throw new Error('no draft');
    const seen = hosts.sequence(1, (node) => node.sealDraft(draft, bytes));
    const data = ['writeback 128 data 1', 'order', 'writeback 2 log 1', 'order'];
    expect(seen).to.deep.equal([...data, 'invalidate 1 deaths', 'order']);
  });

  it("by get of another's page: a look, its data once, and nothing for the pin", () => {
    const own = hosts.nodes[0] as CoherenceHost;
    own.sealDraft(own.createDraft('of 0', PAGE_BYTES), bytes);
    hosts.nodes[1]?.beat();
    const find = (node: CoherenceHost) => node.findPage('of 0');
    expect(hosts.sequence(1, find)).to.deep.equal([...look, 'invalidate 128 data 0', 'order']);
    expect(hosts.sequence(1, find)).to.deep.equal(look);
    expect(hosts.sequence(1, (node) => node.findPage('of 0', { isKnown: true }))).to.deep.equal([]);
  });

  it('by release: none, and by the beat after it: pins first', () => {
    const page = hosts.nodes[1]?.findPage('of 0');
    if (page === undefined) throw new Error('no page');
    expect(hosts.sequence(1, (node) => node.releasePage(page))).to.deep.equal([]);
    const beat = [...look, 'writeback 1 pins 1', 'order', 'writeback 1 row 1', 'order'];
    expect(hosts.sequence(1, (node) => node.beat())).to.deep.equal(beat);
  });

  it('by delete: a look, the record, a look at the deaths', () => {
    const seen = hosts.sequence(1, (node) => node.deletePage('of 0'));
    expect(seen).to.deep.equal([...look, 'writeback 1 log 1', 'order', 'invalidate 1 deaths', 'order']);
  });
});

describe('line operations', () => {
  for (const [hosts, create, get, second, remove, beat] of [
    [2, 136, 130, 2, 4, 3],
    [4, 138, 132, 4, 6, 5],
    [7, 141, 135, 7, 9, 8],
  ] as const) {
    it(`of ${hosts} hosts: create and seal of 8 KiB ${create}, get ${get}, again ${second}, delete ${remove}, beat ${beat}`, () => {
      const recorded = new Recorded(hosts);
      const made = recorded.cost(1, (node) => node.sealDraft(node.createDraft('a', PAGE_BYTES), bytes));
      expect(made).to.equal(create).and.to.be.at.most(160);
      recorded.nodes[0]?.sealDraft(recorded.nodes[0].createDraft('b', PAGE_BYTES), bytes);
      // Reads the records of host 0 first, so that get finds nothing new.
      for (const node of recorded.nodes) node.beat();
      expect(recorded.cost(1, (node) => node.findPage('b'))).to.equal(get);
      expect(recorded.cost(1, (node) => node.findPage('b'))).to.equal(second);
      expect(recorded.cost(1, (node) => node.findPage('b', { isKnown: true }))).to.equal(0);
      expect(recorded.cost(1, (node) => node.deletePage('b'))).to.equal(remove);
      recorded.nodes[1]?.beat();
      expect(recorded.cost(1, (node) => node.beat())).to.equal(beat);
    });
  }
});

describe('a format that ends in the middle', () => {
  it('leaves no pool or the whole one, over garbage and over an older pool, whatever of its lines was out', () => {
    const shape = { hosts: 2, logRecords: 8, pinLines: 1, dataLines: 8 };
    const pool = { low: 3, high: 4 };
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 600; seed++) {
      const chance = new Chance(seed);
      const device = new Device(new Plan(shape).lineCount + 20);
      for (let i = 0; i < device.memory.length; i++) device.memory[i] = chance.word();
      if (seed % 2 === 0)
        formatDevice(new HostLines(device, 0), { ...shape, logRecords: 12, dataLines: 1 }, { low: 9, high: 9 });
      const lines = new HostLines(device, 0);
      outcomes.add(formatAndFail(lines, chance.below(70), () => formatDevice(lines, shape, pool)));
      lines.losePower(chance);
      const other = new HostLines(device, 1);
      let found: string;
      try {
        const { plan, pool: id } = readPlan(other);
        found = `${plan.shape.logRecords} ${id.low}`;
      } catch (error) {
        found = (error as { code: string }).code;
      }
      const isOver = seed % 2 === 0;
      const none = ['POOL_CORRUPT', ...(isOver ? [] : ['FORMAT_MISMATCH'])];
      expect(found).to.be.oneOf([...none, '8 3', ...(isOver ? ['12 9'] : [])]);
      outcomes.add(found);
    }
    expect([...outcomes]).to.include.members(['POOL_CORRUPT', 'FORMAT_MISMATCH', '8 3', '12 9', 'ended', 'cut']);
  });
});

/** Runs it until so many accesses were made. */
function formatAndFail(lines: HostLines, accesses: number, act: () => void): string {
  const cut = Symbol('cut');
  let left = accesses;
  const mortal = lines as unknown as Record<string, (...args: number[]) => unknown>;
  for (const name of ['store', 'writeback', 'order']) {
    const plain = mortal[name] as (...args: number[]) => unknown;
    mortal[name] = (...args) => {
      if (left-- <= 0) throw cut;
      return plain.apply(lines, args);
    };
  }
  try {
    act();
    return 'ended';
  } catch (error) {
    if (error !== cut) throw error;
    return 'cut';
  }
}
