/** Nodes of a pool that do nothing: `node attach.holder.js PATH`. On each message it connects until there are as many as that says. */
import { connect, type Pool } from '../src/index.js';

const nodes: Pool[] = [];

async function holdMore(path: string, count: number): Promise<void> {
  while (nodes.length < count) nodes.push(await connect(path, { nearEntries: 0 }));
}

const [, , path = ''] = process.argv;
if (process.send !== undefined) {
  process.on('message', (count: number) => void holdMore(path, count).then(() => process.send?.('held')));
  process.once('disconnect', () => void Promise.all(nodes.map((node) => node.disconnect())));
}
