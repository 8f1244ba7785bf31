/** Redis or Valkey servers of our own, on loopback addresses, and what can go wrong with them. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { atEnd } from '../../cache/pools.js';

const START_TRIES = 200;

/** The program there is; undefined where none is. */
export const program = ['valkey-server', 'redis-server'].find(
  (name) => spawnSync(name, ['--version'], { encoding: 'utf8' }).status === 0,
);

if (program === undefined) console.log('No valkey-server or redis-server here: what needs one is not tested.');

/** The bus of a cluster is 10,000 above its port, and no port is above 65,535. */
const PORT_MAX = 55_000;

export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    if (port < PORT_MAX) return port;
  }
}

export class Server {
  readonly port: number;
  private readonly settings: string[];
  private child: ChildProcess | undefined;

  constructor(port: number, settings: string[]) {
    this.port = port;
    this.settings = settings;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const own = [
      '--repl-diskless-sync-delay',
      '0',
      '--port',
      String(this.port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
    ];
    this.child = spawn(program as string, [...own, ...this.settings], { stdio: 'ignore' });
    for (let tries = 0; tries < START_TRIES && this.child.exitCode === null; tries++) {
      if (this.cli('PING').trim() !== '') return;
      await delay(20);
    }
    throw new Error('The server does not start.');
  }

  /** Ends it at once, or does nothing. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.child?.kill(name);
  }

  /** An answer as text; '' where there is none. */
  cli(...words: string[]): string {
    return spawnSync('redis-cli', ['-p', String(this.port), ...words], { encoding: 'utf8' }).stdout;
  }
}

/** Ended with the test. */
export async function startServer(...settings: string[]): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'sealpool-tier-'));
  const server = new Server(await freePort(), ['--dir', folder, ...settings]);
  atEnd(async () => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await server.start();
  return server;
}
