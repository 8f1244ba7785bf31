/** Stands for a network in the benchmark `tier`: `node tier.relay.js FROM TO`, sockets. What comes at one end leaves at the other some time later. */
import { connect, createServer, type Socket } from 'node:net';
import { RELAY_MS } from './tier.pages.js';

const [from, to] = process.argv.slice(2) as [string, string];

function pass(near: Socket, far: Socket): void {
  const late: Buffer[] = [];
  near.on('data', (bytes) => {
    late.push(bytes);
    setTimeout(() => far.write(late.shift() as Buffer), RELAY_MS);
  });
  near.on('error', () => {});
  near.on('close', () => far.destroy());
}

createServer((near) => {
  const far = connect(to);
  pass(near, far);
  pass(far, near);
}).listen(from, () => process.send?.('ready'));
process.once('disconnect', () => process.exit(0));
