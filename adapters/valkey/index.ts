/**
 * `sealpool/adapters/valkey`: a Valkey or Redis server behind the pools of several hosts. The client is the caller's, of the shape of
 * node-redis (`@redis/client`, an optional peer); nothing of it is imported here. `scripts.ts` has what happens in the tier, `loading.ts` what a load is,
 * `host.ts` how a host knows what others changed. docs/TIER.md says what is offered.
 */
export type { ClientSettings, Connect, TierClient } from './connection.js';
export type { ChannelCounts } from './host.js';
export type { TierOptions, TierSetOptions } from './options.js';
export type { TierCounts } from './space.js';
export {
  openTier,
  type Tier,
  type TieredCache,
  type TieredOptions,
  type TieredStats,
  tiered,
} from './tiered.js';
export type { TieredPageSpace } from './tieredpages.js';
export type { TieredValues } from './tieredvalues.js';
