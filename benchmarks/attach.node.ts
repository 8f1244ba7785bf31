/**
 * A node that connects to a pool: `node attach.node.js PATH KEY`. Sends what its process's first connect and the later ones took,
 * how long they held up the event loop at a time, and how much memory the first one touched.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from '../src/index.js';

/** Of each object: small ones, so that what costs by the object shows. */
export const OBJECT_BYTES = 64;

export interface Attached {
  readonly firstMs: number;
  readonly firstHoldMs: number;
  readonly againMs: number;
  readonly againHoldMs: number;
  /** Mapped from files, the pool's among them. */
  readonly touchedBytes: number;
  /** Resident of the pool alone. */
  readonly poolBytes: number;
  /** Of those the process's share: what n processes have resident counts for each an nth. */
  readonly poolShareBytes: number;
  readonly privateBytes: number;
  /** Bytes of the key's page; 0 where there is none. */
  readonly found: number;
}

const AGAIN = 5;
/** A node's first connect leaves some of its work for the turns of the event loop that follow. */
const AFTERWARDS_MS = 400;

function residentBytes(...names: readonly string[]): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
  return names.reduce((sum, name) => sum + of(name), 0);
}

/** What of the file's mappings is resident, by the kernel's account of them. */
function mappedBytes(path: string): { resident: number; share: number } {
  const found = { resident: 0, share: 0 };
  let isOfPool = false;
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) isOfPool = line.endsWith(path);
    const [, name, kilobytes] = /^(Rss|Pss): +(\d+) kB$/.exec(line) ?? [];
    if (!isOfPool || name === undefined) continue;
    found[name === 'Rss' ? 'resident' : 'share'] += Number(kilobytes) * 1024;
  }
  return found;
}

/** How long the work took, and the longest time in which a timer of a millisecond did not come. */
async function watched<T>(
  work: () => Promise<T>,
  afterwardsMs = 0,
): Promise<{ result: T; ms: number; holdMs: number }> {
  await sleep(20);
  const startedMs = performance.now();
  let lastMs = startedMs;
  let holdMs = 0;
  const look = () => {
    const nowMs = performance.now();
    holdMs = Math.max(holdMs, nowMs - lastMs - 1);
    lastMs = nowMs;
  };
  const timer = setInterval(look, 1);
  const result = await work();
  const ms = performance.now() - startedMs;
  look();
  if (afterwardsMs > 0) await sleep(afterwardsMs);
  clearInterval(timer);
  return { result, ms, holdMs };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] as number;

async function main(path: string, key: string): Promise<void> {
  const FILES = ['RssShmem', 'RssFile'];
  const [touched, own] = [residentBytes(...FILES), residentBytes('RssAnon')];
  const first = await watched(() => connect(path), AFTERWARDS_MS);
  const touchedBytes = residentBytes(...FILES) - touched;
  const privateBytes = residentBytes('RssAnon') - own;
  const pool = mappedBytes(path);
  using page = first.result.get(key);
  const found = page?.size ?? 0;
  const again: { ms: number; holdMs: number }[] = [];
  for (let i = 0; i < AGAIN; i++) {
    const { result, ms, holdMs } = await watched(() => connect(path));
    again.push({ ms, holdMs });
    await result.disconnect();
  }
  const message: Attached = {
    firstMs: first.ms,
    firstHoldMs: first.holdMs,
    againMs: median(again.map(({ ms }) => ms)),
    againHoldMs: median(again.map(({ holdMs }) => holdMs)),
    touchedBytes,
    poolBytes: pool.resident,
    poolShareBytes: pool.share,
    privateBytes,
    found,
  };
  page?.release();
  await first.result.disconnect();
  process.send?.(message, () => process.disconnect());
}

/** In a process of its own. */
export async function attachOnce(path: string, key: string): Promise<Attached> {
  const child = fork(fileURLToPath(import.meta.url), [path, key], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let told: Attached | undefined;
  child.on('message', (message) => {
    told = message as Attached;
  });
  const [code] = await once(child, 'exit');
  if (code !== 0 || told === undefined) throw new Error(`A node that connects to ${path} ended with ${code}.`);
  return told;
}

const [, program, path = '', key = ''] = process.argv;
if (program === fileURLToPath(import.meta.url) && process.send !== undefined) await main(path, key);
