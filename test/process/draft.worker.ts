/** A node on a worker thread that fills a draft and seals it when it is told to. Tells what its bytes are, and what came of it. */
import { parentPort, workerData } from 'node:worker_threads';
import { alignedBuffer, isAligned } from '../../lib/linux/index.js';
import { connect } from '../../src/index.js';
import { fillContent } from '../support/content.js';

const { path, key, size, isTransferred } = workerData as {
  path: string;
  key: string;
  size: number;
  isTransferred: boolean;
};
const pool = await connect(path);
const draft = pool.create(key, size);
const { bytes } = draft;
fillContent(bytes, key, 7);
const scratch = alignedBuffer(size);
const describe = () => ({ buffer: bytes.buffer.byteLength, length: bytes.length });
parentPort?.postMessage({ ...describe(), scratch: isAligned(scratch) && scratch.length });
if (isTransferred) structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] });
parentPort?.once('message', async () => {
  let code = 'sealed';
  try {
    draft.seal();
  } catch (error) {
    code = (error as { code?: string }).code ?? String(error);
  }
  parentPort?.postMessage({ ...describe(), code });
  if (bytes.length > 0) bytes.fill(0);
  await pool.disconnect();
  parentPort?.close();
});
