/** What callers give as bytes, or have filled: refused or taken as it is, and nothing of it outside its object. */
import { execFileSync } from 'node:child_process';
import { constants, openSync, read, writeSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { SharedCache } from '../../src/index.js';
import type { Draft, Pool } from '../../src/pool/layout/types.js';
import { codeOf, pause, usePools } from '../support/pools.js';

const SMALL = { size: '1MiB', pageSize: 4096, maxNodes: 8 };
const PAGE_BYTES = 4096;

function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

type Resizable = ArrayBuffer & { resize(length: number): void };
function resizable(length: number, longest: number): Resizable {
  return new (ArrayBuffer as unknown as new (length: number, options: object) => Resizable)(length, {
    maxByteLength: longest,
  });
}

function shrunk(): Uint8Array {
  const buffer = resizable(16, 32);
  const bytes = new Uint8Array(buffer, 8, 8);
  buffer.resize(4);
  return bytes;
}

const noBytes: readonly [string, unknown][] = [
  ['a string', '12ab'],
  ['a number', 5],
  ['nothing', undefined],
  ['null', null],
  ['an array', [1, 2]],
  ['an array-like', { length: -5 }],
  ['a Uint16Array', Uint16Array.of(1, 300)],
  ['a Uint8ClampedArray', Uint8ClampedArray.of(1)],
  ['a Float64Array', Float64Array.of(1.5, 300)],
  ['a BigUint64Array', new BigUint64Array(2)],
  ['a DataView', new DataView(new ArrayBuffer(4))],
  ['an ArrayBuffer', new ArrayBuffer(4)],
  ['a SharedArrayBuffer', new SharedArrayBuffer(4)],
  ['what has only the prototype', Object.create(Uint8Array.prototype)],
  ['a proxy of one', new Proxy(new Uint8Array(4), {})],
  ['a function', () => new Uint8Array(4)],
  ['a promise', Promise.resolve(new Uint8Array(4))],
  ['one whose buffer was transferred', detached()],
  ['one beyond the end of its buffer', shrunk()],
];

/** Uint8Arrays that are, or say that they are, something else. Each holds 1, 2, 3, 4. */
class Liar extends Uint8Array {
  override get length(): number {
    return 2;
  }
  override get byteLength(): number {
    return 5000;
  }
  override get byteOffset(): number {
    return 1;
  }
}
const four = Uint8Array.of(1, 2, 3, 4);
const bytesOfAllKinds: readonly [string, () => Uint8Array][] = [
  ['a Buffer', () => Buffer.alloc(4, four)],
  ['one of another realm', () => runInNewContext('Uint8Array.of(1, 2, 3, 4)')],
  ['one over shared memory', () => new Uint8Array(new SharedArrayBuffer(4)).fill(0).map((_, i) => i + 1)],
  ['a subclass that lies about itself', () => new Liar(four)],
  [
    'one with a length of its own',
    () => Object.defineProperty(four.slice(), 'length', { value: 100_000 }) as Uint8Array,
  ],
  [
    'one that follows the length of its buffer',
    () => {
      const bytes = new Uint8Array(resizable(4, 1 << 20));
      bytes.set(four);
      return bytes;
    },
  ],
];

function take(pool: Pool, key: string): number[] | undefined {
  const page = pool.get(key);
  const bytes = page === undefined ? undefined : [...page.bytes];
  page?.release();
  return bytes;
}

describe('conformance: what is given as bytes', () => {
  const pools = usePools();

  it('what is no Uint8Array is OPTION_INVALID wherever bytes are taken, and nothing is changed or left', async () => {
    const pool = await pools.create(SMALL);
    const cache = new SharedCache(pool);
    const space = cache.pages('s', { pageSize: 8 });
    cache.set('old', four);
    space.put(1, new Uint8Array(8).fill(9));
    const before = pool.stats();
    for (const [what, value] of noBytes) {
      const bytes = value as Uint8Array;
      const writer = pool.checkpoint('c');
      const entries: Record<string, () => unknown> = {
        put: () => pool.put('k', bytes),
        set: () => cache.set('old', bytes),
        'space put': () => space.put(1, bytes),
        'checkpoint put': () => writer.put('part', bytes),
        'load of fetch': () => cache.fetch('k', () => bytes),
        target: () => cache.read('old', bytes),
        'target of a space': () => space.read(1, bytes),
        'target of readThrough': () => space.readThrough(1, bytes, () => undefined),
      };
      // Without one there is none.
      if (value !== undefined) {
        entries['metadata'] = () => pool.put('k', four, { metadata: bytes });
        entries['metadata of create'] = () => pool.create('k', 4, { metadata: bytes });
        entries['metadata of set'] = () => cache.set('old', four, { metadata: bytes });
        entries['metadata of commit'] = () => writer.commit(bytes);
        if (typeof value !== 'string') {
          entries['prefix'] = () => pool.list({ prefix: bytes });
          entries['prefix of subscribe'] = () => pool.subscribe({ prefix: bytes });
        }
      }
      // A promise is what a loader may give.
      if (value instanceof Promise) delete entries['load of fetch'];
      for (const [entry, call] of Object.entries(entries)) {
        expect(await codeOf(call), `${entry} of ${what}`).to.equal('OPTION_INVALID');
      }
      writer.abort();
    }
    expect([take(pool, '\u0000old'), [...(space.borrow(1) ?? [])]]).to.deep.equal([[1, 2, 3, 4], Array(8).fill(9)]);
    const { objects, drafts, pins } = pool.stats();
    expect({ objects, drafts, pins }).to.deep.equal({ objects: before.objects, drafts: 0, pins: 0 });
    expect(pool.put('k', four)).to.equal(true);
  });

  it('a Uint8Array of whatever realm and kind is taken as the bytes it has, not as what it says of itself', async () => {
    const pool = await pools.create(SMALL);
    const cache = new SharedCache(pool);
    const space = cache.pages('s', { pageSize: 4 });
    for (const [what, make] of bytesOfAllKinds) {
      expect(pool.put(what, make(), { metadata: make() }), what).to.equal(true);
      const page = pool.get(what);
      expect([...(page?.bytes ?? [])], what).to.deep.equal([1, 2, 3, 4]);
      expect([...(page?.metadata ?? [])], what).to.deep.equal([1, 2, 3, 4]);
      page?.release();
      cache.set('k', make());
      space.put(7, make());
      expect([[...(cache.borrow('k') ?? [])], [...(space.borrow(7) ?? [])]], what).to.deep.equal([
        [...four],
        [...four],
      ]);
      const loaded = await cache.fetch(`loaded ${what}`, make);
      expect([...loaded.bytes], what).to.deep.equal([1, 2, 3, 4]);
      loaded.release();
      const writer = pool.checkpoint('c');
      writer.put('part', make());
      writer.commit(make());
      const restored = pool.restore('c');
      expect([[...(restored?.get('part').bytes ?? [])], [...(restored?.metadata ?? [])]]).to.deep.equal([
        [...four],
        [...four],
      ]);
      restored?.release();
    }
  });

  it('keys of whatever realm and kind are the bytes they have', async () => {
    const pool = await pools.create(SMALL);
    expect(pool.put(four, Uint8Array.of(42))).to.equal(true);
    for (const [what, make] of bytesOfAllKinds) {
      const page = pool.get(make());
      expect(page?.bytes[0], what).to.equal(42);
      page?.release();
      expect([pool.has(make()), pool.put(make(), four)], what).to.deep.equal([true, false]);
    }
    for (const [what, value] of noBytes) {
      if (typeof value === 'string') continue;
      expect(await codeOf(() => pool.get(value as Uint8Array)), what).to.equal('KEY_INVALID');
      expect(await codeOf(() => pool.put(value as Uint8Array, four)), what).to.equal('KEY_INVALID');
    }
  });

  it('a target of whatever realm and kind takes the page if it has room for it, and nothing beyond its end', async () => {
    const pool = await pools.create(SMALL);
    const cache = new SharedCache(pool);
    cache.set('k', Uint8Array.of(5, 6, 7, 8));
    for (const [what, make] of bytesOfAllKinds) {
      const target = make();
      expect(cache.read('k', target), what).to.equal(4);
      expect([...Buffer.from(target.buffer).subarray(-4)], what).to.deep.equal([5, 6, 7, 8]);
      for (const offset of [1, -1, 0.5, Number.NaN]) {
        expect(await codeOf(() => cache.read('k', make(), offset)), `${what} ${offset}`).to.equal('OPTION_INVALID');
      }
    }
  });

  it('a buffer that grows or shrinks while the options are looked at is taken as it is afterwards', async () => {
    const pool = await pools.create(SMALL);
    for (const length of [0, 2, 5000]) {
      const buffer = resizable(4, 8192);
      const bytes = new Uint8Array(buffer).fill(3);
      const ttlMs = {
        get ttlMs() {
          buffer.resize(length);
          return 60_000;
        },
      };
      expect(pool.put(`to ${length}`, bytes, ttlMs)).to.equal(true);
      expect(take(pool, `to ${length}`)?.length).to.equal(length);
    }
  });

  it('an error between create and seal leaves no draft, and the key is free at once', async () => {
    const pool = await pools.create(SMALL);
    const cache = new SharedCache(pool);
    const { segment } = pool.session.parts;
    const write = segment.writeDraft.bind(segment);
    for (const call of [
      () => pool.put('k', four),
      () => cache.set('k', four),
      () => pool.checkpoint('c').put('p', four),
    ]) {
      segment.writeDraft = () => {
        throw new RangeError('in the middle');
      };
      expect(call).to.throw('in the middle');
      segment.writeDraft = write;
      expect(pool.stats().drafts).to.equal(0);
    }
    expect([pool.put('k', four), cache.set('k', four)]).to.deep.equal([true, true]);
  });
});

/** A read of the kernel's that does not end before something is written. */
class SlowSource {
  readonly descriptor: number;
  constructor(path: string) {
    execFileSync('mkfifo', [path]);
    this.descriptor = openSync(path, constants.O_RDWR);
  }
  readInto(target: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      read(this.descriptor, target, 0, target.length, null, (error, count) => (error ? reject(error) : resolve(count)));
    });
  }
  answer(value: number): void {
    writeSync(this.descriptor, Buffer.alloc(PAGE_BYTES, value));
  }
}

describe('conformance: drafts that something still writes to', () => {
  const pools = usePools();

  /** Everybody's pages after the draft, made by `end`, has ended while a read into it goes on. */
  async function pagesAfter(
    make: (pool: Pool) => Draft,
    end: (draft: Draft, pool: Pool) => void,
  ): Promise<Set<number>> {
    const pool = await pools.create(SMALL);
    const source = new SlowSource(`${pool.path}-source`);
    const draft = make(pool);
    draft.bytes.fill(1);
    const reading = source.readInto(draft.bytes);
    await pause(20);
    end(draft, pool);
    // As much as fits, so that somebody has the place the draft had.
    for (let i = 0; i < 400; i++) pool.put(`page-${i}`, new Uint8Array(PAGE_BYTES).fill(7));
    source.answer(99);
    await reading;
    const met = new Set<number>();
    for (const { key } of pool.list()) for (const byte of take(pool, key) ?? []) met.add(byte);
    const restored = pool.restore('c');
    for (const byte of restored?.get('part').bytes ?? []) met.add(byte);
    restored?.release();
    return met;
  }

  const inPool = (pool: Pool) => pool.create('draft', PAGE_BYTES, { retain: true });
  const inCheckpoint = (pool: Pool) => pool.checkpoint('c').create('part', PAGE_BYTES);

  it('a read under way when its draft is aborted reaches no page', async () => {
    expect([...(await pagesAfter(inPool, (draft) => draft.abort()))]).to.deep.equal([7]);
    expect([...(await pagesAfter(inCheckpoint, (draft) => draft[Symbol.dispose]()))]).to.deep.equal([7]);
  });

  it('a read under way when its draft is sealed changes nothing of the sealed page', async () => {
    expect([...(await pagesAfter(inPool, (draft) => draft.seal()))].sort()).to.deep.equal([1, 7]);
    let writer: ReturnType<Pool['checkpoint']> | undefined;
    const make = (pool: Pool) => {
      writer = pool.checkpoint('c');
      return writer.create('part', PAGE_BYTES);
    };
    expect([...(await pagesAfter(make, () => writer?.commit()))].sort()).to.deep.equal([1, 7]);
  });

  it('fill seals nothing by itself, and resolves when the filler has settled', async () => {
    const pool = await pools.create(SMALL);
    const draft = pool.create('k', 4);
    let settle = () => {};
    const filling = draft.fill(async (target) => {
      target.set(four);
      await new Promise<void>((resolve) => {
        settle = resolve;
      });
    });
    expect(await codeOf(() => draft.seal())).to.equal('NOT_FILLED');
    expect(await codeOf(() => draft.fill(() => {}))).to.equal('NOT_FILLED');
    settle();
    await filling;
    expect(take(pool, 'k')).to.equal(undefined);
    draft.seal();
    expect(take(pool, 'k')).to.deep.equal([1, 2, 3, 4]);
  });

  it('a filler that fails, or whose draft is aborted meanwhile, leaves no draft, and what it writes later reaches no page', async () => {
    const pool = await pools.create(SMALL);
    const writer = pool.checkpoint('c');
    for (const make of [() => pool.create('k', PAGE_BYTES), () => writer.create('part', PAGE_BYTES)]) {
      const source = new SlowSource(`${pools.path()}-source`);
      let reading: Promise<number> | undefined;
      const filling = make().fill((target) => {
        reading = source.readInto(target);
        return Promise.race([reading, pause(5).then(() => Promise.reject(new Error('timed out')))]);
      });
      expect(await filling.catch((error: Error) => error.message)).to.equal('timed out');
      expect(pool.stats().drafts).to.equal(0);
      expect(pool.put('k', new Uint8Array(PAGE_BYTES).fill(7))).to.equal(true);
      source.answer(99);
      await reading;
      expect(new Set(take(pool, 'k'))).to.deep.equal(new Set([7]));
      pool.delete('k');
      const draft = make();
      const refused = codeOf(() => draft.fill(() => pause(5)));
      draft.abort();
      expect(await refused).to.equal('NOT_OWNER');
      expect(pool.stats().drafts).to.equal(0);
    }
    expect(writer.commit().parts).to.equal(0);
  });

  it('a filler that says that it filled less than all aborts its draft: SHORT_LOAD', async () => {
    const pool = await pools.create(SMALL);
    for (const answer of [0, 3, { bytesRead: 0 }, { bytesRead: 3 }, Number.NaN]) {
      const short = codeOf(() => pool.create('k', 4).fill(async () => answer));
      expect(await short, JSON.stringify(answer)).to.equal('SHORT_LOAD');
    }
    for (const answer of [4, { bytesRead: 4 }, undefined, null, four, 'done', {}]) {
      const draft = pool.create('k', 4);
      await draft.fill(() => answer);
      draft.abort();
    }
    expect(pool.stats().drafts).to.equal(0);
  });

  it('a draft shows nothing of what lay in its place before, filled or not', async () => {
    const pool = await pools.create(SMALL);
    for (let i = 0; i < 150; i++) pool.put(`k${i}`, new Uint8Array(PAGE_BYTES).fill(99));
    for (let i = 0; i < 150; i++) pool.delete(`k${i}`);
    for (let i = 0; i < 100; i++) {
      const draft = pool.create(`k${i}`, PAGE_BYTES);
      if (i % 2 === 0) draft.bytes[0] = 0;
      draft.seal();
    }
    for (let i = 0; i < 100; i++) expect(new Set(take(pool, `k${i}`)), `${i}`).to.deep.equal(new Set([0]));
  });
});
