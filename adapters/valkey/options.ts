/** Options of the adapter, checked at the border. Times are milliseconds, sizes bytes. */
import { PoolError } from '../../lib/errors.js';
import type { Pool } from '../../src/index.js';
import type { Connect } from './connection.js';

export interface TierOptions {
  /** This host's pool. */
  pool: Pool;
  /**
   * Makes a client: `(settings) => createClient({ url, ...settings })`, or
   * `(settings) => createCluster({ rootNodes, defaults: settings, minimizeConnections: true })`. Called for each connection.
   */
  connect: Connect;
  /** Begins the name of every key in the tier. Default 'sealpool'. */
  prefix?: string;
  /** How long one request may take. Default 500. */
  requestTimeoutMs?: number;
  /** How long a lease lasts that its holder does not renew: what a host that dies in the middle of a load costs the others. Default 2,000. */
  leaseMs?: number;
  /** How long a load of another host is waited for. Default 5,000. */
  waitMs?: number;
  /** How long after the last word from the tier this host's pool is vouched for. Default 2,000. */
  vouchMs?: number;
  /** Between two signs of life on the channel of invalidations. Default 250. */
  heartbeatMs?: number;
  /** How long pages live that are loaded while nothing vouches for the pool. Default 1,000. */
  unvouchedTtlMs?: number;
  /** Values above this lie in the tier in chunks of so many bytes. Default 1 MiB. */
  chunkBytes?: number;
  /** How many writes the log keeps, about: a host that was cut off for longer drops its pool. Default 10,000. */
  logLength?: number;
  /** The circuit breaker opens after so many failures in a row. Default 3. */
  breakerFailures?: number;
  /** And is tried again after so long. Default 1,000. */
  breakerPauseMs?: number;
}

export interface TierSetOptions {
  ttlMs?: number;
  staleMs?: number;
  staleOnErrorMs?: number;
  metadata?: Uint8Array;
  /** What `invalidateTags` knows it by. */
  tags?: readonly string[];
}

export type Settings = Required<TierOptions>;

const NUMBERS = {
  requestTimeoutMs: 500,
  leaseMs: 2000,
  waitMs: 5000,
  vouchMs: 2000,
  heartbeatMs: 250,
  unvouchedTtlMs: 1000,
  chunkBytes: 2 ** 20,
  logLength: 10_000,
  breakerFailures: 3,
  breakerPauseMs: 1000,
};
const NAMES = new Set(['pool', 'connect', 'prefix', ...Object.keys(NUMBERS)]);

function refuse(option: string, why: string): never {
  throw new PoolError('OPTION_INVALID', `openTier.${option}: ${why}.`, { option });
}

/** Throws OPTION_INVALID. */
export function checkTier(options: TierOptions): Settings {
  const unknown = Object.keys(options).find((name) => !NAMES.has(name));
  if (unknown !== undefined) refuse(unknown, 'is no option');
  if (typeof options.connect !== 'function') refuse('connect', 'expected a function that makes a client');
  if (typeof options.pool !== 'object' || !('disconnect' in options.pool)) {
    refuse('pool', 'expected what connect() of sealpool resolves to');
  }
  const { prefix = 'sealpool' } = options;
  if (typeof prefix !== 'string' || prefix === '') refuse('prefix', 'expected a string');
  const settings = { ...NUMBERS, ...options, prefix };
  for (const name of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    const value = settings[name] ?? NUMBERS[name];
    if (typeof value !== 'number' || !(value >= 1) || value > 2 ** 31 - 1) refuse(name, 'expected a number from 1 on');
    settings[name] = Math.floor(value);
  }
  if (settings.heartbeatMs >= settings.vouchMs) refuse('heartbeatMs', 'has to be below vouchMs');
  return settings;
}
