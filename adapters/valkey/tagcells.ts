/** Tags as the tier has them: by name, for the pools that get the value, and by the cells of their invalidations (V5 of scripts.ts). */
import { createHash } from 'node:crypto';
import { PoolError } from '../../lib/errors.js';

/** Of 65,536, as two bytes name. */
const CELLS_A_TAG = 4;
const TAGS_MAX = 128;

/** The cells of each tag, one tag after the other; '' of none. */
export function cellsOf(tags: readonly string[]): string {
  const cells: number[] = [];
  for (const tag of new Set(tags)) {
    const digest = createHash('sha256').update(tag).digest();
    for (let i = 0; i < CELLS_A_TAG; i++) cells.push(digest.readUInt16LE(i * 2));
  }
  return cells.join(' ');
}

/** Throws OPTION_INVALID for what are no tags, as SharedCache does. */
export function checkTags(tags: readonly string[] | undefined): readonly string[] | undefined {
  if (tags === undefined) return undefined;
  const isRight = (tag: unknown) =>
    typeof tag === 'string' && tag.length >= 1 && tag.length <= 1024 && tag.isWellFormed();
  if (Array.isArray(tags) && tags.length <= TAGS_MAX && tags.every(isRight)) return [...tags];
  throw new PoolError('OPTION_INVALID', 'tags: expected up to 128 names of 1 to 1,024 characters.', { option: 'tags' });
}

/** What the log says of an invalidation of tags. */
export interface EndOfTags {
  readonly tags: readonly string[];
  /** How long what they end may be served stale, in milliseconds; 0 for not at all. */
  readonly staleFor: number;
}

export function encodeEnd({ tags, staleFor }: EndOfTags): string {
  return JSON.stringify({ tags, staleFor });
}

/** Undefined for what is none. */
export function decodeEnd(text: string): EndOfTags | undefined {
  try {
    const { tags, staleFor } = JSON.parse(text) as EndOfTags;
    const isRight = decodeTags(JSON.stringify(tags)) !== undefined && Number.isFinite(staleFor) && staleFor >= 0;
    return isRight ? { tags, staleFor } : undefined;
  } catch {
    return undefined;
  }
}

/** The names with a value, as JSON; undefined for what is none. */
export function decodeTags(text: string): readonly string[] | undefined {
  if (text === '') return [];
  try {
    const names = JSON.parse(text) as unknown;
    return Array.isArray(names) && names.every((name) => typeof name === 'string' && name !== '') ? names : undefined;
  } catch {
    return undefined;
  }
}
