/** The options of the object layer, checked at the border. Errors are OPTION_INVALID and name the option. */
import { z } from 'zod';
import { isBytes, takeBytes } from '../../../lib/bytes.js';
import { PoolError } from '../../../lib/errors.js';
import { availableParallelism } from '../../../lib/linux/index.js';
import { defaultMaxObjects } from './capacity.js';
import { NODES_MAX, type Plan } from './geometry.js';
import { METADATA_BYTES_MAX } from './layout.js';
import type { SpaceName } from './spaceinfo.js';
import type {
  ConnectOptions,
  CreateOptions,
  Eviction,
  FormatOptions,
  PoolSizeOptions,
  SubscribeOptions,
  WaitOptions,
} from './types.js';

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
export const EVICTIONS = ['s3-fifo', 'sieve', 'lru', 'none', 'adaptive-2q'] as const;
const EVICTION_USUAL: Eviction = 'adaptive-2q';
const SIZE_MIN = 256 * 1024;
/** Of what a synchronous call may wait at most, where somebody wants that. */
const SYNC_WAIT_MS_MAX = 60_000;
const DEFAULT_PAGE_BYTES = 8192;
const NODES_USUAL = 64;
const NODES_PER_PROCESSOR = 4;

export const SIZE_FORMS = "Give bytes as an integer, or a string such as '512MiB', '64 KB' or '4g'.";

/** Bytes of what parseSize takes; NaN for anything else. */
export function readSize(value: number | string): number {
  if (typeof value !== 'string') return typeof value === 'number' ? value : Number.NaN;
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*$/i.exec(value);
  const unit = match === null ? undefined : UNITS[(match[2] ?? '').toLowerCase()];
  return match === null || unit === undefined ? Number.NaN : Math.floor(Number(match[1]) * unit);
}

const bytes = z
  .custom<number | string>((value) => Number.isSafeInteger(readSize(value as string)), {
    error: ({ input }) => `${JSON.stringify(input) ?? String(input)} is no size. ${SIZE_FORMS}`,
  })
  .transform(readSize);
const signal = z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'expected an AbortSignal');

/** A Uint8Array of whatever realm, as a view whose length stays. */
export function bytesSchema(what: string) {
  return z.custom<Uint8Array>(isBytes, 'expected a Uint8Array').transform((value) => takeBytes(value, what));
}

const tooSmall = `too small: a pool has at least ${SIZE_MIN} bytes (256KiB).`;

const count = z
  .number()
  .int()
  .min(1)
  .max(2 ** 30);
const maxNodes = z.number().int().min(1).max(NODES_MAX).optional();
const eviction = z.enum(EVICTIONS).optional();
const poolSizeSchema = z.strictObject({ pageSize: count, maxObjects: count, maxNodes, eviction });

const formatSchema = z.strictObject(
  {
    pageSize: count.optional(),
    maxObjects: count.optional(),
    ...{ maxNodes, eviction },
    size: bytes.refine((size) => size >= SIZE_MIN, tooSmall),
    coherence: z.literal('hardware').optional(),
    mode: z.number().int().min(0).max(0o777).optional(),
    force: z.boolean().optional(),
  },
  { error: ({ code }) => (code === 'invalid_type' ? "expected an object such as { size: '512MiB' }" : undefined) },
);

const connectSchema = z.strictObject({
  create: formatSchema.optional(),
  onMismatch: z.enum(['keep', 'error', 'replace']).optional(),
  replace: z.literal('mismatch').optional(),
  onMoved: z
    .custom<ConnectOptions['onMoved']>((value) => value === 'warn' || typeof value === 'function', {
      error: ({ input }) =>
        `expected 'warn' or a function that connects anew, not ${input === 'follow' ? "'follow': see docs/OPERATIONS.md" : String(input)}`,
    })
    .optional(),
  trustUids: z.array(z.number().int().min(0)).optional(),
  coherence: z.literal('hardware').optional(),
  name: z.string().optional(),
  readOnly: z.boolean().optional(),
  nearEntries: z
    .number()
    .int()
    .min(0)
    .max(2 ** 24)
    .optional(),
  maxPinShare: z.number().positive().max(1).optional(),
  prefault: z.enum(['none', 'sync', 'background']).optional(),
  timeoutMs: z.number().min(0).optional(),
  syncWaitMs: z.number().min(0).max(SYNC_WAIT_MS_MAX).optional(),
  signal: signal.optional(),
});

const createSchema = z.strictObject({
  metadata: bytesSchema('metadata').optional(),
  ttlMs: z.number().positive().finite().optional(),
  retain: z.boolean().optional(),
});

const waitSchema = z.strictObject({ timeoutMs: z.number().min(0).optional(), signal: signal.optional() });

const subscribeSchema = z.strictObject({
  prefix: z.union([z.string(), bytesSchema('prefix')]).optional(),
  replay: z.boolean().optional(),
  signal: signal.optional(),
});

/** The value as the schema gives it. Throws OPTION_INVALID, which names the option. */
export function checkOptions<T>(schema: z.ZodType, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data as T;
  const [issue] = result.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? what : `${what}.${issue.path.join('.')}`;
  const message = (issue?.message ?? 'invalid').replace(/^Invalid input: /, '').replace(/\.$/, '');
  throw new PoolError('OPTION_INVALID', `${where}: ${message}.`, { option: where });
}

/** Throws OPTION_INVALID. */
export function checkPath(path: unknown): void {
  if (typeof path === 'string' && path.length > 0 && !path.includes('\u0000')) return;
  const kind = path instanceof URL ? 'a URL (fileURLToPath of node:url makes a path of it)' : describeValue(path);
  throw new PoolError('OPTION_INVALID', `path: expected the path of a file as a string, not ${kind}.`, {
    option: 'path',
  });
}

function describeValue(value: unknown): string {
  if (typeof value === 'string') return value.length === 0 ? 'an empty one' : 'one with a zero byte in it';
  return value === null || value === undefined ? String(value) : `a value of type ${typeof value}`;
}

export interface CheckedFormat {
  readonly plan: Plan;
  /** What of the plan was asked for by name. */
  readonly given: { readonly [name in keyof Plan]?: Plan[name] | undefined };
  readonly mode: number;
  readonly force: boolean;
}

type Formatted = z.output<typeof formatSchema>;

/** Several processes on each processor of a large machine, and enough of a small one's. */
export function nodesByDefault(processors = availableParallelism()): number {
  return Math.min(NODES_MAX, Math.max(NODES_USUAL, processors * NODES_PER_PROCESSOR));
}

function defaultsOf(options: { maxNodes?: number | undefined; eviction?: Eviction | undefined }) {
  return { maxNodes: options.maxNodes ?? nodesByDefault(), eviction: options.eviction ?? EVICTION_USUAL };
}

/** Throws OPTION_INVALID. */
export function checkPoolSize(options: PoolSizeOptions): Omit<Plan, 'size'> {
  const checked = checkOptions<PoolSizeOptions>(poolSizeSchema, options, 'poolSizeFor');
  return { ...checked, ...defaultsOf(checked) };
}

function planOf(options: Formatted): CheckedFormat {
  const mode = options.mode ?? 0o600;
  if ((mode & 0o002) !== 0) throw new PoolError('OPTION_INVALID', 'mode: a world-writable pool would never be opened.');
  const pageSize = options.pageSize ?? DEFAULT_PAGE_BYTES;
  const room = { size: options.size, pageSize, ...defaultsOf(options) };
  const plan = { ...room, maxObjects: options.maxObjects ?? defaultMaxObjects(room) };
  const { size, maxObjects, maxNodes, eviction } = options;
  const given = { size, pageSize: options.pageSize, maxObjects, maxNodes, eviction };
  return { plan, given, mode, force: options.force ?? false };
}

/** Throws OPTION_INVALID. */
export function checkFormat(options: FormatOptions): CheckedFormat {
  return planOf(checkOptions<Formatted>(formatSchema, options, 'format'));
}

export interface CheckedConnect extends Omit<ConnectOptions, 'create'> {
  readonly create: CheckedFormat | undefined;
}

/** Whether format could have made a pool of this plan. */
export function isPlan(plan: Plan): boolean {
  const { size, pageSize, maxObjects, maxNodes } = plan;
  return formatSchema.safeParse({ size, pageSize, maxObjects, maxNodes }).success;
}

/** Throws OPTION_INVALID. */
export function checkConnect(options: ConnectOptions): CheckedConnect {
  type Checked = z.output<typeof connectSchema>;
  const checked = checkOptions<Checked>(connectSchema, options, 'connect');
  const { create, ...rest } = checked;
  if (rest.replace !== undefined && create === undefined) {
    throw new PoolError('OPTION_INVALID', 'replace: without create there is nothing to put in its place.', {
      option: 'replace',
    });
  }
  return { ...(rest as Omit<ConnectOptions, 'create'>), create: create === undefined ? undefined : planOf(create) };
}

/** Throws OPTION_INVALID. */
export function checkCreate(options: CreateOptions | undefined): CreateOptions {
  if (options === undefined) return {};
  const checked = checkOptions<CreateOptions>(createSchema, options, 'options');
  const metadataLength = checked.metadata?.length ?? 0;
  if (metadataLength > METADATA_BYTES_MAX) {
    throw new PoolError('OPTION_INVALID', `metadata: ${metadataLength} bytes; at most ${METADATA_BYTES_MAX} are kept.`);
  }
  return checked;
}

/** Throws OPTION_INVALID. */
export function checkWait(options: WaitOptions | undefined): WaitOptions {
  return options === undefined ? {} : checkOptions<WaitOptions>(waitSchema, options, 'options');
}

/** Throws OPTION_INVALID. */
export function checkSubscribe(options: SubscribeOptions | undefined): SubscribeOptions {
  return options === undefined ? {} : checkOptions<SubscribeOptions>(subscribeSchema, options, 'options');
}

const name = z.string().refine((value) => !value.includes('\u0000'), 'must not hold the character U+0000');
const spaceName = z
  .object({ kind: z.enum(['cache', 'pages']), name, namespace: name.optional() })
  .refine((value) => value.kind === 'cache' || value.name !== '', 'a page space has a name');

/** Throws OPTION_INVALID. What spaces() gives may be given back. */
export function checkSpaceName(space: string | SpaceName): string | SpaceName {
  return typeof space === 'string' ? space : checkOptions<SpaceName>(spaceName, space, 'space');
}
