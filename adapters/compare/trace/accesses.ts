/**
 * accesses: a trace once it is read: 32-bit numbers of pages in a file, one per access, walked in chunks. Nobody holds
 * it whole.
 *
 * (A1) Numbers are 0, 1, 2, … in order of first appearance.
 * (A2) Beside it may lie a bitmap: bit i, least significant first, says that access i begins a request. Without one
 *      every access does.
 */
import { closeSync, openSync, readSync } from 'node:fs';

/** A multiple of 8, so that a chunk's bits begin with a byte. */
export const CHUNK_ACCESSES = 65_536;

export interface AccessChunk {
  /** Valid until the next chunk is asked for. */
  readonly ids: Uint32Array;
  /** Bit i of it: access i of the chunk begins a request. Absent: all do. */
  readonly starts?: Uint8Array | undefined;
}

/** What a walk over a trace needs. Each call of chunks() begins anew. */
export interface Accesses {
  readonly accesses: number;
  chunks(): Iterable<AccessChunk>;
}

export interface AccessFiles {
  readonly accesses: number;
  readonly ids: string;
  readonly starts?: string | undefined;
}

function readWhole(file: number, target: Uint8Array): number {
  let done = 0;
  while (done < target.length) {
    const count = readSync(file, target, done, target.length - done, null);
    if (count === 0) break;
    done += count;
  }
  return done;
}

export class FileAccesses implements Accesses {
  readonly accesses: number;
  private readonly files: AccessFiles;

  constructor(files: AccessFiles) {
    this.accesses = files.accesses;
    this.files = files;
  }

  *chunks(): Generator<AccessChunk> {
    const ids = openSync(this.files.ids, 'r');
    const starts = this.files.starts === undefined ? undefined : openSync(this.files.starts, 'r');
    try {
      const words = new Uint32Array(CHUNK_ACCESSES);
      const bits = new Uint8Array(CHUNK_ACCESSES / 8);
      for (let done = 0; done < this.accesses; ) {
        const count = Math.min(CHUNK_ACCESSES, this.accesses - done);
        const read = readWhole(ids, new Uint8Array(words.buffer, 0, count * 4));
        if (read < count * 4) throw new Error(`${this.files.ids} ended at access ${done + Math.floor(read / 4)}`);
        if (starts !== undefined) readWhole(starts, bits);
        yield { ids: words.subarray(0, count), starts: starts === undefined ? undefined : bits };
        done += count;
      }
    } finally {
      closeSync(ids);
      if (starts !== undefined) closeSync(starts);
    }
  }
}

/** A trace of which somebody has the numbers at hand. */
export class KnownAccesses implements Accesses {
  readonly accesses: number;
  private readonly chunk: AccessChunk;

  constructor(ids: Uint32Array, starts?: Uint8Array) {
    this.accesses = ids.length;
    this.chunk = { ids, starts };
  }

  *chunks(): Generator<AccessChunk> {
    yield this.chunk;
  }
}
