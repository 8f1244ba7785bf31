/** Pages given to somebody else: a stream, another thread, another process. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, get as request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { SharedCache } from '../../src/index.js';
import type { Page } from '../../src/pool/layout/types.js';
import { checkContent, contentOf } from '../support/content.js';
import { codeOf, pause, settle, usePools } from '../support/pools.js';

const SMALL = { size: '4MiB', pageSize: 4096, maxNodes: 8 };

describe('conformance: a page as a stream', () => {
  const pools = usePools();
  const SIZES = [0, 1, 65_536, 65_537, 400_000];

  it('gives its bytes, in private copies, and lets the page go with the last of them', async () => {
    const pool = await pools.create(SMALL);
    for (const size of SIZES) {
      pool.put('k', contentOf('k', 3, size));
      const chunks: Uint8Array[] = [];
      for await (const chunk of (pool.get('k') as Page).readable() as unknown as AsyncIterable<Uint8Array>) {
        chunks.push(chunk);
      }
      expect(pool.stats().pins, `${size}`).to.equal(0);
      for (const chunk of chunks) expect(chunk.buffer.byteLength).to.equal(chunk.length);
      expect(Buffer.compare(Buffer.concat(chunks), contentOf('k', 3, size)), `${size}`).to.equal(0);
      pool.delete('k');
    }
  });

  it('copies nothing that is not asked for, and is let go by cancel, by break and by destroy', async () => {
    const pool = await pools.create(SMALL);
    pool.put('k', new Uint8Array(400_000));
    const stream = () => (pool.get('k') as Page).readable();
    const untouched = stream();
    await pause(1);
    expect(pool.stats().pins).to.equal(1);
    await untouched.cancel();
    for await (const chunk of stream() as unknown as AsyncIterable<Uint8Array>) if (chunk.length > 0) break;
    const readable = Readable.fromWeb(stream() as never);
    readable.read(1);
    readable.destroy();
    await once(readable, 'close');
    expect(pool.stats().pins).to.equal(0);
  });

  it('of a page that is released meanwhile ends with RELEASED, not with other bytes', async () => {
    const pool = await pools.create(SMALL);
    pool.put('k', new Uint8Array(400_000));
    const page = pool.get('k') as Page;
    const reader = page.readable().getReader();
    await reader.read();
    page.release();
    expect(await codeOf(() => reader.read())).to.equal('RELEASED');
    expect(await codeOf(() => page.readable())).to.equal('RELEASED');
  });

  it('reaches a slow client whole, whatever becomes of the page meanwhile', async () => {
    const pool = await pools.create(SMALL);
    const cache = new SharedCache(pool);
    const size = 600_000;
    const server = createServer((_, response) => {
      void cache
        .fetch('k', () => contentOf('k', 5, size))
        .then((page) => pipeline(page.readable() as never, response))
        .catch(() => response.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const [answer] = (await once(request({ port, host: '127.0.0.1' }), 'response')) as [IncomingMessage];
      const chunks: Buffer[] = [];
      let round = 0;
      for await (const chunk of answer) {
        chunks.push(chunk);
        // Others have the place as soon as it is anybody's.
        cache.set('k', new Uint8Array(size).fill(round));
        for (let i = 0; i < 6; i++) pool.put(`other ${round++}`, new Uint8Array(size / 2).fill(255));
        if (round < 60) await pause(1);
      }
      const got = Buffer.concat(chunks);
      expect([got.length, checkContent(got, 'k')]).to.deep.equal([size, 5]);
      await pause(1);
      expect(pool.stats().pins).to.equal(0);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});

describe('conformance: a page described to others', () => {
  const pools = usePools();

  it('is opened by another node without a copy, the very page, superseded or not, while the first holds it', async () => {
    const pool = await pools.create(SMALL);
    const cache = new SharedCache(pool);
    const other = await pools.connect(pool.path);
    const readOnly = await pools.connect(pool.path, { readOnly: true });
    cache.set('k', contentOf('k', 1, 5000), { metadata: Uint8Array.of(9) });
    const page = cache.get('k') as Page;
    const descriptor = structuredClone(page.descriptor()) as string;
    for (const change of [() => {}, () => cache.set('k', contentOf('k', 2, 5000)), () => cache.delete('k')]) {
      change();
      for (const node of [pool, other, readOnly]) {
        const opened = node.open(descriptor);
        expect(opened && checkContent(opened.bytes, 'k')).to.equal(1);
        expect([...(opened?.metadata ?? [])]).to.deep.equal([9]);
        expect([opened?.key, opened?.generation]).to.deep.equal(['\u0000k', page.generation]);
        opened?.release();
      }
    }
    const held = other.open(descriptor);
    page.release();
    await settle(pool);
    expect(held && checkContent(held.bytes, 'k')).to.equal(1);
    held?.release();
    await settle(pool);
    for (const node of [pool, other, readOnly]) expect(node.open(descriptor)).to.equal(undefined);
    // The place is somebody else's.
    for (let i = 0; i < 300; i++) pool.put(`k${i}`, new Uint8Array(5000));
    for (const node of [pool, other, readOnly]) expect(node.open(descriptor)).to.equal(undefined);
    expect(pool.stats().pins).to.equal(0);
  });

  it('of another pool, or no descriptor, is OPTION_INVALID; of a released page there is none', async () => {
    const pool = await pools.create(SMALL);
    const another = await pools.create(SMALL);
    for (const each of [pool, another]) each.put('k', new Uint8Array(10));
    const page = pool.get('k') as Page;
    const descriptor = page.descriptor() as string;
    expect(await codeOf(() => another.open(descriptor))).to.equal('OPTION_INVALID');
    const [, , id] = descriptor.split(':');
    const wrong = [
      '',
      'k',
      `sealpool:1:${id}:1`,
      `sealpool:1:${id}:99999999:1`,
      `sealpool:1:${id}:-1:1`,
      `${descriptor}\n`,
    ];
    for (const text of [...wrong, undefined, 5, {}]) {
      expect(await codeOf(() => pool.open(text as string)), `${text}`).to.equal('OPTION_INVALID');
    }
    page.release();
    expect(await codeOf(() => page.descriptor())).to.equal('RELEASED');
    const unshared = await new SharedCache(pool).fetch('large', () => new Uint8Array(8 << 20));
    expect(unshared.descriptor()).to.equal(undefined);
  });

  it('is opened by a worker thread that was posted the descriptor', async () => {
    const pool = await pools.create(SMALL);
    pool.put('k', contentOf('k', 4, 100_000));
    const page = pool.get('k') as Page;
    const library = JSON.stringify(new URL('../../src/index.js', import.meta.url).href);
    const program = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(${library}).then(async ({ connect }) => {
        const pool = await connect(workerData.path);
        const page = pool.open(workerData.descriptor);
        const copy = page.copy();
        page.release();
        await pool.disconnect();
        parentPort.postMessage(copy, [copy.buffer]);
      });`;
    const workerData = { path: pool.path, descriptor: page.descriptor() };
    const worker = new Worker(program, { eval: true, workerData });
    // Of a worker that has ended by then, both come in one turn.
    const ended = once(worker, 'exit');
    const [copy] = (await once(worker, 'message')) as [Uint8Array];
    await ended;
    expect([copy.length, checkContent(copy, 'k')]).to.deep.equal([100_000, 4]);
    page.release();
  });
});

describe('SEALPOOL_DEBUG=poison', () => {
  const pools = usePools();
  const before = process.env['SEALPOOL_DEBUG'];
  beforeEach(() => {
    process.env['SEALPOOL_DEBUG'] = 'poison';
  });
  afterEach(() => {
    if (before === undefined) delete process.env['SEALPOOL_DEBUG'];
    else process.env['SEALPOOL_DEBUG'] = before;
  });
  const poisoned = (bytes: Uint8Array) => bytes.every((byte) => byte === 0xdb);

  it('shows who reads a page after its release: each release overwrites its own copy, and no other', async () => {
    const pool = await pools.create(SMALL);
    pool.put('k', contentOf('k', 1, 5000), { metadata: contentOf('m', 2, 300) });
    const writer = pool.checkpoint('c');
    writer.put('part', contentOf('part', 6, 900));
    writer.commit();
    const restored = pool.restore('c');
    const pages = [pool.get('k'), pool.get('k'), await pool.waitFor('k'), pool.open(pool.get('k')?.descriptor() ?? '')];
    for (const page of [...pages]) {
      await pause(1);
      const { bytes, metadata } = page as Page;
      expect([checkContent(bytes, 'k'), checkContent(metadata, 'm')]).to.deep.equal([1, 2]);
      page?.release();
      expect([poisoned(bytes), poisoned(metadata)]).to.deep.equal([true, true]);
    }
    for (let i = 0; i < 2; i++) {
      const part = restored?.get('part') as Page;
      expect(checkContent(part.bytes, 'part')).to.equal(6);
      part.release();
    }
    expect(pool.get('k')?.copy().length).to.equal(5000);
  });

  it('shows who reads borrowed bytes after the run that borrowed them', async () => {
    const pool = await pools.create(SMALL);
    const cache = new SharedCache(pool);
    const space = cache.pages('s', { pageSize: 500 });
    cache.set('k', contentOf('k', 1, 500));
    const borrowed = [cache.borrow('k'), cache.peek('k'), space.fetchSync(1, (_, target) => target.fill(7))];
    expect(borrowed.map((bytes) => poisoned(bytes as Uint8Array))).to.deep.equal([false, false, false]);
    const page = await cache.fetch('k', () => new Uint8Array(1));
    expect(borrowed.map((bytes) => poisoned(bytes as Uint8Array))).to.deep.equal([true, true, true]);
    expect(checkContent(page.bytes, 'k')).to.equal(1);
    page.release();
  });
});
