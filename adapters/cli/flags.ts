/** Parsers of option values. All throw OPTION_INVALID and name the option. */
import { PoolError } from '../../lib/errors.js';

/** A decimal whole number between the bounds, both included. */
export function integerBetween(option: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new PoolError(
      'OPTION_INVALID',
      `${option} ${JSON.stringify(text)}: it is a whole number from ${min} to ${max}.`,
      { option, value: text },
    );
  };
}

export function oneOf<const T extends string>(option: string, values: readonly T[]): (text: string) => T {
  return (text) => {
    const value = values.find((candidate) => candidate === text);
    if (value !== undefined) return value;
    throw new PoolError('OPTION_INVALID', `${option} ${JSON.stringify(text)}: it is one of ${values.join(', ')}.`, {
      option,
      value: text,
    });
  };
}

/** A key as typed, or its bytes from base64url, as `ls` shows keys that are not UTF-8. */
export function parseKey(text: string, base64url: boolean): string | Uint8Array {
  if (!base64url) return text;
  if (!/^[A-Za-z0-9_-]+$/.test(text)) {
    throw new PoolError('OPTION_INVALID', `KEY ${JSON.stringify(text)}: it is not base64url.`, { value: text });
  }
  return new Uint8Array(Buffer.from(text, 'base64url'));
}

export interface TrustFlag {
  readonly trustUid?: readonly number[];
}

export const TRUST_FLAG = '--trust-uid <uid>';
export const TRUST_HELP = 'open a pool of this user as well; may be given more than once';
const UID_MAX = 2 ** 32 - 2;

export function trusting(text: string, before: readonly number[] = []): readonly number[] {
  return [...before, integerBetween('--trust-uid', 0, UID_MAX)(text)];
}

/** As the calls of the pool take it. */
export function trustOf({ trustUid }: TrustFlag): { trustUids?: number[] } {
  return trustUid === undefined ? {} : { trustUids: [...trustUid] };
}
