/** A node on a worker thread that stores pages without ever letting the event loop turn: terminated in whatever it does. */
import { parentPort, workerData } from 'node:worker_threads';
import { connect, SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { contentOf, fillContent, random } from '../support/content.js';

const { path, seed } = workerData as { path: string; seed: number };
const pool = (await connect(path)) as AttachedPool;
const cache = new SharedCache(pool);
const below = random(seed);
parentPort?.postMessage(pool.node.id);
for (let round = 0; ; round++) {
  const key = `page-${below(50)}`;
  const bytes = contentOf(key, round, 16 + below(4000));
  const way = below(8);
  if (way < 3) cache.set(key, bytes);
  else if (way === 3) pool.put(key, bytes);
  else if (way === 4) pool.delete(key);
  else if (way < 6) cache.get(key)?.release();
  else {
    const own = `draft-${seed}-${below(50)}`;
    pool.delete(own);
    const draft = pool.create(own, bytes.length);
    fillContent(draft.bytes, own, round);
    if (way === 6) draft.seal();
    else draft.abort();
  }
}
