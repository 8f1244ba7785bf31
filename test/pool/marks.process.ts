/**
 * Connects and disconnects, while another thread overwrites what the kernel's list of robust futexes needs in the rows.
 * Arguments: path and milliseconds. Says how often it did, if it lives to say it.
 */
import { closeSync, openSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { Mapping } from '../../lib/linux/index.js';
import { Words } from '../../lib/words.js';
import { connect } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { Chance } from '../support/chance.js';

interface Target {
  readonly path: string;
  readonly size: number;
  readonly first: number;
  readonly words: number;
}

function overwrite({ path, size, first, words }: Target): never {
  const descriptor = openSync(path, 'r+');
  const target = new Words(new Mapping(descriptor, 0, size, true).buffer);
  closeSync(descriptor);
  const chance = new Chance(1);
  for (;;) {
    const word = first + chance.below(words);
    // Not the marks themselves: who is marked dead leaves, and that is another test.
    if (word % 16 !== first % 16) target.write(word, target.read(word) ^ (1 << chance.below(32)));
  }
}

async function main(path: string, durationMs: number): Promise<void> {
  const pool = (await connect(path)) as AttachedPool;
  const { geometry } = pool.session.parts;
  const { word, stride, count } = geometry.regions.nodeMarks;
  const target: Target = { path, size: geometry.size, first: word, words: stride * count };
  new Worker(new URL(import.meta.url), { workerData: target });
  const end = performance.now() + durationMs;
  let rounds = 0;
  for (; performance.now() < end; rounds++) await (await connect(path)).disconnect();
  console.log(`connected ${rounds} times`);
  process.exit(0);
}

if (isMainThread) await main(process.argv[2] ?? '', Number(process.argv[3]));
else overwrite(workerData as Target);
