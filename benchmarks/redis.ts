/** A Redis server of our own on a private socket, and as much of its protocol as GET and SET take. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { scratchFolder } from './scratch.js';

const NOTHING = Buffer.alloc(0);
const START_TRIES = 100;

/** The version, or undefined where it is not installed. */
export function redisVersion(): string | undefined {
  const { status, stdout } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  return status === 0 ? (/v=(\S+)/.exec(stdout)?.[1] ?? 'unknown') : undefined;
}

interface Waiter {
  readonly resolve: (value: Buffer | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** Replies come in the order of the requests. Requests of one run of the event loop leave in one write. */
export class RedisClient {
  private readonly socket: Socket;
  private readonly waiters: Waiter[] = [];
  private answered = 0;
  private outgoing: Buffer[] = [];
  private rest: Buffer = NOTHING;
  /** A bulk reply under way: its bytes, and how many of them and of the line end after them are still to come. */
  private bulk: Buffer | undefined;
  private missing = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('Redis closed the connection.')));
  }

  get(key: string): Promise<Buffer | undefined> {
    return this.send(Buffer.from(`*2\r\n$3\r\nGET\r\n$${Buffer.byteLength(key)}\r\n${key}\r\n`));
  }

  async set(key: string, value: Uint8Array): Promise<void> {
    const head = `*3\r\n$3\r\nSET\r\n$${Buffer.byteLength(key)}\r\n${key}\r\n$${value.length}\r\n`;
    await this.send(Buffer.concat([Buffer.from(head), value, Buffer.from('\r\n')]));
  }

  close(): void {
    this.socket.removeAllListeners('close');
    this.socket.destroy();
  }

  private send(request: Buffer): Promise<Buffer | undefined> {
    if (this.outgoing.length === 0) process.nextTick(() => this.flush());
    this.outgoing.push(request);
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject });
    });
  }

  private flush(): void {
    const { outgoing } = this;
    this.outgoing = [];
    this.socket.write(outgoing.length === 1 ? (outgoing[0] as Buffer) : Buffer.concat(outgoing));
  }

  private fail(error: Error): void {
    for (const waiter of this.waiters.splice(0).slice(this.answered)) waiter.reject(error);
    this.answered = 0;
  }

  private answer(value: Buffer | undefined): void {
    this.waiters[this.answered++]?.resolve(value);
    if (this.answered < 1024 && this.answered < this.waiters.length) return;
    this.waiters.splice(0, this.answered);
    this.answered = 0;
  }

  private receive(received: Buffer): void {
    const chunk = this.rest.length === 0 ? received : Buffer.concat([this.rest, received]);
    this.rest = NOTHING;
    for (let at = 0; at < chunk.length; ) {
      if (this.bulk !== undefined) {
        at = this.fillBulk(this.bulk, chunk, at);
        continue;
      }
      const end = chunk.indexOf('\r\n', at);
      if (end < 0) {
        this.rest = chunk.subarray(at);
        return;
      }
      this.beginReply(chunk.toString('latin1', at, end));
      at = end + 2;
    }
  }

  private fillBulk(bulk: Buffer, chunk: Buffer, from: number): number {
    const taken = Math.min(this.missing, chunk.length - from);
    const filled = bulk.length + 2 - this.missing;
    if (filled < bulk.length) chunk.copy(bulk, filled, from, Math.min(from + taken, from + bulk.length - filled));
    this.missing -= taken;
    if (this.missing === 0) {
      this.bulk = undefined;
      this.answer(bulk);
    }
    return from + taken;
  }

  private beginReply(line: string): void {
    const length = Number(line.slice(1));
    if (line[0] === '$' && length >= 0) {
      this.bulk = Buffer.allocUnsafe(length);
      this.missing = length + 2;
    } else if (line[0] === '$' || line[0] === '+' || line[0] === ':') this.answer(undefined);
    else this.fail(new Error(`Redis answers: ${line}`));
  }
}

export interface RedisServer {
  /** Of its socket. */
  readonly path: string;
  readonly client: RedisClient;
  stop(): Promise<void>;
}

async function connectTo(path: string, server: ChildProcess): Promise<RedisClient> {
  for (let tries = 0; tries < START_TRIES && server.exitCode === null; tries++) {
    const socket = connectSocket(path);
    try {
      await once(socket, 'connect');
      return new RedisClient(socket);
    } catch {
      await delay(50);
    }
  }
  throw new Error('redis-server does not start.');
}

/** Keeps everything in memory and writes nothing to disk. */
export async function startRedis(): Promise<RedisServer> {
  const folder = scratchFolder(2 ** 20);
  const path = join(folder, 'redis.sock');
  const settings = ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', '', '--appendonly', 'no'];
  const server = spawn('redis-server', settings, { stdio: 'ignore' });
  const kill = () => server.kill('SIGKILL');
  process.once('exit', kill);
  const client = await connectTo(path, server);
  return {
    path,
    client,
    async stop() {
      client.close();
      process.off('exit', kill);
      const ended = once(server, 'exit');
      server.kill('SIGTERM');
      await ended;
    },
  };
}
