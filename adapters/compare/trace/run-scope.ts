/**
 * run-scope: the child processes and directories of a run, and that nothing of them outlives it.
 *
 * (R1) Children are ended with SIGKILL, which one that spins cannot miss, and before their directories are removed.
 * (R2) The scope closes at the end of the run, at an interrupt (SIGINT, SIGTERM, SIGHUP) and at process.exit.
 * A kill -9 of this process leaves the directories, for the next run to remove; the children see that their parent is gone.
 */
import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { ownFolder } from '../../../lib/linux/index.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export class RunScope {
  private readonly children = new Set<ChildProcess>();
  private readonly directories: string[] = [];
  private open = true;

  constructor() {
    process.on('exit', this.close);
    for (const signal of SIGNALS) process.on(signal, this.interrupt);
  }

  /** A new directory of its own under `parent`, for this user only. */
  directory(parent: string): string {
    const path = ownFolder(parent, 'compare');
    this.directories.push(path);
    return path;
  }

  adopt(child: ChildProcess): void {
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
  }

  killChildren(): void {
    for (const child of this.children) child.kill('SIGKILL');
  }

  /** Idempotent. */
  readonly close = (): void => {
    if (!this.open) return;
    this.open = false;
    process.off('exit', this.close);
    for (const signal of SIGNALS) process.off(signal, this.interrupt);
    this.killChildren();
    for (const path of this.directories) rmSync(path, { recursive: true, force: true });
  };

  private readonly interrupt = (signal: NodeJS.Signals): void => {
    this.close();
    // With no other listener the signal ends this process, as it would have without this scope.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
}
