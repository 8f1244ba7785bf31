/**
 * replay-driver: one arm of the comparison in real processes, one per node.
 *
 * (D1) It settles: with the reports of all nodes, or with a ReplayError naming the first node that failed, died or
 *      stood still, after every child was killed.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MappedBoard } from '../../../lib/linux/index.js';
import {
  accessesPerPosition,
  type FromNode,
  type NodeConfig,
  type NodeReport,
  runFiles,
  type ToNode,
} from './replay-protocol.js';
import type { RunScope } from './run-scope.js';

export class ReplayError extends Error {
  override readonly name = 'ReplayError';
  readonly arm: string;
  readonly node: number;

  constructor(arm: string, node: number, reason: string) {
    super(`Replay of ${arm}: node ${node} ${reason}.`);
    this.arm = arm;
    this.node = node;
  }
}

export interface ReplayHooks {
  /** 0..1 of the trace. */
  readonly progress: (fraction: number) => void;
  /** The processes, once all have opened their caches. */
  readonly started?: ((processes: readonly number[]) => void) | undefined;
  /** Without any progress for this long the run fails. Default 60,000. */
  readonly stallMs?: number | undefined;
}

export interface ReplayOutcome {
  readonly reports: readonly NodeReport[];
  /** From the start of the replay to the last node's end; opening the caches and measuring them are not in it. */
  readonly elapsedMs: number;
}

const WORKER = fileURLToPath(new URL('./replay-worker.js', import.meta.url));
const POLL_MS = 200;
const STALL_MS = 60_000;
const ERROR_TEXT_MAX = 2000;

/** `configs` are the nodes 0..n-1 of one arm; `requests` is the length of the trace. */
export function runReplay(
  configs: readonly NodeConfig[],
  requests: number,
  scope: RunScope,
  hooks: ReplayHooks,
): Promise<ReplayOutcome> {
  return new Promise((resolve, reject) => {
    new ReplayRun(configs, requests, scope, hooks, { resolve, reject }).begin();
  });
}

/** Throws ReplayError when any node was served a page that is not the page it asked for. */
export function refuseWrongPages(arm: string, reports: readonly NodeReport[]): void {
  for (const [node, { wrongPages, firstWrongId }] of reports.entries()) {
    if (wrongPages === 0) continue;
    throw new ReplayError(arm, node, `was served ${wrongPages} wrong pages, the first for page id ${firstWrongId}`);
  }
}

class ReplayRun {
  private readonly arm: string;
  private readonly configs: readonly NodeConfig[];
  private readonly requests: number;
  /** Accesses for each position on the board. */
  private readonly scale: number;
  private readonly scope: RunScope;
  private readonly hooks: ReplayHooks;
  private readonly settle: { resolve: (outcome: ReplayOutcome) => void; reject: (error: Error) => void };
  private readonly board: MappedBoard;
  private readonly children: ChildProcess[] = [];
  private readonly errorTexts: string[];
  private readonly reports: (NodeReport | undefined)[];
  private timer: NodeJS.Timeout | undefined;
  private settled = false;
  private readyCount = 0;
  private finishedCount = 0;
  private exitCount = 0;
  private startedAt = 0;
  private elapsedMs = 0;
  private lastAdvance = 0;
  private lastAdvanceAt = performance.now();

  constructor(
    configs: readonly NodeConfig[],
    requests: number,
    scope: RunScope,
    hooks: ReplayHooks,
    settle: { resolve: (outcome: ReplayOutcome) => void; reject: (error: Error) => void },
  ) {
    const { arm, directory } = configs[0]!;
    this.arm = arm;
    this.configs = configs;
    this.requests = requests;
    this.scale = accessesPerPosition(requests);
    this.scope = scope;
    this.hooks = hooks;
    this.settle = settle;
    this.errorTexts = configs.map(() => '');
    this.reports = configs.map(() => undefined);
    const board = join(directory, runFiles.board);
    rmSync(board, { force: true });
    this.board = new MappedBoard(board, configs.length);
  }

  begin(): void {
    for (const config of this.configs) this.spawn(config);
    this.timer = setInterval(() => this.poll(), POLL_MS);
  }

  private spawn(config: NodeConfig): void {
    const { node } = config;
    const child = fork(WORKER, [], {
      serialization: 'advanced',
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.scope.adopt(child);
    this.children.push(child);
    child.stderr!.on('data', (chunk: Buffer) => {
      this.errorTexts[node] = (this.errorTexts[node]! + chunk.toString()).slice(-ERROR_TEXT_MAX);
    });
    child.on('message', (message) => this.hear(node, message as FromNode));
    child.on('error', (error) => this.fail(node, `could not run (${error.message})`));
    // After close its standard error was read to the end, which is where an uncaught error says its reason.
    child.on('close', (code, signal) => this.ended(node, code, signal));
    this.tell(child, { type: 'configure', config });
  }

  private tell(child: ChildProcess, message: ToNode): void {
    // A child that is gone is reported by its close event.
    child.send(message, () => {});
  }

  private hear(node: number, message: FromNode): void {
    if (message.type === 'failed') this.fail(node, `failed: ${message.reason}`);
    else if (message.type === 'ready') this.ready();
    else if (message.type === 'finished') this.finished();
    else this.reports[node] = message.report;
  }

  private ready(): void {
    this.readyCount += 1;
    if (this.readyCount < this.configs.length || this.settled) return;
    this.hooks.started?.(this.children.map((child) => child.pid!));
    this.startedAt = performance.now();
    for (const child of this.children) this.tell(child, { type: 'start' });
  }

  private finished(): void {
    this.finishedCount += 1;
    if (this.finishedCount < this.configs.length) return;
    this.elapsedMs = performance.now() - this.startedAt;
    for (const child of this.children) this.tell(child, { type: 'measure' });
  }

  private ended(node: number, code: number | null, signal: NodeJS.Signals | null): void {
    this.exitCount += 1;
    if (this.reports[node] === undefined) {
      const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
      const text = this.errorTexts[node]!.trim();
      this.fail(node, text === '' ? how : `${how}: ${text}`);
    }
    if (this.exitCount < this.configs.length || this.settled) return;
    this.end();
    this.settle.resolve({ reports: this.reports as NodeReport[], elapsedMs: this.elapsedMs });
  }

  /** Both the positions and the counts of nodes in each phase only grow, so their sum stands still only when all do. */
  private poll(): void {
    const position = this.board.minimum();
    const phase = this.readyCount + this.finishedCount + this.exitCount;
    if (position + phase !== this.lastAdvance) {
      this.lastAdvance = position + phase;
      this.lastAdvanceAt = performance.now();
    }
    this.hooks.progress(Math.min(1, (position * this.scale) / this.requests));
    if (performance.now() - this.lastAdvanceAt < (this.hooks.stallMs ?? STALL_MS)) return;
    const slowest = this.configs.findIndex((_, node) => this.board.position(node) === position);
    this.fail(slowest, `stood still at access ${position * this.scale} of ${this.requests}`);
  }

  private fail(node: number, reason: string): void {
    if (this.settled) return;
    this.end();
    this.scope.killChildren();
    this.settle.reject(new ReplayError(this.arm, node, reason));
  }

  private end(): void {
    this.settled = true;
    clearInterval(this.timer);
    this.board.close();
  }
}
