/** A connection that goes wrong as it is told: between a client and a server, on a port of its own. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import { atEnd } from '../../cache/pools.js';

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** Pieces of replies that are late. */
  readonly late: Buffer[];
}

export class Relay {
  /** Where new connections lead. */
  targetPort: number;
  /** Nothing passes any more, and nobody is told: neither end is closed. */
  isHeld = false;
  /** Each piece of a reply comes so much later. */
  delayMs = 0;
  /** After so many bytes more of replies every connection is cut. */
  cutAfter = Number.POSITIVE_INFINITY;
  private readonly pairs = new Set<Pair>();
  private readonly server: NetServer;

  constructor(targetPort: number) {
    this.targetPort = targetPort;
    this.server = createServer((near) => this.accept(near));
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  private accept(near: Socket): void {
    const far = connect(this.targetPort, '127.0.0.1');
    const pair: Pair = { near, far, late: [] };
    this.pairs.add(pair);
    const end = () => {
      near.destroy();
      far.destroy();
      this.pairs.delete(pair);
    };
    near.on('data', (bytes) => {
      if (!this.isHeld) far.write(bytes);
    });
    far.on('data', (bytes) => this.reply(pair, bytes));
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', end);
    }
  }

  private reply({ near, late }: Pair, bytes: Buffer): void {
    if (this.isHeld) return;
    if (bytes.length >= this.cutAfter && late.length === 0) {
      near.write(bytes.subarray(0, this.cutAfter), () => this.cut());
      this.cutAfter = Number.POSITIVE_INFINITY;
      return;
    }
    this.cutAfter -= bytes.length;
    if (this.delayMs === 0 && late.length === 0) {
      near.write(bytes);
      return;
    }
    // Each time one is due the first goes: they keep their order.
    late.push(bytes);
    setTimeout(() => near.write(late.shift() as Buffer), this.delayMs);
  }

  /** Ends every connection there is. */
  cut(): void {
    for (const { near, far } of this.pairs) {
      near.destroy();
      far.destroy();
    }
  }

  close(): void {
    this.server.close();
    this.cut();
  }
}

/** Closed with the test. */
export async function startRelay(targetPort: number): Promise<Relay> {
  const relay = new Relay(targetPort);
  await relay.listen();
  atEnd(() => relay.close());
  return relay;
}
