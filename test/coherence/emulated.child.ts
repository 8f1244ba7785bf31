/** A process that plays one host of a device, emulated or of real lines, told what to do over IPC. */
import { openSync, statSync } from 'node:fs';
import { PoolError } from '../../lib/errors.js';
import { CacheLines, Mapping, yieldProcessor } from '../../lib/linux/index.js';
import { Words } from '../../lib/words.js';
import { Arbiter } from '../../src/coherence/arbiter.js';
import { EmulatedLines } from '../../src/coherence/emulated.js';
import type { CoherenceHost } from '../../src/coherence/host.js';
import { formatDevice, Joining } from '../../src/coherence/joining.js';
import { ARBITER, type Shape } from '../../src/coherence/layout.js';
import type { Lines } from '../../src/coherence/lines.js';
import { MappedLines } from '../../src/coherence/mapped.js';
import { Chance } from '../support/chance.js';
import { contentOf } from './emulated.content.js';

export interface Told {
  readonly id: number;
  readonly name: keyof typeof commands;
  readonly parameters: readonly unknown[];
}

/** A process that finds no processor for as long is taken for dead, and the test fails: so it is long. */
const LEASE_MS = 5000;
const BEAT_MS = 40;

let lines: Lines;
let host: CoherenceHost;
let arbiter: Arbiter | undefined;
const declared: number[] = [];

function upkeep(): void {
  try {
    host.beat();
    declared.push(...(arbiter?.judge() ?? []));
    host.forget();
    host.reclaim();
  } catch (error) {
    if (!(error instanceof PoolError)) throw error;
  }
}

const ORDINARY = new Set(['KEY_EXISTS', 'BUSY', 'POOL_FULL']);

/** One call by chance; the content of what it finds is checked. Returns what it was. */
function actOnce(chance: Chance): string {
  const key = `shared ${chance.below(6)}`;
  const what = chance.below(4);
  if (what === 0) {
    const bytes = contentOf(key, chance.word());
    host.sealDraft(host.createDraft(key, bytes.length), bytes);
    return 'sealed';
  }
  if (what === 1) return host.deletePage(key) ? 'deleted' : 'not there';
  const page = host.findPage(key);
  if (page === undefined) return 'not there';
  const bytes = host.copyPage(page);
  host.releasePage(page);
  const value = new Int32Array(bytes.buffer)[0] as number;
  if (Buffer.compare(contentOf(key, value), bytes) !== 0) throw new Error(`wrong bytes under ${key}`);
  return page.entry.host === host.parts.members.self ? 'got own' : 'got of another';
}

const commands = {
  open(path: string, seed: number, kind: 'emulated' | 'real'): number {
    const mapping = new Mapping(openSync(path, 'r+'), 0, statSync(path).size, true);
    const chance = new Chance(seed);
    lines =
      kind === 'real'
        ? new MappedLines(mapping.buffer, new CacheLines(mapping))
        : new EmulatedLines(new Words(mapping.buffer), { chance: () => chance.fraction() });
    return lines.lineCount;
  },
  format(shape: Shape): void {
    formatDevice(lines, shape, { low: 11, high: 22 });
  },
  join(number: number): number {
    const surroundings = { elapsedMs: () => performance.now(), pause: yieldProcessor };
    host = new Joining(lines, surroundings, { host: number, waitMs: 2000 }).join();
    if (number === ARBITER) arbiter = new Arbiter(host, { leaseMs: LEASE_MS });
    setInterval(upkeep, BEAT_MS);
    return host.incarnation;
  },
  put(key: string, value: number): void {
    const bytes = contentOf(key, value);
    host.sealDraft(host.createDraft(key, bytes.length), bytes);
  },
  claim(key: string): void {
    host.createDraft(key, 100);
  },
  /** The value under the key, or undefined. */
  find(key: string): number | undefined {
    const page = host.findPage(key);
    if (page === undefined) return undefined;
    const bytes = host.copyPage(page);
    host.releasePage(page);
    const value = new Int32Array(bytes.buffer)[0] as number;
    if (Buffer.compare(contentOf(key, value), bytes) !== 0) throw new Error(`wrong bytes under ${key}`);
    return value;
  },
  declared(): number[] {
    return declared;
  },
  /** Calls by chance without a pause in between, for so long; what came of them, by name. */
  async storm(seed: number, durationMs: number): Promise<Record<string, number>> {
    const chance = new Chance(seed);
    const counts: Record<string, number> = {};
    const until = performance.now() + durationMs;
    while (performance.now() < until) {
      let what: string;
      try {
        what = actOnce(chance);
      } catch (error) {
        if (!(error instanceof PoolError) || !ORDINARY.has(error.code)) throw error;
        what = error.code;
      }
      counts[what] = (counts[what] ?? 0) + 1;
      if (chance.below(20) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return counts;
  },
};

process.on('message', async ({ id, name, parameters }: Told) => {
  try {
    const act = commands[name] as (...all: readonly unknown[]) => unknown;
    process.send?.({ id, value: await act(...parameters) });
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.({ id: 0 });
