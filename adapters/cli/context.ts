/** What the commands use of the world around them, so that tests can hand them another one. */
import type { Workloads } from '../compare/index.js';
import type { Api } from './api.js';

export interface OutputStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  /** False once the reader has gone away. */
  readonly writable: boolean;
  write(chunk: string | Uint8Array): unknown;
  hasColors?(): boolean;
}

export interface Context {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Loaded by the commands that need it: help and wrong usage never touch the machine. */
  loadApi(): Promise<Api>;
  readonly workloads: Workloads;
}

export function printJson(context: Context, value: unknown): void {
  context.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}
