/** A node on a worker thread: connects, says so, and disturbs the pool until it is terminated. */
import { parentPort, workerData } from 'node:worker_threads';
import { connect } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { disturb, type LoopOptions } from './loops.js';

const { path, options } = workerData as { path: string; options: LoopOptions };
const pool = (await connect(path)) as AttachedPool;
parentPort?.postMessage(pool.node.id);
await disturb(pool, options);
