/** `node holder.js PATH KEY`: a process that puts a page, takes a lock and a draft, says so, and waits for its end. */
import { connect } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/index.js';

const [, , path = '', key = ''] = process.argv;
const pool = (await connect(path)) as AttachedPool;
pool.put(key, new Uint8Array(100).fill(9));
pool.create(`${key} in the making`, 100);
const { locks, calls } = pool.session.parts;
calls.settle = undefined;
locks.tryAcquire(0);
process.send?.('ready');
setInterval(() => {}, 1000);
