/** What a pool for memory that is not coherent has not: each says so. */
import { PoolError } from '../../../lib/errors.js';
import {
  type Checkpoint,
  type CheckpointInfo,
  type CheckpointWriter,
  type CreateOptions,
  checkCreate,
  type Page,
  type SpaceInfo,
} from '../../pool/index.js';

export function refuse(what: string): never {
  throw new PoolError('UNSUPPORTED', `A pool with coherence 'software' has not ${what} yet.`);
}

/** What is retained is never evicted; nothing is here. */
export function refuseMetadata(options: CreateOptions | undefined): void {
  const { metadata, ttlMs } = checkCreate(options);
  if (metadata !== undefined && metadata.length > 0) refuse('metadata of pages');
  if (ttlMs !== undefined) refuse('pages that expire');
}

export class MissingCalls {
  open(): Page | undefined {
    return refuse('descriptors of pages');
  }
  evict(): number {
    return refuse('eviction');
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
