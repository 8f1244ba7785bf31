/** Tells lies into a pool that another thread works with, at moments of its own, and logs them for who looks at a crash. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Mapping } from '../../../lib/linux/index.js';
import { Words } from '../../../lib/words.js';
import { Chance } from '../../support/chance.js';
import { describeLie, Liar } from './lies.js';
import { LIAR, type LiarData } from './thread.js';

const { desk, pools, logPath } = workerData as LiarData;
/** Microseconds between two lies, at most. */
const PAUSE_MAX = 300;

const scenes = pools.map(({ path, geometry }) => {
  const descriptor = openSync(path, 'r+');
  const mapping = new Mapping(descriptor, 0, geometry.size, true);
  closeSync(descriptor);
  return { geometry, liar: new Liar(new Words(mapping.buffer), geometry) };
});
const log = openSync(logPath, 'w');
parentPort?.postMessage('ready');

function spin(microseconds: number): void {
  const end = performance.now() + microseconds / 1000;
  while (performance.now() < end);
}

for (let done = 0; ; ) {
  Atomics.wait(desk, LIAR.order, done);
  const order = Atomics.load(desk, LIAR.order);
  if (order === done) continue;
  const scene = scenes[desk[LIAR.scene] as number] as (typeof scenes)[number];
  const chance = new Chance((desk[LIAR.seed] as number) ^ 0x5a5a5a);
  ftruncateSync(log, 0);
  let at = 0;
  for (let left = desk[LIAR.lies] as number; left > 0; left--) {
    spin(chance.below(PAUSE_MAX));
    const lie = scene.liar.tell(chance);
    if (lie.forged === true) Atomics.store(desk, LIAR.forged, 1);
    at += writeSync(log, `${describeLie(lie, scene.geometry)}\n`, at);
  }
  done = order;
  Atomics.store(desk, LIAR.done, done);
  Atomics.notify(desk, LIAR.done);
}
