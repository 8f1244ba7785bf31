/**
 * What a loader of pages answers, and what that says of its target.
 *
 * (N1) only what the loader says it filled is believed: nothing, or its target, for all of it; a count for so many bytes from
 *      the start. What it did not fill is zero, or the page is refused; it is never what lay there before.
 */
import { filledOf, isWhole, takeBytes } from '../../lib/bytes.js';
import { PoolError } from '../../lib/errors.js';
import type { Taken } from './fetching.js';
import { checkLife } from './options.js';
import type { LoadedFor } from './types.js';

export interface Filling {
  readonly pageNo: number;
  readonly pageSize: number;
  readonly zeroFill: boolean;
}

/**
 * Makes the target a whole page after its loader has answered. Throws SHORT_LOAD, and OPTION_INVALID for an answer that says
 * nothing of bytes, or a target that was transferred away.
 */
export function completePage(answer: unknown, target: Uint8Array, filling: Filling): void {
  const { pageNo, pageSize, zeroFill } = filling;
  if (!isWhole(target, pageSize)) {
    throw new PoolError('OPTION_INVALID', 'load: it transferred its target away, and with it the page.');
  }
  const count = countOf(answer, target);
  if (count === pageSize) return;
  if (!zeroFill) {
    const message = `load: it filled ${count} of the ${pageSize} bytes of page ${pageNo}.`;
    throw new PoolError('SHORT_LOAD', message, { pageNo, bytes: count, pageSize });
  }
  target.fill(0, count);
}

/** Of the newest page, from another cache. Throws OPTION_INVALID. */
export function takeWithLife({ content, life: told }: LoadedFor, pageSize: number, asOf: number | undefined): Taken {
  const { expiresAtMs, isShared, ...others } = checkLife(told);
  const unfit = Object.entries(others).find(([, value]) => value !== undefined)?.[0];
  if (unfit !== undefined) throw unfitting(`${unfit}, which pages have not`);
  if (asOf !== undefined) throw unfitting('a page that may be of any version');
  const bytes = takeBytes(content, 'what load gave');
  if (bytes.length !== pageSize) throw unfitting(`${bytes.length} bytes, but the pages of this space have ${pageSize}`);
  return { bytes, told: isShared === false ? 'untold' : 'unversioned', life: { expiresAtMs } };
}

function unfitting(what: string): PoolError {
  return new PoolError('OPTION_INVALID', `load: it answered loadedFor with ${what}.`);
}

function countOf(answer: unknown, target: Uint8Array): number {
  if (answer === undefined || isSameView(answer, target)) return target.length;
  const told = filledOf(answer);
  // An answer about versions, which need say nothing of bytes.
  if (told === undefined && (answer as { from?: unknown } | null)?.from !== undefined) return target.length;
  if (typeof told === 'number' && Number.isSafeInteger(told) && told >= 0 && told <= target.length) return told;
  throw new PoolError(
    'OPTION_INVALID',
    `load: it answered ${describe(told === undefined ? answer : told)}; expected nothing, its target, or how many of its ${target.length} bytes it filled, as a number or as bytesRead, with from where it knows versions.`,
  );
}

/** `target.fill(…)` gives its target, as does Buffer's, which is another view of the same bytes. */
function isSameView(answer: unknown, target: Uint8Array): boolean {
  if (answer === target) return true;
  if (!ArrayBuffer.isView(answer)) return false;
  const { buffer, byteOffset, byteLength } = answer;
  return buffer === target.buffer && byteOffset === target.byteOffset && byteLength === target.byteLength;
}

function describe(value: unknown): string {
  return typeof value === 'number' || typeof value === 'bigint' || value === null ? String(value) : `a ${typeof value}`;
}

/**
 * Throws OPTION_INVALID for a promise given to a synchronous call, which would take the page for complete before it is. What
 * becomes of the promise concerns nobody any more.
 */
export function refusePromise(answer: unknown, call: string): void {
  if ((typeof answer !== 'object' && typeof answer !== 'function') || answer === null) return;
  if (typeof (answer as { then?: unknown }).then !== 'function') return;
  new Promise((resolve) => resolve(answer)).catch(() => {});
  throw new PoolError('OPTION_INVALID', `load: it gave a promise; ${call} is synchronous. Use fetch for such loaders.`);
}
