/** Orders of docs/ORDERINGS.md that neither the simulator nor the model breaks: here somebody looks at each access. */
import { expect } from 'chai';
import type { PoolError } from '../../lib/errors.js';
import type { Doorbells } from '../../lib/machine.js';
import type { Words } from '../../lib/words.js';
import { SharedCache } from '../../src/cache/index.js';
import { HazardHead } from '../../src/pool/layout/layout.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { MIB, usePools } from '../support/pools.js';

const SMALL = { size: 16 * MIB, pageSize: 2048, maxObjects: 2048, maxNodes: 4 } as const;
const WANTED = 5;
const OTHER = 7;

type Access = 'load' | 'store' | 'write' | 'add' | 'compareExchange';
const ACCESSES: readonly Access[] = ['load', 'store', 'write', 'add', 'compareExchange'];

/** Calls back before each access that the node makes to shared words, until `work` is through. */
function watching(words: Words, before: (index: number) => void, work: () => void): void {
  const open = words as unknown as Record<Access, (...args: number[]) => number>;
  for (const name of ACCESSES) {
    const method = open[name].bind(words);
    open[name] = (...args) => {
      before(args[0] as number);
      return method(...args);
    };
  }
  try {
    work();
  } finally {
    for (const name of ACCESSES) delete (open as Partial<typeof open>)[name];
  }
}

describe('an order', () => {
  const pools = usePools();

  async function makeTwo(): Promise<[AttachedPool, AttachedPool]> {
    const one = await pools.create(SMALL);
    return [one, await pools.connect(one.path)];
  }

  it('bell-1: whatever else is published while a node lies down to sleep, what it wants then rings it', async () => {
    const [publisher, sleeper] = await makeTwo();
    const { bells, words, nodes } = sleeper.session.parts;
    const others = publisher.session.parts.bells;
    const rung: number[] = [];
    (others.port as Doorbells).ring = (row) => rung.push(row) > 0;
    bells.want(WANTED);
    let last = 0;
    for (let at = 0; at <= last; at++) {
      let accesses = 0;
      const publish = () => {
        if (accesses++ !== at) return;
        others.noteTag(OTHER);
        others.flush();
      };
      watching(words, publish, () => bells.arm());
      last = accesses;
      rung.length = 0;
      others.noteTag(WANTED);
      others.flush();
      expect(rung, `something else was published before access ${at}`).to.deep.equal([nodes.self]);
      bells.disarm();
    }
    expect(last).to.be.at.least(3);
    bells.unwant(WANTED);
  });

  it('size-1: whenever a space is dropped and opened with another page size, it gets no page of the old one', async () => {
    const [one, other] = await makeTwo();
    const caches = [new SharedCache(one), new SharedCache(other)] as const;
    const { words, geometry } = one.session.parts;
    const { word, stride, count } = geometry.regions.locks;
    const isLock = (index: number) => index >= word && index < word + stride * count;
    let last = 0;
    for (let at = 0; at <= last; at++) {
      const name = `space-${at}`;
      const old = caches[0].pages(name, { pageSize: 64 });
      let accesses = 0;
      let isLocked = false;
      const change = (index: number) => {
        isLocked ||= isLock(index);
        if (isLocked || accesses++ !== at) return;
        caches[1].pages(name, { pageSize: 64 }).drop();
        caches[1].pages(name, { pageSize: 128 });
      };
      watching(words, change, () => {
        try {
          old.put(1, new Uint8Array(64));
        } catch (error) {
          expect((error as PoolError).code).to.equal('OPTION_INVALID');
        }
      });
      last = Math.max(last, accesses);
      if (at >= accesses) break;
      const found = caches[1].pages(name, { pageSize: 128 }).borrow(1);
      expect(found?.length, `dropped before access ${at}`).to.equal(undefined);
    }
    expect(last).to.be.at.least(2);
  });

  it('name-1: whenever the space of a dropped name is given to another, no page of the old name is left there', async () => {
    const [one, other] = await makeTwo();
    const caches = [new SharedCache(one), new SharedCache(other)] as const;
    const { words, geometry } = one.session.parts;
    const { word, stride, count } = geometry.regions.locks;
    const isLock = (index: number) => index >= word && index < word + stride * count;
    // The namespace, the name that is dropped, and those that fill up.
    for (let i = 2; i < geometry.spaces; i++) caches[1].pages(`filling ${i}`, { pageSize: 64 });
    let last = 0;
    for (let at = 0; at <= last; at++) {
      const old = caches[0].pages('mine', { pageSize: 64 });
      let accesses = 0;
      let isLocked = false;
      const change = (index: number) => {
        isLocked ||= isLock(index);
        if (isLocked || accesses++ !== at) return;
        caches[1].pages('mine', { pageSize: 64 }).drop();
        caches[1].pages(`theirs ${at}`, { pageSize: 64 });
      };
      watching(words, change, () => {
        try {
          old.put(1, new Uint8Array(64));
        } catch (error) {
          expect((error as PoolError).code).to.equal('TOO_MANY_SPACES');
        }
      });
      last = Math.max(last, accesses);
      if (at >= accesses) break;
      // Room for the name once more, without a drop of what has its place.
      caches[1].pages('filling 2', { pageSize: 64 }).drop();
      const again = caches[1].pages('mine', { pageSize: 64 });
      again.drop();
      expect(again.borrow(1), `given away before access ${at}`).to.equal(undefined);
      caches[1].pages(`theirs ${at}`, { pageSize: 64 }).drop();
      caches[1].pages('filling 2', { pageSize: 64 });
    }
    expect(last).to.be.at.least(3);
  });

  it('leave-1: when the file lock of a row is given up, its leaver has nothing more to do there', async () => {
    const [stays, leaver] = await makeTwo();
    stays.put('key', new Uint8Array(8));
    leaver.get('key');
    const { nodes, words, geometry } = leaver.session.parts;
    const { hazardHeads } = geometry.regions;
    const row = nodes.self;
    const borrowed = () => words.load(hazardHeads.word + row * hazardHeads.stride + HazardHead.word.borrowCount);
    let found: unknown;
    const letGo = nodes.letGo.bind(nodes);
    nodes.letGo = () => {
      found ??= { borrowed: borrowed(), isTaken: nodes.isTaken(row) };
      letGo();
    };
    await leaver.disconnect();
    expect(found).to.deep.equal({ borrowed: 0, isTaken: false });
  });
});
