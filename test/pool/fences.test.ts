import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { fenceEverybody, ownFolder, registerForFences } from '../../lib/linux/index.js';
import { Words } from '../../lib/words.js';
import { type AttachedPool, connect } from '../../src/pool/index.js';
import { LITMUS } from './fences.words.js';

const ROUNDS = 8_000_000;
const canShare = process.arch === 'x64' && registerForFences();

/** Rounds in which neither side saw the other: the reader's sequence was old, and so was the hazard that was scanned. */
async function missesOf(fence: () => void): Promise<{ misses: number; scans: number }> {
  const shared = new SharedArrayBuffer((LITMUS.log + ROUNDS + 2) * 4);
  const words = new Words(shared as unknown as ArrayBuffer);
  const worker = new Worker(new URL('./fences.worker.js', import.meta.url), { workerData: { shared, rounds: ROUNDS } });
  while (words.load(LITMUS.ready) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const scans: [sequence: number, hazard: number][] = [];
  for (let sequence = 1; sequence <= 200_000 && words.load(LITMUS.ready) === 1; sequence++) {
    words.write(LITMUS.sequence, sequence);
    fence();
    scans.push([sequence, words.read(LITMUS.hazard)]);
  }
  words.store(LITMUS.stop, 1);
  await new Promise((resolve) => worker.once('exit', resolve));
  const last = words.read(LITMUS.done);
  let misses = 0;
  for (const [sequence, hazard] of scans) {
    // The reader's next round was not seen by the scan: then it must have seen the sequence.
    if (hazard < last && words.read(LITMUS.log + hazard + 1) < sequence) misses++;
  }
  return { misses, scans: scans.length };
}

describe('shared fences', () => {
  let folder: string;
  let path: string;
  const pools: AttachedPool[] = [];
  const attach = async () => {
    const pool = (await connect(path, { create: { size: '4MiB' } })) as AttachedPool;
    pools.push(pool);
    return pool;
  };
  beforeEach(() => {
    folder = ownFolder(tmpdir(), 'fences');
    path = join(folder, 'pool');
  });
  afterEach(async () => {
    delete process.env['SEALPOOL_FENCES'];
    for (const pool of pools.splice(0)) await pool.disconnect();
    rmSync(folder, { recursive: true, force: true });
  });

  it('a reader with a plain hazard store and a scan behind a fence of everybody: one of the two sees the other', async function () {
    this.timeout(60_000);
    const { misses, scans } = await missesOf(canShare ? () => fenceEverybody() : () => {});
    expect(scans).to.be.greaterThan(100);
    if (canShare) expect(misses).to.equal(0);
  });

  it('the first node to attach decides, and a later one that may share follows it', async () => {
    process.env['SEALPOOL_FENCES'] = 'own';
    const first = await attach();
    delete process.env['SEALPOOL_FENCES'];
    const second = await attach();
    expect([first, second].map((pool) => pool.session.reader.hazards.isLight)).to.deep.equal([false, false]);
    first.put('key', new Uint8Array(100).fill(7));
    expect(second.get('key')?.bytes[99]).to.equal(7);
  });

  it('a node that may not share is refused while nodes are attached that do, and decides once it is alone', async () => {
    const first = await attach();
    expect(first.session.reader.hazards.isLight).to.equal(canShare);
    process.env['SEALPOOL_FENCES'] = 'own';
    if (canShare) expect(await attach().catch((error) => error.code)).to.equal('UNSUPPORTED');
    await pools.splice(0)[0]?.disconnect();
    const alone = await attach();
    expect(alone.session.reader.hazards.isLight).to.equal(false);
    for (let i = 0; i < 2000; i++) alone.put(`key-${i}`, new Uint8Array(8192));
    expect(alone.stats().evictions).to.be.greaterThan(0);
  });
});
