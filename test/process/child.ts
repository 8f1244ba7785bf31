/** Nodes that are processes of their own, driven over IPC. All of them are killed when their claim is through. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { PoolError, type PoolErrorCode } from '../../src/index.js';
import { type Mode, modeOfLoad } from '../support/mode.js';
import type { Commands } from './main.js';

const PROGRAM = fileURLToPath(new URL('./main.js', import.meta.url));

type Result<K extends keyof Commands> = Awaited<ReturnType<Commands[K]>>;

interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly code?: PoolErrorCode; readonly message: string; readonly stack: string };
}

interface Waiting {
  readonly name: string;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

export class NodeProcess {
  private readonly process: ChildProcess;
  private readonly waiting = new Map<number, Waiting>();
  private readonly output: Buffer[] = [];
  private calls = 0;
  /** How the process ended: the signal's name or the exit code. */
  readonly ended: Promise<string>;

  /** `launcher`: a program and its arguments that runs the node, such as unshare. */
  constructor(environment: Readonly<Record<string, string>> = {}, launcher: readonly string[] = []) {
    const [execPath = process.execPath, ...execArgv] = [...launcher, process.execPath];
    this.process = fork(PROGRAM, [], {
      execPath,
      execArgv,
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...environment },
    });
    this.process.stdout?.on('data', (data: Buffer) => this.output.push(data));
    this.process.stderr?.on('data', (data: Buffer) => this.output.push(data));
    this.process.on('message', (reply) => this.settle(reply as Reply));
    this.ended = new Promise((resolve) => {
      this.process.on('close', (code, signal) => {
        const how = signal ?? `exit code ${code}`;
        this.failAll(how);
        resolve(how);
      });
    });
  }

  get pid(): number {
    return this.process.pid as number;
  }

  /** Resolves when the program is running. */
  started(): Promise<unknown> {
    return new Promise((resolve, reject) => this.waiting.set(0, { name: 'start', resolve, reject }));
  }

  /** Has the node do it; rejects with its PoolError, or saying that it died. */
  call<K extends keyof Commands>(name: K, ...parameters: Parameters<Commands[K]>): Promise<Result<K>> {
    const id = ++this.calls;
    return new Promise<Result<K>>((resolve, reject) => {
      this.waiting.set(id, { name, resolve, reject });
      this.process.send({ id, name, parameters }, (error) => {
        if (error === null || error === undefined) return;
        this.waiting.delete(id);
        reject(new Error(`node ${this.pid} could not be told to ${name}: ${error.message}`));
      });
    });
  }

  private settle({ id, value, error }: Reply): void {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (waiting === undefined) return;
    if (error === undefined) waiting.resolve(value as never);
    else if (error.code === undefined) waiting.reject(new Error(`${waiting.name} in node ${this.pid}: ${error.stack}`));
    else waiting.reject(new PoolError(error.code, error.message, undefined, error));
  }

  private failAll(how: string): void {
    const output = Buffer.concat(this.output).toString().slice(-2000);
    for (const { name, reject } of this.waiting.values()) {
      reject(new Error(`node ${this.pid} died by ${how} while told to ${name}. ${output}`));
    }
    this.waiting.clear();
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.process.kill(name);
  }

  /** kill -9; resolves when the process is gone. */
  kill(): Promise<string> {
    this.process.kill('SIGKILL');
    return this.ended;
  }
}

export class NodeProcesses {
  private running: NodeProcess[] = [];
  private readonly mode: Mode;

  constructor(mode: Mode = 'coherent') {
    this.mode = mode;
  }

  async start(environment?: Readonly<Record<string, string>>, launcher?: readonly string[]): Promise<NodeProcess> {
    const node = new NodeProcess({ ...environment, SEALPOOL_TEST_MODE: this.mode }, launcher);
    this.running.push(node);
    await node.started();
    return node;
  }

  /** Started and connected. */
  async connect(path: string, count = 1): Promise<NodeProcess[]> {
    const nodes = await Promise.all(Array.from({ length: count }, () => this.start()));
    await Promise.all(nodes.map((node) => node.call('connect', path)));
    return nodes;
  }

  async killAll(): Promise<void> {
    const { running } = this;
    this.running = [];
    await Promise.all(running.map((node) => node.kill()));
  }
}

/** For use directly inside a `describe`. */
export function useProcesses(): NodeProcesses {
  const processes = new NodeProcesses(modeOfLoad());
  afterEach(() => processes.killAll());
  return processes;
}
