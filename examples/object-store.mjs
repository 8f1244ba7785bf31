/**
 * An object store without a server: one process makes an object, another reads it where it lies.
 *
 *   npm run build && node examples/object-store.mjs
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { connect, destroy } from 'sealpool';

const COUNT = 1_000_000;

/** The first process: makes the pool, and in it a table of a million prices. */
async function writer(path) {
  const pool = await connect(path, { create: { size: '32MiB', pageSize: 65_536 } });

  // The bytes of a draft are memory of the pool: what is written there need not be copied, sent or serialized.
  const draft = pool.create('prices', COUNT * 8);
  const prices = new Float64Array(draft.bytes.buffer, draft.bytes.byteOffset, COUNT);
  for (let i = 0; i < COUNT; i++) prices[i] = i / 100;

  // Nobody sees a draft. From the seal on everybody does, and nobody can change it.
  console.log(`writer: before the seal the pool has 'prices': ${pool.has('prices')}`);
  const reader = fork(fileURLToPath(import.meta.url), ['reader', path]);
  const ended = once(reader, 'exit');
  draft.seal();

  // A key is made once. Whoever comes second is told so.
  console.log(`writer: a second put is accepted: ${pool.put('prices', new Uint8Array(8))}`);

  // The answer is an object as well.
  const answer = await pool.waitFor('total');
  console.log(`writer: ${Buffer.from(answer.metadata)} added up ${Buffer.from(answer.bytes)}`);
  answer.release();
  await ended;

  await pool.disconnect();
  await destroy(path);
}

/** The second process: another node of the same pool. */
async function reader(path) {
  const pool = await connect(path);
  const page = await pool.waitFor('prices', { timeoutMs: 60_000 });

  // A view of the one copy there is. It is good until release, even if the key is deleted meanwhile.
  const prices = new Float64Array(page.bytes.buffer, page.bytes.byteOffset, page.size / 8);
  const total = prices.reduce((sum, price) => sum + price, 0);
  console.log(`reader: read ${prices.length} prices in place`);
  page.release();

  pool.put('total', Buffer.from(total.toFixed(2)), { metadata: Buffer.from('the reader') });
  await pool.disconnect();
}

const [role = 'writer', path = `/dev/shm/sealpool-object-store-${process.pid}`] = process.argv.slice(2);
await (role === 'reader' ? reader(path) : writer(path));
