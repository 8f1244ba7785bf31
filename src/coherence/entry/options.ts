/** The options of pools for memory that is not coherent, checked at the border. */
import { z } from 'zod';
import { PoolError } from '../../../lib/errors.js';
import { type ConnectOptions, checkOptions, type FormatOptions, parseSize } from '../../pool/index.js';
import { HOSTS_MAX } from './shape.js';

const PAGE_BYTES = 8192;
const HOSTS_USUAL = 2;
const SIZE_MIN = 256 * 1024;
/** Of one window. */
const SIZE_MAX = 4 * 1024 ** 3;
const WAIT_MS_MAX = 60_000;
const LEASE_MS_MIN = 100;

const size = z
  .custom<number | string>((value) => typeof value === 'number' || typeof value === 'string', 'expected bytes')
  .transform((value) => parseSize(value))
  .refine((value) => value >= SIZE_MIN, `too small: such a pool has at least ${SIZE_MIN} bytes (256KiB)`)
  .refine((value) => value <= SIZE_MAX, `too large: such a pool has at most ${SIZE_MAX} bytes (4GiB)`);
const count = z
  .number()
  .int()
  .min(1)
  .max(2 ** 24);

const formatSchema = z.strictObject({
  size,
  pageSize: count.optional(),
  maxObjects: count.optional(),
  hosts: z.number().int().min(1).max(HOSTS_MAX).optional(),
  coherence: z.literal('software').optional(),
  mode: z
    .number()
    .int()
    .min(0)
    .max(0o777)
    .refine((mode) => (mode & 0o002) === 0, 'a world-writable pool would never be opened')
    .optional(),
  force: z.boolean().optional(),
});

const connectSchema = z.strictObject({
  create: formatSchema.optional(),
  coherence: z.literal('software').optional(),
  emulate: z.literal('noncoherent').optional(),
  host: z
    .number()
    .int()
    .min(0)
    .max(HOSTS_MAX - 1)
    .optional(),
  leaseMs: z.number().min(LEASE_MS_MIN).finite().optional(),
  trustUids: z.array(z.number().int().min(0)).optional(),
  timeoutMs: z.number().min(0).optional(),
  syncWaitMs: z.number().min(0).max(WAIT_MS_MAX).optional(),
  signal: z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'expected an AbortSignal').optional(),
});

/** What such a pool does not have yet, by the name of the option that asks for it. */
const MISSING: Readonly<Record<string, string>> = {
  readOnly: 'nodes that only read',
  nearEntries: 'a near index',
  maxPinShare: 'a share of what may be pinned',
  prefault: 'memory touched beforehand',
  onMismatch: 'a look at whether the pool is as create says',
  replace: 'replacing a pool of another layout',
  onMoved: 'a look at whether the path leads to another file',
  name: 'names of nodes',
  maxNodes: 'nodes besides its hosts',
  eviction: 'eviction',
};

function refuseMissing(options: object, where: string): void {
  for (const [name, value] of Object.entries(options)) {
    const what = MISSING[name];
    if (what === undefined || value === undefined || value === false || value === 'none') continue;
    throw new PoolError('UNSUPPORTED', `${where}.${name}: a pool with coherence 'software' has not ${what} yet.`, {
      option: `${where}.${name}`,
    });
  }
}

/** Without what asks for nothing. */
function asked(options: object): object {
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => value !== undefined && MISSING[name] === undefined),
  );
}

export interface CheckedFormat {
  readonly size: number;
  readonly pageSize: number;
  readonly maxObjects: number | undefined;
  readonly hosts: number;
  readonly mode: number;
  readonly force: boolean;
}

export interface CheckedConnect {
  readonly create: CheckedFormat | undefined;
  readonly isEmulated: boolean;
  readonly host: number | undefined;
  readonly leaseMs: number | undefined;
  readonly trustUids: readonly number[];
  readonly timeoutMs: number | undefined;
  readonly syncWaitMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

type Formatted = z.output<typeof formatSchema>;

function withDefaults(options: Formatted): CheckedFormat {
  const { size, pageSize = PAGE_BYTES, maxObjects, hosts = HOSTS_USUAL, mode = 0o600, force = false } = options;
  return { size, pageSize, maxObjects, hosts, mode, force };
}

/** Throws OPTION_INVALID, UNSUPPORTED. */
export function checkFormat(options: FormatOptions): CheckedFormat {
  refuseMissing(options, 'format');
  return withDefaults(checkOptions<Formatted>(formatSchema, asked(options), 'format'));
}

/** Throws OPTION_INVALID, UNSUPPORTED. */
export function checkConnect(options: ConnectOptions): CheckedConnect {
  refuseMissing(options, 'connect');
  const given: Record<string, unknown> = { ...asked(options) };
  if (typeof options.create === 'object' && options.create !== null) {
    refuseMissing(options.create, 'connect.create');
    given['create'] = asked(options.create);
  }
  const checked = checkOptions<z.output<typeof connectSchema>>(connectSchema, given, 'connect');
  const { create, emulate, host, leaseMs, trustUids = [], timeoutMs, syncWaitMs, signal } = checked;
  if (host === undefined && emulate === undefined) {
    throw new PoolError(
      'OPTION_INVALID',
      "host: each host of a pool with coherence 'software' has a number of its own, by configuration.",
      { option: 'host' },
    );
  }
  const made = create === undefined ? undefined : withDefaults(create);
  return { create: made, isEmulated: emulate !== undefined, host, leaseMs, trustUids, timeoutMs, syncWaitMs, signal };
}

/** Whether a pool for memory that is not coherent is asked for. */
export function asksForSoftware(options: unknown): boolean {
  if (typeof options !== 'object' || options === null) return false;
  const { coherence, emulate, create } = options as ConnectOptions;
  return coherence === 'software' || emulate !== undefined || create?.coherence === 'software';
}
