/** A process of a host, of which tests are told what it does, and which they end. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TieredStats, TierOptions } from '../../../adapters/valkey/index.js';
import { atEnd } from '../../cache/pools.js';

const program = fileURLToPath(new URL('./member.process.js', import.meta.url));

export class Member {
  readonly child: ChildProcess;
  private readonly waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  private readonly events: string[] = [];
  private made = 0;

  constructor(path: string, url: string, options: Partial<TierOptions>) {
    this.child = fork(program, [path, url, JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.child.on('message', (message: { id?: number; value?: unknown; error?: string; event?: string }) => {
      if (message.event !== undefined) this.events.push(message.event);
      const waiter = this.waiting.get(message.id ?? -1);
      if (message.error === undefined) waiter?.resolve(message.value);
      else waiter?.reject(new Error(message.error));
    });
  }

  private call<T>(operation: string, ...args: unknown[]): Promise<T> {
    const id = this.made++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.child.send({ id, operation, args });
    });
  }

  async told(event: string): Promise<void> {
    while (!this.events.includes(event)) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  fetch(key: string, value: string, delayMs?: number): Promise<string> {
    return this.call('fetch', key, value, delayMs);
  }
  borrow(key: string): Promise<string | undefined> {
    return this.call('borrow', key);
  }
  delete(key: string): Promise<void> {
    return this.call('delete', key);
  }
  stats(): Promise<TieredStats> {
    return this.call('stats');
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

/** Killed with the test. */
export async function startMember(path: string, url: string, options: Partial<TierOptions> = {}): Promise<Member> {
  const member = new Member(path, url, options);
  atEnd(() => member.kill());
  await member.told('ready');
  return member;
}
