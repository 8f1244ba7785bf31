/**
 * What a page costs that no cache has: the storage under all arms, behind the adapter's system calls. Pages are counted, and read
 *
 *   direct   past the OS page cache, from the device;
 *   server   from a page server: another process, which answers 1 ms after it was asked, over a socket (server.ts);
 *   os       through the OS page cache. With a page server as the miss source this arm's would lie beyond a network as well, so
 *            a read for which the kernel went to the device waits as long.
 *
 * (M1) what is not a whole page of the database (its header, the journal, what the writer reads back of its own first page) is
 *      read as the adapter reads it, and not counted.
 * (M2) no read begins after the deadline: it fails, and with it the query that is no longer counted.
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { alignedBuffer, sleepThread } from '../../../lib/linux/index.js';
import { type Files, nodeFiles } from '../../sqlite/files.js';
import { deviceBytes } from '../sqlite/device-bytes.js';
import { PAGE_SIZE } from '../sqlite/generate.js';
import type { MediumKind } from './arms.js';
import { COUNT_SIZE, REQUEST_SIZE, SERVER_DELAY_MS } from './server.js';

/** Of the child, where its driver serves pages. */
const SERVER_DESCRIPTOR = 4;

/** Fills the target, a page, and gives the number of bytes read. */
type ReadPage = (target: Uint8Array, offset: number) => number;

export class Medium {
  private readCount = 0;
  private readMs = 0;
  /** Of the reads through the OS page cache, those for which the kernel fetched nothing from the device, not even ahead. */
  hits = 0;
  private blocks = 0;
  /** Of performance.now. */
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly files: Files;
  private readonly readPage: ReadPage;
  private readonly end: () => void;
  /** Undefined where what is read is what the process asks for. */
  private readonly deviceBefore: number | undefined;

  constructor(kind: MediumKind, file: string) {
    this.deviceBefore = kind.startsWith('os') ? (deviceBytes() ?? Number.NaN) : undefined;
    const { readPage, end } = openers[kind](file);
    this.readPage = readPage;
    this.end = end;
    this.files = this.filesOf(file);
  }

  /** Pages read from the storage; not a number where the kernel does not tell. */
  get reads(): number {
    if (this.deviceBefore === undefined) return this.readCount;
    return Math.ceil(((deviceBytes() ?? Number.NaN) - this.deviceBefore) / PAGE_SIZE);
  }

  /** Milliseconds, the mean of a read. */
  get meanMs(): number {
    return this.readCount === 0 ? 0 : this.readMs / this.readCount;
  }

  private filesOf(file: string): Files {
    const databases = new Set<number>();
    return {
      ...nodeFiles,
      open: (path, options) => {
        const descriptor = nodeFiles.open(path, options);
        if (path === file) databases.add(descriptor);
        return descriptor;
      },
      close: (descriptor) => {
        databases.delete(descriptor);
        nodeFiles.close(descriptor);
      },
      read: (descriptor, target, offset) => {
        // (M1)
        const isPage = target.length === PAGE_SIZE && offset % PAGE_SIZE === 0 && offset > 0;
        if (!isPage || !databases.has(descriptor)) return nodeFiles.read(descriptor, target, offset);
        return this.measured(target, offset);
      },
    };
  }

  private measured(target: Uint8Array, offset: number): number {
    const started = performance.now();
    // (M2)
    if (started > this.deadlineMs) throw new Error('the time is over');
    const count = this.readPage(target, offset);
    this.readCount += 1;
    this.readMs += performance.now() - started;
    if (this.deviceBefore !== undefined) this.askKernel();
    return count;
  }

  private askKernel(): void {
    const before = this.blocks;
    this.blocks = process.resourceUsage().fsRead;
    if (this.blocks === before) this.hits += 1;
  }

  close(): void {
    this.end();
  }
}

const openers: Record<MediumKind, (file: string) => { readPage: ReadPage; end: () => void }> = {
  direct: (file) => {
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_DIRECT);
    const aligned = alignedBuffer(PAGE_SIZE);
    return {
      readPage: (target, offset) => {
        const count = readSync(descriptor, aligned, 0, PAGE_SIZE, offset);
        target.set(aligned);
        return count;
      },
      end: () => closeSync(descriptor),
    };
  },
  server: () => ({ readPage: askServer(), end: () => {} }),
  os: (file) => openBuffered(file),
  'os, remote': (file) => {
    const { readPage, end } = openBuffered(file);
    let known = deviceBytes() ?? 0;
    return {
      readPage: (target, offset) => {
        const count = readPage(target, offset);
        const now = deviceBytes() ?? 0;
        if (now !== known) sleepThread(SERVER_DELAY_MS);
        known = now;
        return count;
      },
      end,
    };
  },
};

function openBuffered(file: string): { readPage: ReadPage; end: () => void } {
  const descriptor = openSync(file, constants.O_RDONLY);
  return {
    readPage: (target, offset) => readSync(descriptor, target, 0, PAGE_SIZE, offset),
    end: () => closeSync(descriptor),
  };
}

/** The descriptor is one end of a socket that blocks. */
function askServer(): ReadPage {
  const request = Buffer.alloc(REQUEST_SIZE);
  const answer = new Uint8Array(COUNT_SIZE + PAGE_SIZE);
  const view = new DataView(answer.buffer);
  return (target, offset) => {
    request.writeDoubleLE(offset);
    for (let done = 0; done < REQUEST_SIZE; ) done += writeSync(SERVER_DESCRIPTOR, request, done);
    for (let done = 0; done < answer.length; ) {
      const count = readSync(SERVER_DESCRIPTOR, answer, done, answer.length - done, null);
      if (count === 0) throw new Error('the page server is gone');
      done += count;
    }
    const count = view.getUint32(0, true);
    target.set(answer.subarray(COUNT_SIZE, COUNT_SIZE + count));
    return count;
  };
}
