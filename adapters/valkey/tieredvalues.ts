/** Values through the tier: what a codec makes of bytes. Both tiers have the bytes, so every hit of a pool decodes. */

import { ValueCache } from '../../src/cache/index.js';
import type { Key } from '../../src/index.js';
import type { TierSetOptions } from './options.js';

export class TieredValues<T> extends ValueCache<T, Promise<boolean>, Promise<void>> {
  /** As set of the cache. Rejects with what the codec throws, too. */
  override async set(key: Key, value: T, options?: TierSetOptions): Promise<boolean> {
    return super.set(key, value, options);
  }
}
