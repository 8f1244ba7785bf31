/**
 * What the conformance cases do on hosts of an emulated device (conformance.test.ts). A case that no rule names has to pass as it stands; one that
 * a rule names has to fail by saying what the rule says, so a rule that is no longer true fails.
 */
import { expect } from 'chai';
import { connect, format, inspect, type Pool, SharedCache } from '../../src/index.js';
import { contentOf } from '../support/content.js';
import { codeOf, MIB, type Pools } from '../support/pools.js';

type Check = (pools: Pools) => Promise<unknown>;

export type Rule =
  /** Is run, and fails with this message. */
  | { readonly says: RegExp; readonly why: string }
  /** What differs is checked, once for all cases of the rule: they would wait in vain, or for processes only to be refused. */
  | { readonly instead: Check; readonly why: string }
  /** Is run with SEALPOOL_LONG=1. */
  | { readonly long: true; readonly why: string }
  /** Makes no pool but by `format` and `connect` of its own, the same in both modes. */
  | { readonly same: true; readonly why: string };

/** Refused by name. */
function lacks(what: string): Rule {
  return { says: new RegExp(`UNSUPPORTED: .*\\b${what}`), why: `has not ${what}` };
}
function differs(says: RegExp, why: string): Rule {
  return { says, why };
}

const CHECKPOINTS = lacks('checkpoints');
const EVICTION = lacks('eviction');
const READ_ONLY = lacks('nodes that only read');
const ITS_OWN_FORMAT = differs(
  /FORMAT_MISMATCH: .* is a pool for coherent memory: connect without coherence and emulate/,
  '`format` makes no emulated device, and a coherent pool is refused by name',
);
const SAME: Rule = { same: true, why: 'makes its pools by `format` and `connect` of its own' };
const SLOW: Rule = { long: true, why: 'takes several seconds' };

/** Who writes to a page has written to his own image: no fault, and nobody else sees it. */
const scribble: Check = async (pools) => {
  const pool = await pools.create({ size: MIB, pageSize: 4096 });
  const other = await pools.connect(pool.path);
  pool.put('k', contentOf('k', 3, 900));
  const [page, witness] = [other.get('k'), pool.get('k')];
  page?.bytes.fill(0);
  expect(witness?.copy()).to.deep.equal(contentOf('k', 3, 900));
  expect(other.get('k')?.copy()).to.deep.equal(contentOf('k', 3, 900));
};

/** Who is stopped acknowledges nothing, so the logs of the others fill up, and they say so. */
const stopped: Check = async (pools) => {
  const pool = await pools.create({ size: MIB, pageSize: 512, maxObjects: 200 }, { syncWaitMs: 1 });
  const other = (await pools.connect(pool.path)) as unknown as { parts: { host: { beat(): void } } };
  other.parts.host.beat = () => {};
  const fill = () => {
    for (let i = 0; i < 1000; i++) pool.put(`k${i}`, new Uint8Array(1));
  };
  expect(await codeOf(fill)).to.equal('BUSY');
};

/** The room of a region, not of all of them; the other host has its own. */
const region: Check = async (pools) => {
  const pool = await pools.create({ size: MIB, pageSize: 512 });
  const other = await pools.connect(pool.path);
  const { bytesData } = pool.stats();
  expect(await codeOf(() => pool.create('k', bytesData))).to.equal('OBJECT_TOO_LARGE');
  pool.create('k', bytesData / 2);
  expect(await codeOf(() => pool.create('l', 1))).to.equal('POOL_FULL');
  other.create('l', bytesData / 2);
  expect(pool.stats().bytesFree).to.equal(0);
};

/** There is no emulated device but by `connect`. */
const formats: Check = async (pools) => {
  const emulate = { size: MIB, emulate: 'noncoherent' };
  expect(await codeOf(() => format(pools.path(), emulate as never))).to.equal('OPTION_INVALID');
};

const noCache: Check = async (pools) => {
  const pool = await pools.create({ size: MIB, pageSize: 512 });
  expect(await codeOf(() => new SharedCache(pool))).to.equal('UNSUPPORTED');
};

const noSession: Check = async (pools) => {
  expect((await pools.create({ size: MIB, pageSize: 512 })).session).to.equal(undefined);
};

const ownPins: Check = async (pools) => {
  const pool = await pools.create({ size: MIB, pageSize: 512 });
  const other = await pools.connect(pool.path);
  pool.put('k', new Uint8Array(1));
  const page = other.get('k');
  expect([pool.stats().pins, other.stats().pins]).to.deep.equal([0, 1]);
  page?.release();
};

const census: Check = async (pools) => {
  const { path } = await pools.create({ size: MIB, pageSize: 512 });
  const said = await inspect(path).catch((error: Error) => error.message);
  expect(said).to.match(/^FORMAT_MISMATCH: .* is a pool on an emulated device/);
};

const plainConnect: Check = async (pools) => {
  const { path } = await pools.create({ size: MIB, pageSize: 512 });
  const said = await connect(path).catch((error: Error) => error.message);
  expect(said).to.match(/^FORMAT_MISMATCH: .* is a pool on an emulated device: connect with emulate/);
};

const pins: Check = async (pools) => {
  const pool = await pools.create({ size: 2 * MIB, pageSize: 64, maxObjects: 4200 });
  for (let i = 0; i <= 4096; i++) pool.put(`k${i}`, new Uint8Array(8));
  for (let i = 0; i < 4096; i++) pool.get(`k${i}`);
  expect(await codeOf(() => pool.get('k4096'))).to.equal('TOO_MANY_PINS');
};

const full: Check = async (pools) => {
  const pool = await pools.create({ size: MIB, pageSize: 512 });
  const said = await fillUp(pool);
  expect(said).to.match(/^POOL_FULL: .* Nothing is evicted here/);
};

async function fillUp(pool: Pool): Promise<string> {
  try {
    for (let i = 0; ; i++) pool.put(`k${i}`, new Uint8Array(4096));
  } catch (error) {
    return (error as Error).message;
  }
}

const CACHE: Rule = { instead: noCache, why: 'has no cache above it' };
const NOT_EVICTED: Rule = { instead: full, why: 'nothing is evicted' };
const OWN_REGION: Rule = { instead: region, why: "a host fills its own region, and `bytesData` is everybody's" };
const INSIDE: Rule = { instead: noSession, why: "looks into the other mode's own books" };
const CENSUS: Rule = { instead: census, why: 'has no census: refused by name' };
const ITS_OWN_CONNECT: Rule = {
  instead: plainConnect,
  why: 'a program of the case connects without emulate: refused by name',
};

const EVICTED: readonly [RegExp, Rule][] = [
  [/^evict /, differs(/expected (\+0 to be at least 1|\[ 'draft', 'k0', 'k1')/, 'nothing is evicted')],
  [/^retained objects|^of a pool under/, EVICTION],
  [/^do not strand|^an object as large/, NOT_EVICTED],
];

/** Of the name of each file of cases: how many hosts its pools have, and the rules for its cases. The first that names a case holds. */
export const FILES: Readonly<Record<string, { readonly hosts: number; readonly rules: readonly [RegExp, Rule][] }>> = {
  bytes: {
    hosts: 2,
    rules: [
      [/^what is no Uint8Array|^a Uint8Array of|^a target of|^an error between/, CACHE],
      [/^a read under way/, NOT_EVICTED],
      [/^a filler that fails/, CHECKPOINTS],
    ],
  },
  checkpoints: {
    hosts: 2,
    rules: [
      [/^pages and cache entries/, CACHE],
      [/^wrong use/, differs(/expected 'UNSUPPORTED' to equal/, 'has not checkpoints')],
      [/^the longest names/, INSIDE],
      [/./, CHECKPOINTS],
    ],
  },
  concurrency: {
    hosts: 5,
    rules: [
      [/exactly one wins/, SLOW],
      [
        /^extents that four/,
        { instead: scribble, why: 'bytes of an emulated page are private copies, without addresses in common' },
      ],
      [/holds every lock|finds BUSY/, INSIDE],
      [/^accepts what|^finds the operation/, SAME],
      [/^readers never|^a process stopped|^of four processes that/, CACHE],
    ],
  },
  crash: {
    hosts: 5,
    rules: [
      [/^pins of a killed/, { instead: ownPins, why: 'a host counts its own pins' }],
      [/every lock in its hand/, INSIDE],
      [/^a killed process is told|^after kill -9 of every/, SLOW],
      [/^kill -9 of writers/, CACHE],
      [/^a worker fills|^a draft whose bytes|^worker.terminate/, ITS_OWN_CONNECT],
    ],
  },
  disconnect: {
    hosts: 2,
    rules: [
      [/of a read-only node/, READ_ONLY],
      [
        /^bytes that outlive/,
        differs(/expected -?1 to equal \+0/, 'bytes of an emulated page are a private copy, which stays'),
      ],
    ],
  },
  handing: {
    hosts: 2,
    rules: [
      [/^reaches a slow|opened by another node|^shows who reads borrowed/, CACHE],
      [/^of another pool, or no/, differs(/expected 'UNSUPPORTED' to equal/, 'has not descriptors')],
      [/^is opened by a worker/, ITS_OWN_CONNECT],
      [/^shows who reads a page/, CHECKPOINTS],
    ],
  },
  lifecycle: {
    hosts: 3,
    rules: [
      [/^a draft that others undid/, INSIDE],
      [/^with SEALPOOL_DEBUG=copy/, SLOW],
      [/^whoever holds only/, NOT_EVICTED],
      [/^a sealed page may not be written/, { instead: scribble, why: 'bytes of an emulated page are a private copy' }],
      [/^an object of .* comes through whole/, SAME],
    ],
  },
  mappings: {
    hosts: 2,
    rules: [
      [/^disconnect gives|^a view that/, CACHE],
      [/^hundreds of/, ITS_OWN_CONNECT],
      [/^aligned buffers/, SAME],
    ],
  },
  memory: { hosts: 2, rules: [[/./, { instead: formats, why: 'of how `format` gets memory for a file' }]] },
  model: {
    hosts: 3,
    rules: [
      [/on 2 nodes under none/, differs(/^Property failed/, "a host learns late that another's room is free")],
      [/under none/, SLOW],
      [/./, EVICTION],
    ],
  },
  notify: {
    hosts: 4,
    rules: [
      [/^tells seals/, NOT_EVICTED],
      [/^a subscriber that does not read/, INSIDE],
      [/^a read-only node/, READ_ONLY],
      [/^keeps the order over|, seed [23]$|^three writing|^every writer killed|^killed subscribers|unrefed lets/, SLOW],
      [
        /^a stopped subscriber/,
        { instead: stopped, why: 'a host that is stopped holds up the logs of the others until its lease ends' },
      ],
    ],
  },
  open: {
    hosts: 6,
    rules: [
      [/^of six processes that open/, SLOW],
      [/^while somebody else/, ITS_OWN_FORMAT],
      [/^a node that attaches/, EVICTION],
      [/^a pool reached/, SLOW],
      [/./, SAME],
    ],
  },
  pins: {
    hosts: 3,
    rules: [
      [/^a page deleted while|never evicted/, NOT_EVICTED],
      [/^after release every/, CACHE],
      [/and node 1 releases first|^a key deleted and created again/, SLOW],
      [/^one node may pin 65,536/, { instead: pins, why: 'a host pins 4,096 pages at a time' }],
    ],
  },
  recovery: {
    hosts: 4,
    rules: [
      [/^survivors that do nothing/, INSIDE],
      [/^the last nodes die|^a process killed while it waits|^a process killed at a store|^a format killed/, CENSUS],
      [/^worker.terminate/, ITS_OWN_CONNECT],
      [/./, INSIDE],
    ],
  },
  space: {
    hosts: 2,
    rules: [
      ...EVICTED,
      [/^a pool filled/, OWN_REGION],
      [/^the largest object/, OWN_REGION],
      [
        /^maxObjects is kept/,
        differs(/expected 'nothing thrown' to equal 'POOL_FULL'/, 'maxObjects is what there is room for at least'),
      ],
    ],
  },
  users: { hosts: 2, rules: [[/./, SAME]] },
  wraps: { hosts: 2, rules: [[/./, CACHE]] },
};
