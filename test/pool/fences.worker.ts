/** The frequent side of the litmus test: stores a round, then loads the other's, as a reader's hit does. */
import { workerData } from 'node:worker_threads';
import { Words } from '../../lib/words.js';
import { LITMUS } from './fences.words.js';

const { shared, rounds } = workerData as { shared: SharedArrayBuffer; rounds: number };
const words = new Words(shared as unknown as ArrayBuffer);

/** As in the product, the compiler is not told where the two words lie: it would keep the load's value otherwise. */
class Side {
  hazard: number = LITMUS.hazard;
  sequence: number = LITMUS.sequence;

  move(by: number): void {
    this.hazard += by;
    this.sequence += by;
  }

  hit(round: number): number {
    words.write(this.hazard, round);
    return words.loadAfterStore(this.sequence);
  }
}

const side = new Side();
side.move(1);
side.move(-1);
words.store(LITMUS.ready, 1);
for (let round = 1; round <= rounds && words.load(LITMUS.stop) === 0; ) {
  // A burst without any call that would drain the processor's store buffer.
  for (let end = Math.min(rounds, round + 1000); round <= end; round++) {
    words.write(LITMUS.log + round, side.hit(round));
    words.write(LITMUS.done, round);
  }
}
words.store(LITMUS.ready, 2);
