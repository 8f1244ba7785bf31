/** What a node under test does with events: subscribes in the background, and makes events for others. */
import type { AttachedPool } from '../../src/pool/pool.js';
import { Chance } from '../support/chance.js';

const counts = { told: 0, missed: 0 };

export function subscribe(pool: AttachedPool): void {
  const subscription = pool.subscribe();
  void (async () => {
    for await (const event of subscription) {
      if (event.type === 'missed') counts.missed += event.count;
      else counts.told++;
    }
  })().catch(() => {});
}

export function told(): number {
  return counts.told;
}

export function toldAndMissed(): number {
  return counts.told + counts.missed;
}

/** Puts and deletes keys of the prefix at random; how many events that made. */
export async function churn(pool: AttachedPool, prefix: string, rounds: number, seed: number): Promise<number> {
  const chance = new Chance(seed);
  let events = 0;
  for (let i = 0; i < rounds; i++) {
    const key = `${prefix}${chance.below(200)}`;
    const isDone = chance.below(2) === 0 ? pool.put(key, new Uint8Array(chance.below(3000))) : pool.delete(key);
    if (isDone) events++;
    if (i % 100 === 0) await new Promise(setImmediate);
  }
  return events;
}

/** Waits in a loop for events that do not come, and for nothing else. */
export function endWhenIdle(pool: AttachedPool, isKept: boolean): void {
  const subscription = pool.subscribe();
  if (!isKept) subscription.unref();
  void subscription[Symbol.asyncIterator]().next();
  setTimeout(() => {
    process.removeAllListeners('disconnect');
    process.disconnect();
  }, 20);
}
