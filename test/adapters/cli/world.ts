/** A world for the command line: workloads that answer at once by the name of the trace, and a pool in memory. */
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Api } from '../../../adapters/cli/api.js';
import type { WorkloadOptions, Workloads } from '../../../adapters/compare/index.js';
import { PoolError } from '../../../lib/errors.js';
import { ownFolder } from '../../../lib/linux/index.js';
import type { NodeInfo, ObjectInfo, Page, Pool, PoolReport } from '../../../src/pool/index.js';
import { sampleResult } from '../compare/sample.js';

/** What each trace name does. */
const behaviours: Record<string, (options: WorkloadOptions) => object | Promise<object>> = {
  good: () => ({}),
  second: () => ({}),
  recognised({ recognised, pageSize, format }) {
    const text = `format: ${format ?? 'arc-lis'}, 1,234 accesses to 567 pages of ${pageSize ?? 4096} bytes`;
    recognised?.(text);
    return { recognised: text, format: format ?? 'arc-lis', accesses: 1234, pages: 567, workingSet: 567 * 4096 };
  },
  failing: () => ({ checks: [{ text: 'Every page was right.', ok: false }] }),
  damaged() {
    throw new PoolError('POOL_CORRUPT', 'The pool at X is damaged.');
  },
  broken() {
    throw new TypeError('a defect of ours');
  },
  /** Runs until a signal ends it; the 'exit' handler stands for the drivers' killing of their children. */
  async endless({ progress }) {
    process.on('exit', () => process.stdout.write('exit handlers ran\n'));
    progress({ arm: 'shared', fraction: 0.5, text: 'running' });
    return await new Promise<object>((resolve) => setTimeout(() => resolve({}), 60_000));
  },
};

export const fakeWorkloads: Workloads = {
  trace: async () => async (file, options) => {
    const name = basename(file);
    const change = await behaviours[name]?.(options);
    options.progress({ arm: 'shared', fraction: 1, text: 'done' });
    return sampleResult({ workload: name, nodes: options.nodes, seed: options.seed, ...change });
  },
  sqlite: async () => async (options) => sampleResult({ workload: 'sqlite', seed: options.seed }),
  htap: async () => async (options) => sampleResult({ workload: 'htap', seed: options.seed }),
};

/** Files in a folder of their own, named after the behaviours. */
export function traceFolder(): { path(name: string): string; remove(): void } {
  const folder = ownFolder(tmpdir(), 'cli');
  for (const name of Object.keys(behaviours)) writeFileSync(join(folder, name), '');
  return { path: (name) => join(folder, name), remove: () => rmSync(folder, { recursive: true }) };
}

export function fakeNode(change: Partial<NodeInfo> = {}): NodeInfo {
  const connectedAt = new Date(0);
  return {
    id: 3,
    name: 'reader',
    pid: 77,
    bootId: 'b',
    state: 'alive',
    connectedAt,
    readOnly: true,
    pins: 2,
    pinnedBytes: 8192,
    drafts: 1,
    claims: 0,
    ...change,
  };
}

export function fakeReport(change: Partial<PoolReport> = {}): PoolReport {
  return {
    info: {
      path: '/dev/shm/p',
      poolId: 'id',
      size: 1 << 26,
      pageSize: 8192,
      maxObjects: 8000,
      maxNodes: 64,
      coherence: 'hardware',
      eviction: 's3-fifo',
      layout: '00c0ffee',
      createdAt: new Date(0),
    },
    ok: true,
    problems: [],
    stats: {
      ...{ bytesData: 1 << 26, bytesUsed: 1 << 20, bytesFree: 63 << 20, bytesMetadata: 4096 },
      ...{
        objects: 7,
        drafts: 0,
        limbo: 0,
        pins: 2,
        hits: 3,
        misses: 1,
        evictions: 0,
        checkpoints: 0,
        restores: 0,
        damaged: 0,
      },
    },
    nodes: [fakeNode()],
    ...change,
  };
}

/** The calls that the commands make, over a map; what was called is in `calls`. */
export class FakePool implements Api {
  readonly calls: unknown[][] = [];
  readonly objects = new Map<string, Uint8Array>();
  report: PoolReport = fakeReport();
  stale = { removed: ['a', 'b'], kept: ['c'] };
  connected = 0;

  async connect(...words: Parameters<Api['connect']>): Promise<Pool> {
    this.calls.push(['connect', ...words]);
    this.connected++;
    const name = (key: string | Uint8Array) => Buffer.from(key as string).toString('latin1');
    const { objects } = this;
    const pool = {
      get: (key: string) => {
        const bytes = objects.get(name(key));
        return bytes === undefined ? undefined : ({ copy: () => bytes, release: () => {} } as unknown as Page);
      },
      put: (key: string, bytes: Uint8Array) => !objects.has(name(key)) && Boolean(objects.set(name(key), bytes)),
      delete: (key: string) => objects.delete(name(key)),
      list: (options: { prefix?: string }) => this.list(options.prefix ?? ''),
      disconnect: async () => void this.connected--,
    };
    return pool as unknown as Pool;
  }

  async format(...words: Parameters<Api['format']>) {
    this.calls.push(['format', ...words]);
    return this.report.info;
  }

  async destroy(...words: Parameters<Api['destroy']>) {
    this.calls.push(['destroy', ...words]);
  }

  destroyStale(...words: Parameters<Api['destroyStale']>) {
    this.calls.push(['destroyStale', ...words]);
    return this.stale;
  }

  async inspect(path: string, options?: { trustUids?: number[] }): Promise<PoolReport> {
    if (options?.trustUids !== undefined) this.calls.push(['inspect', path, options]);
    if (path === 'absent') throw new PoolError('POOL_NOT_FOUND', 'There is no pool at absent.');
    return this.report;
  }

  private *list(prefix: string): IterableIterator<ObjectInfo> {
    for (const [key, bytes] of this.objects) {
      if (!key.startsWith(prefix)) continue;
      const keyBytes = new Uint8Array(Buffer.from(key, 'latin1'));
      yield { key, keyBytes, size: bytes.length, state: 'sealed', generation: 1, metadataSize: 0, retained: false };
    }
  }
}

export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const productMain = fileURLToPath(new URL('../../../adapters/cli/main.js', import.meta.url));
export const fakeMain = fileURLToPath(new URL('./fake-main.js', import.meta.url));

/** Runs a compiled main as a child. `onOutput` sees standard error as it comes. */
export function run(
  main: string,
  words: readonly string[],
  onOutput: (stderr: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Outcome> {
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
    onOutput(stderr, (signal) => child.kill(signal));
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}
