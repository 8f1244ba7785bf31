/**
 * What one host changes, for all hosts.
 *
 * (X1) this host's pool drops before and after the tier knows: between the two a reader may have brought the old value back.
 * (X2) a value that is set is written under the lease that its invalidation has given: one that is later in the tier's order refuses it.
 */
import type { Host } from './host.js';
import type { Stored, TierSpace } from './space.js';
import type { EndOfTags } from './tagcells.js';

/** The key, what has the tags, or with undefined every key, is not what it was. Gives the lease for a fill. Throws TIER_UNREACHABLE. */
export async function tellAll(
  { space, host }: { space: TierSpace; host: Host },
  what: Uint8Array | EndOfTags | undefined,
  drop: () => void,
  leases = false,
): Promise<string> {
  drop();
  const { count, nonce, lease } = await space.tell(what, host.origin, leases);
  host.wrote({ count, nonce });
  drop();
  return lease;
}

/** (X2) False where the tier has not stored it. Throws TIER_UNREACHABLE. */
export async function writeThrough(
  parts: { space: TierSpace; host: Host },
  key: Uint8Array,
  stored: Stored,
  drop: () => void,
): Promise<boolean> {
  const begunMs = performance.now();
  const lease = await tellAll(parts, key, drop, true);
  const { freshMs } = stored;
  const leftMs = freshMs === undefined ? undefined : freshMs - (performance.now() - begunMs);
  if (leftMs !== undefined && leftMs + stored.keptMs <= 0) return false;
  return (await parts.space.fill(key, lease, { ...stored, freshMs: leftMs })) === 'stored';
}
