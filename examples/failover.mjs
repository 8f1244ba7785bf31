/**
 * Fail-over: a primary counts words and checkpoints its counts; it is killed, and a standby goes on where the last
 * checkpoint was.
 *
 *   npm run build && node examples/failover.mjs
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connect, destroy } from 'sealpool';

const PATH = `/dev/shm/sealpool-failover-${process.pid}`;
const WORDS = ['apple', 'pear', 'plum', 'fig'];

/** The stream: the n-th word, the same for whoever asks. */
const wordAt = (n) => WORDS[(n * 7 + (n >> 3)) % WORDS.length];

/** Counts from `position` on, in place. */
function count(counts, position, end) {
  for (let n = position; n < end; n++) counts[WORDS.indexOf(wordAt(n))]++;
}

/** The first process: counts, and commits what it has after every 10,000 words. */
async function primary(path) {
  const pool = await connect(path, { name: 'primary' });
  const counts = new Float64Array(WORDS.length);
  for (let position = 0; ; position += 10_000) {
    count(counts, position, position + 10_000);
    const writer = pool.checkpoint('counts');
    // The dictionary never changes: it is stored once, and carried over without being copied.
    if (!writer.reuse('words')) writer.put('words', Buffer.from(JSON.stringify(WORDS)));
    writer.put('counts', new Uint8Array(counts.buffer));
    // All or nothing. The metadata says where in the stream this checkpoint is.
    writer.commit(Buffer.from(String(position + 10_000)));
    if (position === 50_000) process.send('running');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The second process: waits for the death of the first, and takes over. */
async function standby() {
  const pool = await connect(PATH, { name: 'standby', create: { size: '8MiB' } });
  const child = fork(fileURLToPath(import.meta.url), ['primary', PATH]);
  await new Promise((resolve) => child.once('message', resolve));
  const isAlive = () => pool.nodes().some(({ name, state }) => name === 'primary' && state === 'alive');

  child.kill('SIGKILL');
  while (isAlive()) await new Promise((resolve) => setTimeout(resolve, 1));

  const last = pool.restore('counts');
  const position = Number(Buffer.from(last.metadata));
  const page = last.get('counts');
  // Copied, because this process is going to count on. To answer from it, it could be read where it lies.
  const counts = new Float64Array(page.copy().buffer);
  page.release();
  console.log(`standby: took over checkpoint ${last.sequence} of ${last.parts().join(' and ')}`);
  last.release();

  // Nothing was lost but what came after the checkpoint, and the stream still has that.
  count(counts, position, position + 5_000);
  const expected = new Float64Array(WORDS.length);
  count(expected, 0, position + 5_000);
  const isRight = counts.every((value, i) => value === expected[i]);
  console.log(`standby: the counts are ${isRight ? 'those of an uninterrupted run' : 'WRONG'}`);

  // From here on the name is the standby's: had the primary only been stopped, its next commit would be refused.
  const writer = pool.checkpoint('counts');
  writer.reuse('words');
  writer.put('counts', new Uint8Array(counts.buffer));
  console.log(`standby: committed ${writer.commit(Buffer.from(String(position + 5_000))).sequence > last.sequence}`);
  await pool.disconnect();
  await destroy(PATH);
  process.exitCode = isRight ? 0 : 1;
}

if (process.argv[2] === 'primary') await primary(process.argv[3]);
else await standby();
