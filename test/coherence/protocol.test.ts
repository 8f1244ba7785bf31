/** What hosts of memory that is not coherent do, one call at a time, and the lines that each call moves. */
import { expect } from 'chai';
import type { PoolError } from '../../lib/errors.js';
import { Arbiter } from '../../src/coherence/arbiter.js';
import type { CoherenceHost } from '../../src/coherence/host.js';
import { formatDevice, Joining, readPlan } from '../../src/coherence/joining.js';
import { Plan, type Shape, Superblock } from '../../src/coherence/layout.js';
import { Chance } from '../support/chance.js';
import { Device, HostLines } from './memory.js';

const POOL = { low: 7, high: 8 };
const KEY = 'a page';

class Hosts {
  readonly device: Device;
  readonly lines: HostLines[];
  readonly nodes: CoherenceHost[] = [];
  private nowMs = 0;
  /** Of all hosts' clocks. */
  wallMs = 0;

  constructor(shape: Partial<Shape> = {}, hosts = 2) {
    const whole = { hosts, logRecords: 64, pinLines: 2, dataLines: 400, ...shape };
    this.device = new Device(new Plan(whole).lineCount);
    const chance = new Chance(1);
    for (let i = 0; i < this.device.memory.length; i++) this.device.memory[i] = chance.word();
    this.lines = Array.from({ length: hosts }, (_, host) => new HostLines(this.device, host));
    formatDevice(this.linesOf(0), whole, POOL);
    for (let host = 0; host < hosts; host++) this.nodes.push(this.join(host));
  }

  linesOf(host: number): HostLines {
    return this.lines[host] as HostLines;
  }

  of(host: number): CoherenceHost {
    return this.nodes[host] as CoherenceHost;
  }

  join(host: number, by = host): CoherenceHost {
    const nowMs = () => this.wallMs;
    const surroundings = { elapsedMs: () => this.nowMs++, nowMs, pause: () => {} };
    return new Joining(this.linesOf(by), surroundings, { host, waitMs: 10 }).join();
  }

  /** Lines written back, and lines loaded anew, by what the host does. */
  count(
    host: number,
    act: () => void,
  ): { readonly writebacks: number; readonly loads: number; readonly orders: number } {
    const { counted } = this.linesOf(host);
    const before = { ...counted };
    act();
    return {
      writebacks: counted.writebacks - before.writebacks,
      loads: counted.invalidates - before.invalidates,
      orders: counted.orders - before.orders,
    };
  }
}

function put(node: CoherenceHost, key: string, bytes: Uint8Array): void {
  node.sealDraft(node.createDraft(key, bytes.length), bytes);
}

function codeOf(act: () => unknown): string {
  try {
    act();
    return 'nothing';
  } catch (error) {
    return (error as PoolError).code;
  }
}

describe('a device of several hosts', () => {
  const bytes = new Uint8Array(200).map((_, i) => i);

  it('shows a sealed page to every host, and only that', () => {
    const hosts = new Hosts();
    const draft = hosts.of(1).createDraft(KEY, bytes.length);
    expect(hosts.of(0).findPage(KEY)).to.equal(undefined);
    hosts.of(1).sealDraft(draft, bytes);
    const page = hosts.of(0).findPage(KEY);
    expect(page && hosts.of(0).copyPage(page)).to.deep.equal(bytes);
  });

  it('takes a key as text or as its UTF-8 bytes', () => {
    const hosts = new Hosts();
    for (const key of ['plain', 'Zürich, 東京', '\u0000']) {
      put(hosts.of(0), key, bytes);
      expect(hosts.of(1).findPage(Buffer.from(key, 'utf8')), key).to.not.equal(undefined);
      expect(hosts.of(1).findPage(key), key).to.not.equal(undefined);
    }
    expect(codeOf(() => hosts.of(0).createDraft('東'.repeat(21_846), 1))).to.equal('KEY_INVALID');
  });

  it('gives one key once, also where the one that has it is not sealed', () => {
    const hosts = new Hosts();
    const draft = hosts.of(1).createDraft(KEY, 10);
    expect(codeOf(() => hosts.of(0).createDraft(KEY, 10))).to.equal('KEY_EXISTS');
    expect(codeOf(() => hosts.of(1).createDraft(KEY, 10))).to.equal('KEY_EXISTS');
    hosts.of(1).abortDraft(draft);
    put(hosts.of(0), KEY, bytes);
    expect(codeOf(() => hosts.of(1).createDraft(KEY, 10))).to.equal('KEY_EXISTS');
  });

  it('lets anybody delete, and gives the room back when nobody holds the page', () => {
    const hosts = new Hosts({ dataLines: 4 });
    put(hosts.of(0), KEY, bytes);
    const page = hosts.of(1).findPage(KEY);
    expect(hosts.of(1).deletePage(KEY)).to.equal(true);
    expect(hosts.of(0).findPage(KEY)).to.equal(undefined);
    hosts.of(1).beat();
    hosts.of(0).beat();
    expect(codeOf(() => hosts.of(0).createDraft('another', 200))).to.equal('POOL_FULL');
    expect(page && hosts.of(1).copyPage(page)).to.deep.equal(bytes);
    if (page !== undefined) hosts.of(1).releasePage(page);
    hosts.of(1).beat();
    put(hosts.of(0), 'another', bytes);
    expect(hosts.of(1).findPage('another')).to.not.equal(undefined);
  });

  it('runs for ever in its room', () => {
    const hosts = new Hosts({ logRecords: 16, dataLines: 8 });
    for (let i = 0; i < 200; i++) {
      const [one, other] = i % 2 === 0 ? [0, 1] : [1, 0];
      put(hosts.of(one), `page ${i}`, bytes);
      expect(hosts.of(other).deletePage(`page ${i}`), `page ${i}`).to.equal(true);
      for (const node of [...hosts.nodes, ...hosts.nodes]) {
        node.beat();
        node.forget();
        node.reclaim();
      }
    }
    expect(hosts.device.linesOfTwoWriters()).to.deep.equal([]);
  });

  it('keeps keys that do not fit their record for as long as anybody may read that, also of what was given up, and over a new life', () => {
    const hosts = new Hosts({ logRecords: 32, dataLines: 60 });
    const long = (name: number) => `${name} `.repeat(40);
    for (let i = 0; i < 120; i++) {
      const draft = hosts.of(0).createDraft(long(i), 100, { metadata: Uint8Array.of(i) });
      if (i % 3 === 0) hosts.of(0).abortDraft(draft);
      else hosts.of(0).sealDraft(draft, new Uint8Array(100).fill(i));
      // It reads the CLAIM of what was given up only now.
      const page = hosts.of(1).findPage(long(i));
      expect(page !== undefined, `page ${i}`).to.equal(i % 3 !== 0);
      if (page !== undefined) {
        expect([hosts.of(1).copyPage(page)[7], hosts.of(1).copyMetadata(page)]).to.deep.equal([i, Uint8Array.of(i)]);
        hosts.of(1).releasePage(page);
        expect(hosts.of(1).deletePage(Buffer.from(long(i)))).to.equal(true);
      }
      if (i === 60) hosts.nodes[0] = hosts.join(0);
      for (const node of [...hosts.nodes, ...hosts.nodes]) {
        node.beat();
        node.forget();
        node.reclaim();
      }
    }
    const { log, extents } = hosts.of(0).parts;
    expect(extents.freeLines + log.keys.lines).to.equal(60);
    expect(log.keys.lines).to.be.below(60);
  });

  it('gives no line of a key away while a host that counts has not read its record', () => {
    const hosts = new Hosts({ logRecords: 16, dataLines: 40 });
    const { keys } = hosts.of(0).parts.log;
    hosts.of(0).abortDraft(hosts.of(0).createDraft('k'.repeat(100), 1));
    for (let i = 0; i < 4; i++) hosts.of(0).forget();
    expect(keys.lines).to.equal(2);
    for (let i = 0; i < 8; i++) {
      for (const node of hosts.nodes) node.beat();
      hosts.of(0).forget();
    }
    expect(keys.lines).to.equal(0);
  });

  it('keeps the lines of a key that was claimed in vain, and takes none where there is no room for both key and bytes', () => {
    const hosts = new Hosts({ dataLines: 6 });
    put(hosts.of(0), 'k'.repeat(100), bytes.subarray(0, 1));
    expect(codeOf(() => hosts.of(1).createDraft('k'.repeat(100), 1))).to.equal('KEY_EXISTS');
    expect([hosts.of(1).parts.log.keys.lines, hosts.of(1).parts.extents.freeLines]).to.deep.equal([2, 4]);
    expect(codeOf(() => hosts.of(0).createDraft('l'.repeat(100), 65))).to.equal('POOL_FULL');
    expect(codeOf(() => hosts.of(0).createDraft('l'.repeat(300), 65))).to.equal('OBJECT_TOO_LARGE');
    put(hosts.of(0), 'short', bytes.subarray(0, 192));
    expect(hosts.of(0).parts.extents.freeLines).to.equal(0);
  });

  it('tells metadata that is not what was sealed from what was', () => {
    const hosts = new Hosts();
    const draft = hosts.of(0).createDraft(KEY, 65, { metadata: bytes.subarray(0, 70) });
    hosts.of(0).sealDraft(draft, bytes.subarray(0, 65));
    hosts.device.memory[(draft.extent + 3) * 16] = 7;
    expect(codeOf(() => hosts.of(1).findPage(KEY))).to.equal('POOL_CORRUPT');
  });

  it('ends a page whose time is over, by the clock of whoever looks, and tells that it was evicted', () => {
    const hosts = new Hosts();
    put(hosts.of(0), 'for ever', bytes);
    const draft = hosts.of(0).createDraft(KEY, 5, { ttlMs: 10 });
    hosts.of(0).sealDraft(draft, bytes.subarray(0, 5));
    const told: string[] = [];
    hosts.of(1).parts.directory.onChange = (what, { key }) => told.push(`${what} ${key}`);
    hosts.wallMs = 9;
    expect(hosts.of(1).findPage(KEY)).to.not.equal(undefined);
    hosts.wallMs = 10;
    expect([hosts.of(1).findPage(KEY), hosts.of(1).deletePage(KEY)]).to.deep.equal([undefined, false]);
    put(hosts.of(1), KEY, bytes);
    expect(hosts.of(0).findPage(KEY)?.byteLength).to.equal(bytes.length);
    expect(hosts.of(1).findPage('for ever')).to.not.equal(undefined);
    expect(told).to.deep.equal(['sealed for ever', `sealed ${KEY}`, `evicted ${KEY}`, `sealed ${KEY}`]);
  });

  it('declares a host dead whose heartbeat stands still, and frees its keys, not its pages', () => {
    const hosts = new Hosts();
    put(hosts.of(1), KEY, bytes);
    hosts.of(1).createDraft('unfinished', 10);
    const arbiter = new Arbiter(hosts.of(0), { leaseMs: 50 });
    expect(arbiter.judge()).to.deep.equal([]);
    hosts.of(1).beat();
    expect(arbiter.judge()).to.deep.equal([]);
    for (let i = 0; i < 60; i++) hosts.of(0).parts.surroundings.elapsedMs();
    expect(arbiter.judge()).to.deep.equal([1]);
    expect(hosts.of(0).findPage(KEY)).to.not.equal(undefined);
    put(hosts.of(0), 'unfinished', bytes);
    expect(codeOf(() => hosts.of(1).findPage(KEY))).to.equal('NODE_FENCED');
    expect(codeOf(() => hosts.of(1).createDraft('x', 1))).to.equal('NODE_FENCED');
    const again = hosts.join(1);
    expect(again.incarnation).to.equal(2);
    expect(again.findPage(KEY)).to.not.equal(undefined);
  });

  it('believes nothing that a death did not count, where its host has come again and died once more between two looks', () => {
    const hosts = new Hosts({}, 3);
    const arbiter = new Arbiter(hosts.of(0), { leaseMs: 50 });
    const { plan } = readPlan(hosts.linesOf(0));
    const draft = hosts.of(1).createDraft('lost', bytes.length);
    // Declared dead just before the record of its page is in memory.
    hosts.linesOf(1).trace = (what, line) => {
      if (what !== 'writeback' || line < plan.record(1, 0) || line >= plan.data(1)) return;
      hosts.linesOf(1).trace = undefined;
      arbiter.declare(1, 1);
    };
    expect(codeOf(() => hosts.of(1).sealDraft(draft, bytes))).to.equal('NODE_FENCED');
    // Host 2 has read that record, and not yet who is dead.
    hosts.linesOf(2).trace = (what, line) => {
      if (what !== 'invalidate' || line !== plan.deaths) return;
      hosts.linesOf(2).trace = undefined;
      put(hosts.join(1), KEY, bytes);
      arbiter.declare(1, 2);
    };
    for (const host of [2, 0]) {
      expect(hosts.of(host).findPage('lost'), `host ${host}`).to.equal(undefined);
      expect(hosts.of(host).findPage(KEY), `host ${host}`).to.not.equal(undefined);
    }
    expect(hosts.linesOf(2).trace).to.equal(undefined);
  });

  it('refuses what is no pool, of another layout, damaged, too small, or of fewer hosts', () => {
    const hosts = new Hosts();
    expect(codeOf(() => hosts.join(2, 0))).to.equal('OPTION_INVALID');
    const lines = hosts.linesOf(0);
    const change = (word: number, value: number) => {
      const before = lines.load(word);
      lines.store(word, value);
      const code = codeOf(() => readPlan(lines));
      lines.store(word, before);
      return code;
    };
    const at = Superblock.word;
    expect(change(at.magicLow, 1)).to.equal('FORMAT_MISMATCH');
    expect(change(at.magicHigh, 1)).to.equal('FORMAT_MISMATCH');
    expect(change(at.version, 7)).to.equal('FORMAT_MISMATCH');
    expect(change(at.version, 0)).to.equal('POOL_CORRUPT');
    expect(change(at.fingerprint, 1)).to.equal('FORMAT_MISMATCH');
    expect(change(at.ready, 0)).to.equal('POOL_CORRUPT');
    expect(change(at.dataLines, 1)).to.equal('POOL_CORRUPT');
    const shape = { hosts: 2, logRecords: 64, pinLines: 2, dataLines: 40_000 };
    expect(codeOf(() => formatDevice(lines, shape, POOL))).to.equal('NO_SPACE');
    expect(codeOf(() => hosts.of(0).createDraft('k'.repeat(65_536), 1))).to.equal('KEY_INVALID');
    expect(codeOf(() => hosts.of(0).createDraft('k', 64 * 401))).to.equal('OBJECT_TOO_LARGE');
  });
});
