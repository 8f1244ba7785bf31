/** Writes to a pool until it is killed. Arguments: path and seed. Says when it has begun. */
import { writeSync } from 'node:fs';
import { connect, SharedCache } from '../../../src/index.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { Chance } from '../../support/chance.js';
import { makePage } from '../../support/pages.js';
import { act, type Hand, keyOf } from '../hostile/acts.js';

const [path = '', seed = '1'] = process.argv.slice(2);
const create = { size: '2MiB', pageSize: 512, maxObjects: 2048, maxNodes: 8 };
const pool = (await connect(path, { create })) as AttachedPool;
const cache = new SharedCache(pool, { namespace: 'writer' });
const pages = cache.pages('table', { pageSize: 512 });
const hand: Hand = { path, pool, chance: new Chance(Number(seed)), cache, pages, held: [], drafts: [], version: 1 };
pool.get(keyOf(1));
for (let i = 0; i < 300; i++) await act(hand);
writeSync(1, 'begun\n');
for (;;) {
  const key = keyOf(hand.chance.below(200));
  cache.set(key, makePage(key, hand.version++, 100 + hand.chance.below(2000)));
  if (hand.version % 7 === 0) cache.delete(keyOf(hand.chance.below(200)));
  if (hand.version % 97 === 0) await new Promise((resolve) => setImmediate(resolve));
}
