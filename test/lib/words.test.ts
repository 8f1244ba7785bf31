import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { Words } from '../../lib/words.js';
import { COUNTER, type Share, START, TALLY } from './words.layout.js';

function wordsOf(count: number): Words {
  return new Words(new ArrayBuffer(count * 4));
}

/** Runs a job on several threads that start together, and returns the words they shared. */
async function race(job: Share['job'], threads: number, times: number): Promise<Words> {
  const buffer = new SharedArrayBuffer(256);
  // Words is written for plain buffers over a mapping; one over shared memory has the same methods.
  const words = new Words(buffer as unknown as ArrayBuffer);
  const workers = Array.from({ length: threads }, (_, index) => {
    const workerData: Share = { buffer, job, times, thread: index + 1 };
    return new Worker(new URL('./words.worker.js', import.meta.url), { workerData });
  });
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
  const ends = workers.map(
    (worker) => new Promise<void>((resolve, reject) => worker.once('error', reject).once('exit', () => resolve())),
  );
  words.store(START, 1);
  await Promise.all(ends);
  return words;
}

describe('Words', () => {
  it('counts whole words and leaves a rest of bytes alone', () => {
    expect(new Words(new ArrayBuffer(64)).length).to.equal(16);
    expect(new Words(new ArrayBuffer(67)).length).to.equal(16);
    expect(new Words(new ArrayBuffer(64), 32).length).to.equal(8);
    expect(new Words(new ArrayBuffer(64), 32, 10).length).to.equal(2);
  });

  it('sees the same bytes as another view at another offset', () => {
    const buffer = new ArrayBuffer(128);
    new Words(buffer, 64).store(2, 7);
    expect(new Words(buffer).load(18)).to.equal(7);
  });

  it('refuses an offset that is not of a whole word', () => {
    expect(() => new Words(new ArrayBuffer(64), 2)).to.throw(RangeError);
  });

  it('gives back the value before from exchange, add and compareExchange', () => {
    const words = wordsOf(1);
    expect(words.exchange(0, 5)).to.equal(0);
    expect(words.add(0, 3)).to.equal(5);
    expect(words.compareExchange(0, 8, 1)).to.equal(8);
    expect(words.load(0)).to.equal(1);
  });

  it('leaves the word alone when compareExchange expected another value', () => {
    const words = wordsOf(1);
    words.store(0, 4);
    expect(words.compareExchange(0, 3, 9)).to.equal(4);
    expect(words.load(0)).to.equal(4);
  });

  it('holds signed 32-bit integers, and wraps around', () => {
    const words = wordsOf(1);
    words.store(0, 0xffffffff);
    expect(words.load(0)).to.equal(-1);
    words.write(0, 0x7fffffff);
    expect(words.add(0, 1)).to.equal(0x7fffffff);
    expect(words.read(0)).to.equal(-0x80000000);
  });

  it('fills exactly the words it is told to', () => {
    const words = wordsOf(6);
    words.fill(1, 3, 9);
    expect(Array.from({ length: 6 }, (_, index) => words.read(index))).to.deep.equal([0, 9, 9, 9, 0, 0]);
  });

  it('copies out and in exactly the words it is told to', () => {
    const words = wordsOf(6);
    words.copyIn(1, Int32Array.of(7, 8, -9));
    expect(Array.from({ length: 6 }, (_, index) => words.read(index))).to.deep.equal([0, 7, 8, -9, 0, 0]);
    const target = new Int32Array(2);
    words.copyOut(2, target);
    expect([...target]).to.deep.equal([8, -9]);
    words.write(2, 1);
    expect([...target]).to.deep.equal([8, -9]);
  });

  it('refuses a copy that does not lie within, and changes nothing', () => {
    const words = wordsOf(2);
    expect(() => words.copyIn(1, Int32Array.of(1, 2))).to.throw(RangeError);
    expect([words.read(0), words.read(1)]).to.deep.equal([0, 0]);
  });

  it('throws at a synchronized access out of range and touches nothing', () => {
    const words = wordsOf(2);
    for (const index of [-1, 2]) {
      expect(() => words.load(index), `${index}`).to.throw(RangeError);
      expect(() => words.store(index, 1), `${index}`).to.throw(RangeError);
      expect(() => words.compareExchange(index, 0, 1), `${index}`).to.throw(RangeError);
    }
    expect([words.read(0), words.read(1)]).to.deep.equal([0, 0]);
  });
});

describe('Words between threads', () => {
  it('loses no addition', async () => {
    const words = await race('add', 3, 50_000);
    expect(words.load(COUNTER)).to.equal(150_000);
  });

  it('lets compareExchange admit one thread at a time, and the next see its plain writes', async () => {
    const words = await race('lock', 2, 20_000);
    expect(words.load(COUNTER)).to.equal(40_000);
  });

  it('hands each exchanged value to exactly one thread', async () => {
    const words = await race('exchange', 3, 50_000);
    expect(words.load(TALLY) + words.load(COUNTER)).to.equal(150_000);
  });
});
