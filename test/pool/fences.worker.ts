/** The frequent side of the litmus test: stores a round, then loads the other's, as a reader's hit does. */
import { workerData } from 'node:worker_threads';
import { Words } from '../../lib/words.js';
import { LITMUS } from './fences.words.js';

const { shared, rounds } = workerData as { shared: SharedArrayBuffer; rounds: number };
const words = new Words(shared as unknown as ArrayBuffer);
words.store(LITMUS.ready, 1);
for (let round = 1; round <= rounds && words.load(LITMUS.stop) === 0; ) {
  // A burst without any call that would drain the processor's store buffer.
  for (let end = Math.min(rounds, round + 1000); round <= end; round++) {
    words.write(LITMUS.hazard, round);
    words.write(LITMUS.log + round, words.loadAfterStore(LITMUS.sequence));
    words.write(LITMUS.done, round);
  }
}
words.store(LITMUS.ready, 2);
