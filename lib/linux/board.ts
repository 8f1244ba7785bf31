/**
 * board: how far each node of a group has come, one word per node in a small file that all of them map.
 *
 * (B1) A node writes only its own line, so publishing never contends.
 * (B2) Positions only grow, and a position is published after everything before it was done.
 * A crash leaves the dead node's last position, at which the others wait for ever: who waits must also watch its peers.
 */
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { assert } from '../assert.js';
import { Words } from '../words.js';
import { libc } from './libc.js';
import { Mapping } from './mapping.js';

export interface ProgressBoard {
  publish(node: number, position: number): void;
  /** The least position of all nodes. */
  minimum(): number;
}

const LINE_SIZE = 64;
const LINE_WORDS = LINE_SIZE / 4;
const POSITION_MAX = 2 ** 31 - 1;

/** Lets another runnable process have this core. */
export function yieldProcessor(): void {
  libc().schedYield();
}

/** Holds the thread up for so many milliseconds, below 1,000. For tools that imitate a slow device. */
export function sleepThread(milliseconds: number): void {
  libc().usleep(Math.round(milliseconds * 1_000));
}

export class MappedBoard implements ProgressBoard {
  private readonly nodes: number;
  private readonly mapping: Mapping;
  private readonly words: Words;

  /** The file at `path` is made when it is not there, and grows to hold `nodes` lines. */
  constructor(path: string, nodes: number) {
    this.nodes = nodes;
    const size = nodes * LINE_SIZE;
    const fileDescriptor = openSync(path, 'a+', 0o600);
    try {
      ftruncateSync(fileDescriptor, size);
      this.mapping = new Mapping(fileDescriptor, 0, size, true);
    } finally {
      closeSync(fileDescriptor);
    }
    this.words = new Words(this.mapping.buffer);
  }

  publish(node: number, position: number): void {
    assert(position <= POSITION_MAX, 'a position on the board fits a signed 32-bit word');
    this.words.store(node * LINE_WORDS, position);
  }

  position(node: number): number {
    return this.words.load(node * LINE_WORDS);
  }

  minimum(): number {
    let minimum = POSITION_MAX;
    for (let node = 0; node < this.nodes; node += 1) minimum = Math.min(minimum, this.position(node));
    return minimum;
  }

  /** Nothing may be called afterwards. Idempotent. */
  close(): void {
    this.mapping.unmap();
  }
}
