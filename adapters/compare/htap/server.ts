/**
 * The page server: answers for pages of a file SERVER_DELAY_MS after they were asked for, as storage beyond a network does.
 * It is the process that drives the run, at the other end of a socket of each node.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { PAGE_SIZE } from '../sqlite/generate.js';

export const SERVER_DELAY_MS = 1;
/** Of the page's offset, a double. */
export const REQUEST_SIZE = 8;
/** Before the page: how many bytes of it the file has. */
export const COUNT_SIZE = 4;

export interface PageServer extends Disposable {
  /** A node asks for one page at a time. */
  serve(socket: Duplex): void;
}

export function openPageServer(file: string): PageServer {
  const descriptor = openSync(file, 'r');
  let isOpen = true;
  const answer = (socket: Duplex, offset: number): void => {
    if (!isOpen || socket.destroyed) return;
    const message = Buffer.alloc(COUNT_SIZE + PAGE_SIZE);
    message.writeUInt32LE(readSync(descriptor, message, COUNT_SIZE, PAGE_SIZE, offset));
    socket.write(message);
  };
  return {
    serve(socket) {
      let pending = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        pending = Buffer.concat([pending, chunk]);
        if (pending.length < REQUEST_SIZE) return;
        const offset = pending.readDoubleLE();
        pending = pending.subarray(REQUEST_SIZE);
        setTimeout(answer, SERVER_DELAY_MS, socket, offset);
      });
      // A node that is killed leaves its end in whatever state.
      socket.on('error', () => {});
    },
    [Symbol.dispose]() {
      isOpen = false;
      closeSync(descriptor);
    },
  };
}
