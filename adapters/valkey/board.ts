/** Where the processes of a host keep the record of a channel: a namespace of the pool beside those of users. */
import { type Page, type Pool, SharedCache } from '../../src/index.js';
import { AttachedPool, noWriter } from '../../src/pool/index.js';
import type { Board } from './host.js';

export function boardOf(pool: Pool, name: string): Board {
  if (!(pool instanceof AttachedPool)) throw noWriter(pool, 'A tier');
  const records = new SharedCache(pool, { namespace: 'sealpool:tier' });
  const { nodes } = pool.session.parts;
  const processId = process.pid;
  let held: Page | undefined;
  return {
    row: nodes.self,
    processId,
    read: () => (pool.session.isOpen ? records.peek(name)?.slice() : undefined),
    write(bytes) {
      if (pool.session.isOpen) records.set(name, bytes);
      this.keep();
    },
    keep() {
      const before = held;
      held = pool.session.isOpen ? records.get(name) : undefined;
      before?.release();
    },
    isDead: (row, ofProcess) => (row === nodes.self ? ofProcess !== processId : nodes.isDead(row, false)),
    nowMs: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  };
}
