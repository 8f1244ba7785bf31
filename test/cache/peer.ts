/** A second process with a node and a cache of its own, which does what it is told over IPC. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { atEnd } from './pools.js';

/** What a loader in the peer does: wait, then give these bytes or throw; hang never ends. */
export interface LoadPlan {
  bytes?: Uint8Array;
  delayMs?: number;
  fail?: string;
  hang?: boolean;
  ttlMs?: number;
}
export interface Fetched {
  bytes?: Uint8Array;
  error?: string;
  loads: number;
}

interface Reply {
  id?: number;
  result?: unknown;
  error?: { message: string; code?: string };
  event?: string;
}

export class Peer {
  readonly process: ChildProcess;
  private nextId = 1;
  private readonly waiting = new Map<number, (reply: Reply) => void>();
  private readonly events: string[] = [];
  private readonly listeners: { event: string; resolve: () => void }[] = [];
  private readonly ended: Promise<void>;

  private constructor(path: string, options: { namespace?: string; env?: Record<string, string> }) {
    const script = fileURLToPath(new URL('./peer.process.js', import.meta.url));
    this.process = fork(script, [path, options.namespace ?? 'n'], {
      serialization: 'advanced',
      env: { ...process.env, ...options.env },
      execArgv: ['--enable-source-maps'],
    });
    this.ended = new Promise((resolve) => {
      this.process.once('exit', (code, signal) => {
        const message = `the peer ended with ${signal ?? code}`;
        for (const resolveWait of this.waiting.values()) resolveWait({ error: { message, code: 'PEER_ENDED' } });
        this.waiting.clear();
        resolve();
      });
    });
    this.process.on('message', (reply: Reply) => this.receive(reply));
    atEnd(() => this.kill());
  }

  static async start(path: string, options: { namespace?: string; env?: Record<string, string> } = {}): Promise<Peer> {
    const peer = new Peer(path, options);
    await peer.saw('ready');
    return peer;
  }

  private receive(reply: Reply): void {
    if (reply.event !== undefined) {
      const at = this.listeners.findIndex((listener) => listener.event === reply.event);
      if (at >= 0) this.listeners.splice(at, 1)[0]?.resolve();
      else this.events.push(reply.event);
      return;
    }
    this.waiting.get(reply.id as number)?.(reply);
    this.waiting.delete(reply.id as number);
  }

  /** Resolves at the event's next appearance that nobody has waited for yet. */
  saw(event: string): Promise<void> {
    const at = this.events.indexOf(event);
    if (at >= 0) {
      this.events.splice(at, 1);
      return Promise.resolve();
    }
    return new Promise((resolve) => this.listeners.push({ event, resolve }));
  }

  /** Runs an operation of the peer's script. Rejects with its error and code. */
  async call<T = unknown>(operation: string, ...args: unknown[]): Promise<T> {
    const id = this.nextId++;
    const reply = await new Promise<Reply>((resolve) => {
      this.waiting.set(id, resolve);
      this.process.send({ id, operation, args });
    });
    if (reply.error !== undefined) throw Object.assign(new Error(reply.error.message), { code: reply.error.code });
    return reply.result as T;
  }

  fetch(key: string, plan: LoadPlan): Promise<Fetched> {
    return this.call<Fetched>('fetch', key, plan);
  }

  /** kill -9, and the process is gone when this resolves. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}
