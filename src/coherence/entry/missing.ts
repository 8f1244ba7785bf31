/** What a pool for memory that is not coherent has not, or nothing to do for: each says so. */
import { PoolError } from '../../../lib/errors.js';
import type { Checkpoint, CheckpointInfo, CheckpointWriter, Page, SpaceInfo } from '../../pool/index.js';

export function refuse(what: string): never {
  throw new PoolError('UNSUPPORTED', `A pool with coherence 'software' has not ${what} yet.`);
}

export abstract class MissingCalls {
  /** Throws DISCONNECTED, NODE_FENCED. */
  abstract check(): void;

  /** Nothing is evicted here (`info.eviction` is 'none'), so nothing is freed: 0. Throws OPTION_INVALID. */
  evict(bytes: number): number {
    this.check();
    if (!(bytes >= 0)) throw new PoolError('OPTION_INVALID', `bytes: ${bytes} is no number of bytes.`);
    return 0;
  }
  open(): Page | undefined {
    return refuse('descriptors of pages');
  }
  checkpoint(): CheckpointWriter {
    return refuse('checkpoints');
  }
  restore(): Checkpoint | undefined {
    return refuse('checkpoints');
  }
  checkpoints(): CheckpointInfo[] {
    return refuse('checkpoints');
  }
  forget(): boolean {
    return refuse('checkpoints');
  }
  spaces(): SpaceInfo[] {
    return refuse('namespaces and page spaces');
  }
  async spacesAsync(): Promise<SpaceInfo[]> {
    return refuse('namespaces and page spaces');
  }
  removeSpace(): boolean {
    return refuse('namespaces and page spaces');
  }
}
