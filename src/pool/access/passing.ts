/**
 * Work on several shards, of which one that cannot be had keeps no other from being done. What is wrong with a table that
 * all share, as the chunks', ends it: it would cost every shard the same wait, and a repair.
 */
import { PoolError } from '../../../lib/errors.js';

export class PassOver {
  private readonly errors = new Map<number, PoolError>();

  /** Works on the shard, unless it could not be had before: its own BUSY or POOL_CORRUPT is kept for later. */
  attempt(shard: number, work: () => void): void {
    if (this.errors.has(shard)) return;
    try {
      work();
    } catch (error) {
      if (!(error instanceof PoolError) || !isOfShard(error, shard)) throw error;
      this.errors.set(shard, error);
    }
  }

  /** Throws the first error there was. */
  tell(): void {
    for (const error of this.errors.values()) throw error;
  }
}

function isOfShard({ code, details = {} }: PoolError, shard: number): boolean {
  if (code === 'BUSY') return 'lock' in details && details.lock === shard;
  return code === 'POOL_CORRUPT' && !('chunk' in details);
}
