/**
 * Owns the child processes of one arm: starts them, lets them go together, collects their results.
 *
 * (N1) Never waits for a child that ended, nor longer than STALL_LIMIT_MS for a silent one: the run fails and says which.
 * (N2) No child outlives the run: on any failure all are killed, and a child ends by itself when its parent is gone.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { NodeResult, Report } from './messages.js';

const READER = fileURLToPath(new URL('./reader.js', import.meta.url));
const STALL_LIMIT_MS = 180_000;
const ERROR_TEXT_MAX = 2_000;

export interface RunOptions {
  /** Shown in errors. */
  readonly label: string;
  readonly progress: (fraction: number, text: string) => void;
  readonly signal?: AbortSignal;
  readonly stallLimitMs?: number;
  /** The module that the children run. Default: the reader of the sqlite workload. */
  readonly program?: string;
  /** Given the process id of each child, and the other end of its descriptor 4. */
  readonly started?: (processId: number, socket: Duplex) => void;
  /** Called before all are let go. */
  readonly ready?: () => void;
  /** Of several, the last is let go when the others have done this share of their work, 0 to 1. Default: with them. */
  readonly lateUntil?: number | undefined;
}

export interface RunResult<Result = NodeResult | undefined> {
  readonly results: readonly Result[];
  /** From the moment all were ready, milliseconds. */
  readonly elapsedMs: number;
}

interface Member {
  readonly child: ChildProcess;
  ready: boolean;
  wentOff: boolean;
  done: boolean;
  fraction: number;
  errorText: string;
  result: unknown;
}

export async function runNodes<Result = NodeResult | undefined>(
  tasks: readonly object[],
  options: RunOptions,
): Promise<RunResult<Result>> {
  options.signal?.throwIfAborted();
  const members = tasks.map(() => start(options));
  const killAll = (): void => {
    for (const { child } of members) child.kill('SIGKILL');
  };
  process.on('exit', killAll);
  try {
    const run = await new Promise<RunResult<unknown>>((resolve, reject) =>
      conduct(members, tasks, options, resolve, reject),
    );
    return run as RunResult<Result>;
  } finally {
    process.off('exit', killAll);
    killAll();
    // A killed child holds its mappings until it is reaped: the pool file is removed only after that.
    await Promise.all(members.map(({ child }) => ended(child)));
  }
}

function start({ program = READER, started }: RunOptions): Member {
  const child = fork(program, { stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'], execArgv: [] });
  if (child.pid !== undefined) started?.(child.pid, child.stdio[4] as unknown as Duplex);
  return { child, ready: false, wentOff: false, done: false, fraction: 0, errorText: '', result: undefined };
}

function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

function conduct(
  members: readonly Member[],
  tasks: readonly object[],
  options: RunOptions,
  resolve: (result: RunResult<unknown>) => void,
  reject: (error: Error) => void,
): void {
  let wentAt = 0;
  let watchdog: NodeJS.Timeout | undefined;
  let finished = false;
  const limitMs = options.stallLimitMs ?? STALL_LIMIT_MS;
  const finish = (act: () => void): void => {
    finished = true;
    clearTimeout(watchdog);
    options.signal?.removeEventListener('abort', onAbort);
    act();
  };
  const fail = (index: number, text: string): void =>
    finish(() => reject(new Error(`${options.label}: node ${index} ${text}`)));
  const onAbort = (): void => finish(() => reject(options.signal!.reason as Error));
  const rearm = (): void => {
    clearTimeout(watchdog);
    const silent = members.findIndex((member) => !member.done);
    watchdog = setTimeout(() => fail(silent, `and all others were silent for ${limitMs / 1000} s`), limitMs);
  };
  const receive = (index: number, report: Report): void => {
    if (finished) return;
    const member = members[index]!;
    rearm();
    if (report.type === 'failed') {
      fail(index, `failed: ${report.message}`);
    } else if (report.type === 'ready') {
      member.ready = true;
      if (!members.every(({ ready }) => ready)) return;
      options.ready?.();
      wentAt = performance.now();
      letGo(members, options.lateUntil);
    } else if (report.type === 'progress') {
      member.fraction = report.fraction;
      if (member.wentOff) letGo(members, options.lateUntil);
      const fraction = members.reduce((sum, each) => sum + each.fraction, 0) / members.length;
      options.progress(fraction, members.length > 1 ? `node ${index}: ${report.text}` : report.text);
    } else {
      member.done = true;
      member.result = report.result;
      if (!members.every(({ done }) => done)) return;
      const elapsedMs = performance.now() - wentAt;
      finish(() => resolve({ results: members.map(({ result }) => result), elapsedMs }));
    }
  };
  options.signal?.addEventListener('abort', onAbort);
  rearm();
  for (const [index, member] of members.entries()) {
    const { child } = member;
    child.stderr!.on('data', (chunk: Buffer) => {
      member.errorText = (member.errorText + chunk.toString()).slice(-ERROR_TEXT_MAX);
    });
    child.on('message', (message) => receive(index, message as Report));
    child.on('error', (error) => fail(index, `could not be run: ${error.message}`));
    // 'close' comes after the last message and the last of stderr.
    child.on('close', (code, signal) => {
      if (!member.done) fail(index, `ended early (${signal ?? `exit code ${code}`}). ${member.errorText}`.trimEnd());
    });
    child.send(tasks[index]!, ignore);
  }
}

/** All who have not gone, but for one that is to come late and whose time has not come. */
function letGo(members: readonly Member[], lateUntil = 0): void {
  const others = members.slice(0, -1);
  const done = others.reduce((sum, { fraction }) => sum + fraction, 0);
  for (const member of members) {
    if (member.wentOff || (member === members.at(-1) && done < lateUntil * others.length)) continue;
    member.wentOff = true;
    member.child.send({ go: true }, ignore);
  }
}

/** A send to a child that died fails here too; its 'close' says so better. */
function ignore(): void {}
