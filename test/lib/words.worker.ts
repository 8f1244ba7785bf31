/** One thread of the words test: it waits for the start word and then does its share of one job. */
import { parentPort, workerData } from 'node:worker_threads';
import { Words } from '../../lib/words.js';
import { COUNTER, LOCK, type Share, START, TALLY } from './words.layout.js';

const share = workerData as Share;
const words = new Words(share.buffer as unknown as ArrayBuffer);

const jobs: Record<Share['job'], () => void> = {
  add: () => void words.add(COUNTER, 1),
  // The counter is plain: only the lock keeps two threads from reading the same value.
  lock: () => {
    while (words.compareExchange(LOCK, 0, share.thread) !== 0);
    words.write(COUNTER, words.read(COUNTER) + 1);
    words.store(LOCK, 0);
  },
  // Each value put in is taken out by exactly one thread, so what is taken, and what is left, sum to what was put.
  exchange: () => void words.add(TALLY, words.exchange(COUNTER, 1)),
};

parentPort?.postMessage('ready');
while (words.load(START) === 0);
for (let i = 0; i < share.times; i++) jobs[share.job]();
