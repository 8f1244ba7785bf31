/** The other side of a lying thread: orders it, over words that both share. */
import { Worker } from 'node:worker_threads';
import type { Geometry } from '../../../src/pool/layout/geometry.js';
import type { LyingThread, Scene } from './stage.js';

/** Words of the desk between the two. */
export const LIAR = { order: 0, scene: 1, seed: 2, lies: 3, done: 4, forged: 5, words: 8 } as const;

export interface LiarData {
  readonly desk: Int32Array;
  readonly pools: readonly { readonly path: string; readonly geometry: Geometry }[];
  readonly logPath: string;
}

const PATIENCE_MS = 180_000;

/** `logPath`: where the lies of the round under way are told, for when its process does not survive them. */
export async function startLiar(scenes: readonly Scene[], logPath: string): Promise<LyingThread> {
  const desk = new Int32Array(new SharedArrayBuffer(LIAR.words * 4));
  const workerData: LiarData = { desk, pools: scenes.map(({ path, geometry }) => ({ path, geometry })), logPath };
  const worker = new Worker(new URL('./liar.worker.js', import.meta.url), { workerData });
  worker.unref();
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  let order = 0;
  return {
    begin(scene, seed, lies) {
      desk[LIAR.scene] = scene;
      desk[LIAR.seed] = seed;
      desk[LIAR.lies] = lies;
      Atomics.store(desk, LIAR.forged, 0);
      Atomics.store(desk, LIAR.order, ++order);
      Atomics.notify(desk, LIAR.order);
    },
    get hasForged() {
      return Atomics.load(desk, LIAR.forged) !== 0;
    },
    end() {
      const end = performance.now() + PATIENCE_MS;
      while (Atomics.load(desk, LIAR.done) !== order) {
        Atomics.wait(desk, LIAR.done, order - 1, 100);
        if (performance.now() > end) throw new Error('the lying thread does not come to an end');
      }
      return desk[LIAR.lies] as number;
    },
  };
}
