/** Work on several shards, of which one that cannot be had keeps no other from being done. */
import { PoolError } from '../../lib/errors.js';

export class PassOver {
  private readonly errors = new Map<number, PoolError>();

  /** Works on the shard, unless it could not be had before: BUSY or POOL_CORRUPT is kept for later. */
  attempt(shard: number, work: () => void): void {
    if (this.errors.has(shard)) return;
    try {
      work();
    } catch (error) {
      if (!(error instanceof PoolError) || (error.code !== 'BUSY' && error.code !== 'POOL_CORRUPT')) throw error;
      this.errors.set(shard, error);
    }
  }

  /** Throws the first error there was. */
  tell(): void {
    for (const error of this.errors.values()) throw error;
  }
}
