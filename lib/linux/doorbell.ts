/**
 * Doorbells by FIFOs beside the pool's file, one for each node that has ever slept. The sleeper holds it open for reading
 * and has the event loop watch it (epoll); whoever rings writes a byte. No thread waits, and a bell that nobody reads any
 * more is known to the kernel (ENXIO).
 *
 * (F1) the sleeper opens it for writing too: else it would be at its end whenever no ringer has it open.
 * (F2) a ringer never blocks: a full FIFO has been rung already.
 * (F3) what lies at the path is input: it is followed through no symbolic link, and written to only if it is a FIFO.
 * (F4) its name carries row and bell word, so that none is taken for another's, or for an earlier one of its node. The reading end is opened through the C
 *      library, because the event loop's handle owns it: two owners would close it twice in a worker that is terminated.
 *
 * (F5) in a sticky folder, such as /dev/shm, a file is removed by its owner alone. So there only nodes of the pool's owner, who alone
 *      can destroy it as well, have bells: what another user's killed node left would stay for good. The others look by themselves.
 *
 * A crash leaves the FIFO's name behind: whoever cleans up after the node, takes its row, or destroys the pool removes it.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  openSync,
  readdirSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import type { Bell, Doorbells } from '../machine.js';
import { errnoNameOf } from './failures.js';
import { libc } from './libc.js';

const BYTE = Buffer.from([1]);
const READ_BYTES = 4096;
const RING_FLAGS = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
const O_CLOEXEC = 0o2000000;
const STICKY = 0o1000;
const LISTEN_FLAGS = constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW | O_CLOEXEC;

function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // Another may have been faster, or may not let us: it is not ours to insist.
  }
}

function isSticky(folder: string): boolean {
  try {
    return (statSync(folder).mode & STICKY) !== 0;
  } catch {
    return true;
  }
}

function bellName(poolPath: string): string {
  return `.${basename(poolPath)}.bell-`;
}

/** Removes every bell of a pool that is going away. */
export function removeBells(poolPath: string): void {
  const [folder, name] = [dirname(resolve(poolPath)), bellName(poolPath)];
  quietly(() => {
    for (const file of readdirSync(folder)) {
      if (file.startsWith(name) && /^\d+-\d+$/.test(file.slice(name.length)))
        quietly(() => unlinkSync(join(folder, file)));
    }
  });
}

class FifoBell implements Bell {
  private readonly socket: Socket;
  private readonly path: string;

  constructor(path: string, descriptor: number, onRing: () => void) {
    this.path = path;
    const buffer = Buffer.alloc(READ_BYTES);
    const callback = () => {
      onRing();
      return true;
    };
    // One buffer for every byte there will be: the types know `onread` only of a connection.
    const options = { fd: descriptor, readable: true, writable: false, onread: { buffer, callback } };
    this.socket = new Socket(options);
    this.socket.on('error', () => this.socket.destroy());
    this.socket.unref();
  }

  ref(): void {
    this.socket.ref();
  }

  unref(): void {
    this.socket.unref();
  }

  close(): void {
    quietly(() => unlinkSync(this.path));
    this.socket.destroy();
  }
}

export class FifoDoorbells implements Doorbells {
  private readonly stem: string;
  private readonly mode: number;
  private readonly group: number;
  private readonly mayHang: boolean;
  private readonly ringing = new Map<number, { bell: number; descriptor: number }>();

  /** `mode` and `group`: of the pool's file, because whoever may open that may ring. `owner`: its uid. */
  constructor(poolPath: string, options: { mode: number; group: number; owner: number }) {
    this.stem = join(dirname(resolve(poolPath)), bellName(poolPath));
    this.mode = options.mode & 0o666;
    this.group = options.group;
    this.mayHang = options.owner === process.geteuid?.() || !isSticky(dirname(resolve(poolPath)));
  }

  private pathOf(row: number, bell: number): string {
    return `${this.stem}${row}-${bell >>> 0}`;
  }

  open(row: number, bell: number, onRing: () => void): Bell | undefined {
    if (!this.mayHang) return undefined;
    const path = this.pathOf(row, bell);
    quietly(() => unlinkSync(path));
    if (libc().mkfifo(path, this.mode) !== 0) return undefined;
    const descriptor = libc().open(path, LISTEN_FLAGS, 0);
    if (descriptor < 0 || !fstatSync(descriptor).isFIFO()) {
      if (descriptor >= 0) closeSync(descriptor);
      quietly(() => unlinkSync(path));
      return undefined;
    }
    // The mask of the process may have taken bits away, and its group may be another.
    quietly(() => fchownSync(descriptor, process.geteuid?.() ?? 0, this.group));
    quietly(() => fchmodSync(descriptor, this.mode));
    return new FifoBell(path, descriptor, onRing);
  }

  ring(row: number, bell: number): boolean {
    try {
      const descriptor = this.descriptorOf(row, bell);
      if (descriptor === undefined) return false;
      writeSync(descriptor, BYTE, 0, 1);
      return true;
    } catch (error) {
      const name = errnoNameOf(error);
      if (name === 'EAGAIN') return true;
      this.forget(row);
      // Nobody reads it any more.
      return name === 'ENXIO' || name === 'EPIPE';
    }
  }

  private descriptorOf(row: number, bell: number): number | undefined {
    const known = this.ringing.get(row);
    if (known !== undefined && known.bell === bell) return known.descriptor;
    this.forget(row);
    const descriptor = openSync(this.pathOf(row, bell), RING_FLAGS);
    if (!fstatSync(descriptor).isFIFO()) {
      closeSync(descriptor);
      return undefined;
    }
    this.ringing.set(row, { bell, descriptor });
    return descriptor;
  }

  private forget(row: number): void {
    const known = this.ringing.get(row);
    this.ringing.delete(row);
    if (known !== undefined) quietly(() => closeSync(known.descriptor));
  }

  remove(row: number, bell: number): void {
    this.forget(row);
    quietly(() => unlinkSync(this.pathOf(row, bell)));
  }

  close(): void {
    for (const row of [...this.ringing.keys()]) this.forget(row);
  }
}
