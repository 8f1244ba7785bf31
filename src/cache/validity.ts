/**
 * For which versions what a loader answered is right. A page is stored as valid from one version to before another, so this decides
 * whom it answers. `asOf` is the version that was asked for; without it the newest page was.
 *
 * The loader has to tell the version that made the page what it is: its last change up to `asOf`, as a page's LSN, not `asOf`
 * itself, nor whatever the source has by now. Only he knows it.
 *
 * (Y1) an answer as of V that came to be with F says that nothing changed the page after F and up to V. So it is stored for F to V,
 *      both included, and answers no later version: there may be one that nobody has told the pool.
 * (Y2) a loader who knows when the page changes next says so (`until`), Infinity where it is the newest. Without an end it is refused
 *      as a put would be: where the pool knows a newer version, or hears of one while the load runs. What the pool knows may be of
 *      other pages (versionbounds.ts): while the lease holds it is stored from the version asked for on, and where that is refused as
 *      well for that version alone. (Y3) does no harm here, as the page with the lower F is then taken the same way.
 * (Y3) an answer without F is right for V, but V is no version of the page. Stored from V on, it would end the page before it,
 *      which goes on; when it had left, what was to be refused for being older would be the true page, whose F is lower, for
 *      as long as the space is not dropped; and each version asked for would have a copy. So it is its caller's alone.
 * (Y4) an F after V, or an end up to V, is the answer to another question. Nobody gets it.
 * (Y5) the newest page without an F is one of a space without versions, from 0 on.
 * (Y6) another answer of the same F that is valid for longer takes the place of the one before (Writer.publishDetached).
 */
import { PoolError } from '../../lib/errors.js';

/** From one version to before another, Infinity for an open end. */
export interface Validity {
  readonly from: number;
  readonly until: number;
}

/** 'unversioned': the newest page of a loader that knows no versions (Y5). 'untold': (Y3). */
export type Told = Validity | 'unversioned' | 'untold';

/** What the answer says of versions. Throws OPTION_INVALID. */
export function validityOf(answer: unknown, asOf: number | undefined): Told {
  const { from, until } = wordsOf(answer);
  if (from === undefined) {
    if (until !== undefined) throw refused('until', until, 'says nothing without from, the version that made the page');
    return asOf === undefined ? 'unversioned' : 'untold';
  }
  if (!isVersion(from)) throw refused('from', from, 'is no version: a safe integer from 0');
  if (until !== undefined && until !== Number.POSITIVE_INFINITY && !isVersion(until)) {
    throw refused('until', until, 'is no version: a safe integer from 0, or Infinity');
  }
  if (asOf === undefined) {
    if (until === undefined || until === Number.POSITIVE_INFINITY) return { from, until: Number.POSITIVE_INFINITY };
    throw refused('until', until, 'is the end of a page, but the newest was asked for, which has none');
  }
  if (from > asOf) throw refused('from', from, `is after the version asked for, ${asOf}`);
  if (until !== undefined && until <= asOf)
    throw refused('until', until, `is not after the version asked for, ${asOf}`);
  return { from, until: until ?? asOf + 1 };
}

function wordsOf(answer: unknown): { from?: unknown; until?: unknown } {
  return typeof answer === 'object' && answer !== null && !ArrayBuffer.isView(answer) ? answer : {};
}

function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function refused(what: string, value: unknown, why: string): PoolError {
  const shown = typeof value === 'number' || typeof value === 'bigint' ? String(value) : `a ${typeof value}`;
  return new PoolError('OPTION_INVALID', `load: it answered ${what}: ${shown}, which ${why}.`, { option: what });
}
