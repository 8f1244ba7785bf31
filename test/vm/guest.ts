/**
 * Virtual machines that share one memory device, as hosts share pooled memory: User Mode Linux, a kernel that runs as a process. Each
 * has this machine's files, read-only, a kernel and a boot id of its own, no file lock, futex, signal or FIFO in
 * common with another, and the device as /dev/mmapper, at the processor's own speed and with its atomic operations.
 *
 * A guest is asked by files in a folder that both see (agent.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const KERNEL = 'linux.uml';
const AGENT = fileURLToPath(new URL('./agent.js', import.meta.url));
const MEMORY = '640M';
const POLL_MS = 5;
const ANSWER_LIMIT_MS = 120_000;
/** Of a guest. */
export const DEVICE = '/dev/mmapper';

/** Why there can be no guests here; undefined where there can. */
export function whyNoGuests(): string | undefined {
  if (process.arch !== 'x64') return `User Mode Linux is there for x64, and this is ${process.arch}`;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  if (folders.some((folder) => existsSync(join(folder, KERNEL)))) return undefined;
  return `${KERNEL} is not installed (Debian: apt-get install user-mode-linux)`;
}

/** The memory of the device: a file in this machine's memory. */
export class SharedDevice {
  readonly folder = mkdtempSync('/dev/shm/sealpool-vm-');
  readonly path = join(this.folder, 'device');
  readonly byteLength: number;

  constructor(byteLength: number, start?: Uint8Array) {
    this.byteLength = byteLength;
    if (start !== undefined) writeFileSync(this.path, start);
    const file = openSync(this.path, start === undefined ? 'w' : 'r+');
    ftruncateSync(file, byteLength);
    closeSync(file);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

interface Answer {
  readonly value?: unknown;
  readonly error?: { readonly code?: string; readonly message: string; readonly stack?: string };
}

const running = new Set<Guest>();
process.once('exit', () => {
  for (const guest of running) guest.end();
});

export class Guest {
  readonly name: string;
  private readonly folder: string;
  private readonly process: ChildProcess;
  private readonly over: Promise<void>;
  private isOver = false;
  private asked = 0;

  constructor(name: string, device: SharedDevice) {
    this.name = name;
    this.folder = mkdtempSync(join(tmpdir(), `sealpool-vm-${name}-`));
    const init = join(this.folder, 'init');
    const lines = [
      '#!/bin/sh',
      'mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t devtmpfs dev /dev',
      'mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm',
      `mount -t hostfs none /mnt -o ${this.folder}`,
      `export HOME=/ TMPDIR=/dev/shm PATH="${process.env['PATH'] ?? ''}"`,
      `hostname ${name}`,
      `exec ${process.execPath} --enable-source-maps ${AGENT} /mnt`,
    ];
    writeFileSync(init, `${lines.join('\n')}\n`);
    chmodSync(init, 0o755);
    const console = openSync(this.console, 'w');
    const words = [`mem=${MEMORY}`, 'rootfstype=hostfs', 'ro', `init=${init}`, `uml_dir=${this.folder}`, 'panic=-1'];
    // In a group of its own: each process of the guest is one of this machine, too.
    this.process = spawn(KERNEL, [...words, 'quiet', `iomem=mmapper,${device.path}`, 'con=null', 'con0=null,fd:1'], {
      stdio: ['ignore', console, console],
      detached: true,
      env: { ...process.env, TMPDIR: device.folder },
    });
    closeSync(console);
    running.add(this);
    this.over = new Promise((resolve) => {
      const ended = () => {
        this.isOver = true;
        resolve();
      };
      this.process.once('exit', ended);
      this.process.once('error', ended);
    });
  }

  private get console(): string {
    return join(this.folder, 'console');
  }

  /** When it has booted: the boot id of its kernel. */
  async ready(): Promise<string> {
    return (await this.read('ready')) as string;
  }

  /** Calls the deed of that name in the guest (deeds.ts). What it throws, rejects, with its code. */
  async ask(deed: string, ...args: unknown[]): Promise<unknown> {
    const name = String(++this.asked);
    writeFileSync(join(this.folder, `writing-${name}`), JSON.stringify({ deed, args }));
    renameSync(join(this.folder, `writing-${name}`), join(this.folder, `ask-${name}`));
    return this.read(`answer-${name}`);
  }

  private async read(name: string): Promise<unknown> {
    const file = join(this.folder, name);
    for (const endMs = performance.now() + ANSWER_LIMIT_MS; !existsSync(file); await sleep(POLL_MS)) {
      if (this.isOver) throw new Error(`${this.name} has ended.${this.printed()}`);
      if (performance.now() > endMs) throw new Error(`${this.name} said nothing: ${name}.${this.printed()}`);
    }
    const { value, error } = JSON.parse(readFileSync(file, 'utf8')) as Answer;
    if (error !== undefined) throw Object.assign(new Error(`${this.name}: ${error.message}`), { code: error.code });
    return value;
  }

  private printed(): string {
    return `\n${readFileSync(this.console, 'utf8').split('\n').slice(-30).join('\n')}`;
  }

  private signal(name: NodeJS.Signals): void {
    if (!this.isOver && this.process.pid !== undefined) process.kill(-this.process.pid, name);
  }

  /** It hangs, and does not know it: its kernel stands still, and with it all that runs on it. */
  pause(): void {
    this.process.kill('SIGSTOP');
  }

  resume(): void {
    this.process.kill('SIGCONT');
  }

  end(): void {
    running.delete(this);
    this.signal('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** As if its power failed. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.over;
    this.end();
  }
}
