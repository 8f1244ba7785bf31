/** A node on a worker thread that fills a draft step by step, as it is told. Tells what its bytes are. */
import { parentPort, workerData } from 'node:worker_threads';
import { connect } from '../../src/index.js';
import { fillContent } from '../support/content.js';

const { path, key, size } = workerData as { path: string; key: string; size: number };
const pool = await connect(path);
const draft = pool.create(key, size);
const { bytes } = draft;
fillContent(bytes, key, 7);
parentPort?.postMessage({ buffer: bytes.buffer.byteLength, length: bytes.length });
parentPort?.once('message', async () => {
  draft.seal();
  parentPort?.postMessage({ buffer: bytes.buffer.byteLength, length: bytes.length });
  bytes.fill(0);
  await pool.disconnect();
  parentPort?.close();
});
