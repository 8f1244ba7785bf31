/**
 * Hosts of an emulated device that are processes, killed (SIGKILL) at random moments and started again. What each was told of its own
 * pages is held against what is there at the end: what was put is there, with its bytes; what was deleted is not; of what was under way either. All space
 * comes back when all is deleted.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ownFolder } from '../../lib/linux/index.js';
import { connect, type Pool } from '../../src/index.js';
import { Chance } from '../support/chance.js';
import { contentOf } from './emulated.content.js';
import type { Said } from './storm.child.js';

const PROGRAM = fileURLToPath(new URL('./storm.child.js', import.meta.url));
const HOSTS = 3;
const REST_MS = 60_000;

export interface SoftwareStormPlan {
  readonly seed: number;
  readonly kills: number;
  /** Between two kills, at most, in milliseconds. */
  readonly pauseMs: number;
}

export interface SoftwareStormReport {
  readonly emulation: string | undefined;
  readonly kills: number;
  readonly puts: number;
  readonly deletes: number;
  readonly looks: number;
  readonly problems: readonly string[];
}

interface Known {
  readonly value: number;
  isThere: boolean | 'either';
}

class StormHost {
  readonly host: number;
  readonly known = new Map<string, Known>();
  readonly counts = { puts: 0, deletes: 0, looks: 0 };
  problem: string | undefined;
  private child: ChildProcess | undefined;
  private lives = 0;

  constructor(host: number) {
    this.host = host;
  }

  async start(path: string, seed: number): Promise<void> {
    const parameters = [path, String(this.host), String(seed * 101 + this.lives++), String(this.known.size)];
    const child = fork(PROGRAM, parameters, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.child = child;
    let printed = '';
    child.stderr?.on('data', (data: Buffer) => {
      printed += data.toString();
    });
    await new Promise<void>((resolve) => {
      child.on('message', (said: Said) => {
        if (said.what === 'ready') resolve();
        else this.hear(said);
      });
      child.once('close', (code) => {
        if (code !== 0 && code !== null)
          this.problem ??= `host ${this.host} ended with ${code}: ${printed.slice(0, 1500)}`;
        resolve();
      });
    });
  }

  private hear({ what, key = '', value = 0 }: Said): void {
    const known = this.known.get(key);
    if (what === 'put') this.known.set(key, { value, isThere: 'either' });
    if (known !== undefined && what === 'putDone') known.isThere = true;
    if (known !== undefined && what === 'delete') known.isThere = 'either';
    if (known !== undefined && what === 'deleteDone') known.isThere = false;
    if (what === 'putDone') this.counts.puts++;
    if (what === 'deleteDone') this.counts.deletes++;
    if (what === 'got') this.counts.looks++;
  }

  private async end(act: (child: ChildProcess) => void): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    // What it said before its end arrives before that.
    const ended = new Promise((resolve) => child.once('close', resolve));
    act(child);
    await ended;
  }

  kill(): Promise<void> {
    return this.end((child) => child.kill('SIGKILL'));
  }

  leave(): Promise<void> {
    return this.end((child) => child.send('leave'));
  }
}

function judge(pool: Pool, known: ReadonlyMap<string, Known>, problems: string[]): void {
  for (const [key, { value, isThere }] of known) {
    const page = pool.get(key);
    if (isThere === true && page === undefined) problems.push(`${key} was put, and is missed`);
    if (isThere === false && page !== undefined) problems.push(`${key} was deleted, and is found`);
    if (page !== undefined && Buffer.compare(page.bytes, contentOf(key, value)) !== 0)
      problems.push(`${key} has other bytes`);
    page?.release();
  }
}

/** Takes the place of all hosts, one after another, and deletes everything. */
async function empty(path: string, problems: string[]): Promise<void> {
  const pools: Pool[] = [];
  for (let host = 0; host < HOSTS; host++) pools.push(await connect(path, { emulate: 'noncoherent', host }));
  const [pool] = pools as [Pool];
  for (const { key } of [...pool.list()]) pool.delete(key);
  const endMs = performance.now() + REST_MS;
  while (pool.stats().bytesUsed > 0 && performance.now() < endMs) await sleep(50);
  // What a host still has to free it knows itself.
  const left = () => pools.reduce((sum, one) => sum + one.stats().bytesUsed, 0);
  while (left() > 0 && performance.now() < endMs) await sleep(50);
  if (left() > 0) problems.push(`${left()} bytes stay in use when all is deleted`);
  for (const one of pools) await one.disconnect();
}

export async function runSoftwareStorm({ seed, kills, pauseMs }: SoftwareStormPlan): Promise<SoftwareStormReport> {
  const folder = ownFolder('/dev/shm', 'test');
  const path = join(folder, 'pool');
  const chance = new Chance(seed);
  const problems: string[] = [];
  const hosts = Array.from({ length: HOSTS }, (_, host) => new StormHost(host));
  try {
    const first = await connect(path, {
      emulate: 'noncoherent',
      create: { size: '2MiB', pageSize: 256, hosts: HOSTS },
    });
    const { emulation } = first.info;
    await first.disconnect();
    await Promise.all(hosts.map((host) => host.start(path, seed)));
    for (let kill = 0; kill < kills; kill++) {
      await sleep(chance.below(pauseMs));
      const host = chance.pick(hosts);
      await host.kill();
      await host.start(path, seed + kill + 1);
    }
    await sleep(pauseMs);
    for (const host of hosts) await host.leave();
    for (const host of hosts) if (host.problem !== undefined) problems.push(host.problem);
    const last = await connect(path, { emulate: 'noncoherent' });
    for (const { known } of hosts) judge(last, known, problems);
    await last.disconnect();
    await empty(path, problems);
    const sum = (name: 'puts' | 'deletes' | 'looks') => hosts.reduce((all, { counts }) => all + counts[name], 0);
    return { emulation, kills, puts: sum('puts'), deletes: sum('deletes'), looks: sum('looks'), problems };
  } finally {
    for (const host of hosts) await host.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}
