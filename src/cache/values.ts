/**
 * Values in place of bytes: what a codec makes of them. A hit costs what the codec costs, for each caller anew: nothing is shared of
 * a value but its bytes.
 */
import { PoolError } from '../../lib/errors.js';
import { type Shown, showAs } from '../../lib/shown.js';
import type { Key } from '../pool/index.js';
import type { FetchOptions } from './options.js';
import { type Codec, type Loader, notFound, type SetOptions, type ValueLoader } from './types.js';

const encoder = new TextEncoder();
// What was stored with a mark of byte order is given back with it.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function encodeText(text: unknown): Uint8Array {
  if (typeof text !== 'string') throw invalid(`expected a string, not ${text === null ? 'null' : `a ${typeof text}`}`);
  if (!text.isWellFormed()) throw invalid('the string holds half of a surrogate pair, which UTF-8 cannot');
  return encoder.encode(text);
}

function encodeJson(value: unknown): Uint8Array {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw invalid(`a ${typeof value} is nothing in JSON`);
  return encoder.encode(text);
}

function decodeJson(bytes: Uint8Array): unknown {
  const text = decoder.decode(bytes);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PoolError(
      'OPTION_INVALID',
      'codec: what is stored under the key is no JSON.',
      { option: 'codec' },
      cause,
    );
  }
}

function invalid(why: string): PoolError {
  return new PoolError('OPTION_INVALID', `value: ${why}.`, { option: 'value' });
}

const CODECS: Readonly<Record<'json' | 'string', Codec<never>>> = {
  json: { encode: encodeJson, decode: decodeJson as (bytes: Uint8Array) => never },
  string: {
    encode: encodeText,
    decode: ((bytes: Uint8Array) => decoder.decode(bytes)) as (bytes: Uint8Array) => never,
  },
};

/** Throws OPTION_INVALID. */
export function codecOf<T>(codec: 'json' | 'string' | Codec<T>): Codec<T> {
  if (codec === 'json' || codec === 'string') return CODECS[codec] as Codec<unknown> as Codec<T>;
  const { encode, decode } = (codec ?? {}) as Partial<Codec<T>>;
  if (typeof encode === 'function' && typeof decode === 'function') return codec;
  throw new PoolError('OPTION_INVALID', "codec: expected 'json', 'string', or an object with encode and decode.", {
    option: 'codec',
  });
}

/** The cache below, as far as values need one. */
export interface BytesCache<Stored, Deleted> extends Shown {
  borrow(key: Key): Uint8Array | undefined;
  set(key: Key, bytes: Uint8Array, options?: SetOptions): Stored;
  with<T>(key: Key, load: Loader, use: (bytes: Uint8Array) => T, options?: FetchOptions): Promise<T>;
  has(key: Key): boolean;
  delete(key: Key): Deleted;
}

/** `Stored` and `Deleted`: what `set` and `delete` of the cache below give; promises where it has to ask others. */
export class ValueCache<T, Stored = boolean, Deleted = boolean> implements Shown {
  // First: see UNCLONEABLE.
  private readonly cache: BytesCache<Stored, Deleted>;
  private readonly codec: Codec<T>;

  constructor(cache: BytesCache<Stored, Deleted>, codec: Codec<T>) {
    this.cache = cache;
    this.codec = codec;
  }

  /** A value of one's own; undefined on a miss. Throws what the codec throws: OPTION_INVALID for what is no JSON. */
  get(key: Key): T | undefined {
    const bytes = this.cache.borrow(key);
    return bytes === undefined ? undefined : this.codec.decode(bytes);
  }

  /** As set of the cache. Throws what the codec throws: OPTION_INVALID for what is nothing in JSON, or no string. */
  set(key: Key, value: T, options?: SetOptions): Stored {
    return this.cache.set(key, this.codec.encode(value), options);
  }

  /**
   * The value; on a miss loaded once across all nodes. Who loads gets what comes back of it, as the others do. Rejects as fetch of the
   * cache does, and with what the codec throws.
   */
  fetch(key: Key, load: ValueLoader<T>, options?: FetchOptions): Promise<T> {
    const { codec } = this;
    const loader = typeof load !== 'function' ? load : encoded(codec, load);
    return this.cache.with(key, loader as never, (bytes) => codec.decode(bytes), options);
  }

  has(key: Key): boolean {
    return this.cache.has(key);
  }

  /** As delete of the cache. */
  delete(key: Key): Deleted {
    return this.cache.delete(key);
  }

  toJSON(): object {
    return this.cache.toJSON();
  }
}

function encoded<T>(codec: Codec<T>, load: ValueLoader<T>) {
  return async (key: Key, context: { signal: AbortSignal }) => {
    const value = await load(key, context);
    return value === notFound ? notFound : codec.encode(value as T);
  };
}

showAs(ValueCache, 'ValueCache');
