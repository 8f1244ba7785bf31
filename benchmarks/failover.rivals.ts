/**
 * How else a standby gets a state of that size: from the file that the primary kept, from another process over a socket,
 * or from the stream. Each takes it into private memory and answers the same query. A process of its own for each.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { createServer, connect as dial } from 'node:net';
import {
  type Answered,
  aggregate,
  answerAll,
  fileBytes,
  nowMs,
  paneBytes,
  placeOf,
  taskOf,
} from './failover.stream.js';

export type Rival = 'file' | 'keeper' | 'socket' | 'replay';

/** What a rival is told. */
export interface Order {
  readonly rival: Rival;
  readonly firstPane: number;
  readonly lastPane: number;
  /** Of the keeper. */
  readonly port: number;
}

export interface Rivalled extends Answered {
  readonly startedAtMs: number;
}

const READ_BYTES = 8 * 1024 * 1024;
const { shape, file } = taskOf();

function windowOver(state: ArrayBuffer, { firstPane, lastPane }: Order): Map<number, Float64Array> {
  const bytes = paneBytes(shape);
  const window = new Map<number, Float64Array>();
  for (let pane = firstPane; pane <= lastPane; pane++)
    window.set(pane, new Float64Array(state, placeOf(shape, pane), bytes / 8));
  return window;
}

function loadFile(): ArrayBuffer {
  const state = new Uint8Array(fileBytes(shape));
  const descriptor = openSync(file, 'r');
  for (let at = 0; at < state.length; ) {
    const read = readSync(descriptor, state, at, Math.min(READ_BYTES, state.length - at), at);
    if (read === 0) throw new Error(`${file} ends at ${at} of ${state.length} bytes.`);
    at += read;
  }
  closeSync(descriptor);
  return state.buffer;
}

function replay({ firstPane, lastPane }: Order): ArrayBuffer {
  const state = new ArrayBuffer(fileBytes(shape));
  const bytes = paneBytes(shape);
  for (let pane = firstPane; pane <= lastPane; pane++)
    aggregate(shape, pane, new Float64Array(state, placeOf(shape, pane), bytes / 8));
  return state;
}

/** Sends the state to whoever connects. */
function keep(): void {
  const state = new Uint8Array(loadFile());
  const server = createServer((socket) => {
    const send = (at: number): void => {
      if (at >= state.length) return void socket.end();
      const next = Math.min(state.length, at + READ_BYTES);
      socket.write(state.subarray(at, next), () => send(next));
    };
    send(0);
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as { port: number }).port));
}

function pull(port: number): Promise<ArrayBuffer> {
  const state = new Uint8Array(fileBytes(shape));
  return new Promise((resolve, reject) => {
    let at = 0;
    const onread = {
      buffer: new Uint8Array(READ_BYTES / 8),
      callback: (length: number, chunk: Uint8Array) => {
        state.set(chunk.subarray(0, length), at);
        at += length;
        return true;
      },
    };
    const socket = dial({ port, host: '127.0.0.1', onread });
    socket.on('error', reject);
    socket.on('end', () => {
      socket.destroy();
      if (at === state.length) resolve(state.buffer);
      else reject(new Error(`The socket gave ${at} of ${state.length} bytes.`));
    });
  });
}

process.on('message', async (order: Order) => {
  if (order.rival === 'keeper') return keep();
  const startedAtMs = nowMs();
  const state = order.rival === 'file' ? loadFile() : order.rival === 'replay' ? replay(order) : await pull(order.port);
  const answered = answerAll(shape, windowOver(state, order));
  process.send?.({ startedAtMs, ...answered }, () => process.disconnect());
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
