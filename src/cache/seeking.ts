/** How a cache fetches a key: what its options come to, once the load has answered too. */
import type { Key, NearEntry } from '../pool/index.js';
import type { Domain } from './domain.js';
import type { Sought } from './fetching.js';
import type { Negatives } from './negative.js';
import type { FetchManyOptions } from './options.js';
import type { Taking } from './taking.js';
import type { Lease } from './types.js';

/** What of a cache it works with. */
export interface SeekHost {
  readonly domain: Domain;
  readonly negatives: Negatives;
  readonly ttlMs: number | undefined;
  /** The live page, exposed. Neither counted nor touched. */
  glance(key: Key): NearEntry | undefined;
}

/** A key that is fetched, but for its loader. */
export function seek(
  { domain, negatives, glance, ...of }: SeekHost,
  key: Key,
  options: FetchManyOptions,
  keptMs: number,
  taking: Taking,
): Omit<Sought, 'call'> {
  const ttlMs = options.ttlMs ?? of.ttlMs;
  const negativeTtlMs = options.negativeTtlMs ?? ttlMs;
  const isLater = typeof options.tags === 'function';
  const tags = isLater ? undefined : (options.tags as readonly string[] | undefined);
  return {
    key,
    size: 0,
    asOf: undefined,
    ttlMs,
    keptMs,
    errorMs: options.errorMs,
    tags: isLater ? 'later' : tags,
    mayBeKept: true,
    encode: () => domain.keys.encode(key),
    look: () => glance(key),
    lookNegative: () => negatives.look(key),
    storeNegative: (lease: Lease, startedMs: number) => {
      const { expiresAtMs, tags: told } = taking.life ?? {};
      const lifeMs = expiresAtMs === undefined ? negativeTtlMs : Math.floor(expiresAtMs - startedMs);
      if (lifeMs !== undefined && lifeMs > 0) negatives.store(key, lease, startedMs, lifeMs, told ?? tags);
    },
    take: (answer: unknown) => taking.take(answer),
  };
}
