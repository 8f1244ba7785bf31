/**
 * The log of a space, read on: what other hosts have changed, in their order. Pure but for the connection it is given.
 *
 * (R1) an entry is applied before the place moves to it: who takes over from a place applies some twice, which harms nothing, and misses none.
 * (R2) counts without a gap, or nothing is known: a gap, and an entry that cannot be read, drop everything. What was applied before
 *      is passed over.
 */
import type { Connection } from './connection.js';
import { isBelow, type Place, type TierSpace } from './space.js';
import { decodeEnd, type EndOfTags } from './tagcells.js';

/** What is done to the pool. */
export interface Target {
  /** The key is not what it was; undefined for every key. */
  drop(key: Uint8Array | undefined): void;
  /** What has one of the tags is not what it was. */
  endTags(end: EndOfTags): void;
}

export interface FeedCounts {
  /** Entries applied. */
  applied: number;
  /** Times that entries were missing, or could not be read. */
  gaps: number;
}

interface Entry {
  readonly count: string;
  readonly nonce: string;
  readonly kind: string;
  readonly key: Uint8Array;
  /** Of kind 'tags'. */
  readonly end: EndOfTags | undefined;
}

const FIELDS = 8;

/** Undefined for what is no entry of ours. */
function entryOf(raw: unknown): Entry | undefined {
  if (!Array.isArray(raw) || raw.length !== 2 || !Array.isArray(raw[1]) || raw[1].length !== FIELDS) return undefined;
  const count = /^(\d{1,16})-0$/.exec(String(raw[0]))?.[1];
  const fields = raw[1] as unknown[];
  if (count === undefined || String(fields[0]) !== 'n' || String(fields[2]) !== 'k' || String(fields[4]) !== 'v')
    return undefined;
  const [nonce, kind, key] = [String(fields[1]), String(fields[3]), fields[5]];
  if (!(key instanceof Uint8Array)) return undefined;
  const end = kind === 'tags' ? decodeEnd(Buffer.from(key).toString()) : undefined;
  const isKnown = kind === 'all' || (kind === 'key' && key.length > 0) || end !== undefined;
  return isKnown ? { count, nonce, kind, key, end } : undefined;
}

/** The entries of a reply of XREAD, of RESP2 or 3; none for null. */
function entriesOf(reply: unknown): readonly unknown[] | undefined {
  if (reply === null) return [];
  const first = Array.isArray(reply) ? (reply[0] as unknown[] | undefined)?.[1] : Object.values(reply as object)[0];
  return Array.isArray(first) ? first : undefined;
}

/** Applies a reply to XREAD from the place on, and gives the place after it. */
export function applyEntries(reply: unknown, from: Place, target: Target, counts: FeedCounts): Place {
  let place = from;
  const entries = entriesOf(reply);
  for (const raw of entries ?? [undefined]) {
    const entry = entryOf(raw);
    if (entry !== undefined && !isBelow(place.count, entry.count)) continue;
    const isNext = entry !== undefined && Number(entry.count) === Number(place.count) + 1;
    // (R2)
    if (!isNext && entry?.kind !== 'all') counts.gaps++;
    if (isNext && entry.end !== undefined) target.endTags(entry.end);
    else target.drop(isNext && entry.kind === 'key' ? entry.key : undefined);
    counts.applied++;
    // (R1) What cannot be read says no place either: the next check finds one.
    if (entry !== undefined) place = { count: entry.count, nonce: entry.nonce };
  }
  return place;
}

/** One round: whether the history is still ours, and what has come since, waited for up to `blockMs`. Undefined where it is not. */
export async function readOn(
  space: TierSpace,
  connection: Connection,
  place: Place,
  blockMs: number,
): Promise<{ reply: unknown } | undefined> {
  const [checked, reply] = await Promise.all([space.check(connection, place), space.read(connection, place, blockMs)]);
  return checked.history === 0 ? { reply } : undefined;
}
