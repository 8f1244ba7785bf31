/**
 * board: how far each node of a group has come, one word per node in a small file that all of them map.
 *
 * (B1) A node writes only its own line, so publishing never contends.
 * (B2) Positions only grow, and a position is published after everything before it was done.
 * A crash leaves the dead node's last position, at which the others wait for ever: who waits must also watch its peers.
 */
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { assert } from '../assert.js';
import { PoolError } from '../errors.js';
import { Words } from '../words.js';

export interface ProgressBoard {
  publish(node: number, position: number): void;
  /** The least position of all nodes. */
  minimum(): number;
}

const LINE_SIZE = 64;
const LINE_WORDS = LINE_SIZE / 4;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const POSITION_MAX = 2 ** 31 - 1;

interface LibC {
  readonly map: (
    address: number,
    size: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ) => number;
  readonly unmap: (address: number, size: number) => number;
  readonly yieldProcessor: () => number;
}

let loaded: LibC | undefined;

/** On first use, so that importing never throws. */
function libc(): LibC {
  if (loaded === undefined) {
    const library = koffi.load('libc.so.6');
    loaded = {
      map: library.func('mmap', 'uintptr_t', ['uintptr_t', 'size_t', 'int', 'int', 'int', 'int64_t']),
      unmap: library.func('munmap', 'int', ['uintptr_t', 'size_t']),
      yieldProcessor: library.func('sched_yield', 'int', []),
    };
  }
  return loaded;
}

/** Lets another runnable process have this core. */
export function yieldProcessor(): void {
  libc().yieldProcessor();
}

export class MappedBoard implements ProgressBoard {
  private readonly nodes: number;
  private readonly size: number;
  private address: number;
  private readonly words: Words;

  /** The file at `path` is made when it is not there, and grows to hold `nodes` lines. */
  constructor(path: string, nodes: number) {
    this.nodes = nodes;
    this.size = nodes * LINE_SIZE;
    const fd = openSync(path, 'a+', 0o600);
    try {
      ftruncateSync(fd, this.size);
      this.address = Number(libc().map(0, this.size, PROT_READ_WRITE, MAP_SHARED, fd, 0));
    } finally {
      closeSync(fd);
    }
    if (this.address > Number.MAX_SAFE_INTEGER) {
      throw new PoolError('NO_SPACE', `The progress board ${path} cannot be mapped (errno ${koffi.errno()}).`);
    }
    this.words = new Words(koffi.view(this.address, this.size));
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

  /** Nothing may be called afterwards: the memory is gone. Idempotent. */
  close(): void {
    if (this.address !== 0) libc().unmap(this.address, this.size);
    this.address = 0;
  }
}
