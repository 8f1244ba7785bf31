/**
 * Upper bounds of versions in one word: exact below 2^26, above that rounded up by less than one in 2^25. Words compare as the
 * bounds do, so one that only ever rises needs no lock.
 */
const EXACT_BITS = 26;
const EXACT = 2 ** EXACT_BITS;
/** No bound at all. */
const BOUNDLESS = 0x7fff_ffff;
const VERSION_BITS = 53;

/** The word of the lowest bound that is not below the version, a safe integer from 0. */
export function boundOf(version: number): number {
  let exponent = 0;
  while (Math.ceil(version / 2 ** exponent) >= EXACT && exponent < VERSION_BITS) exponent++;
  return exponent * EXACT + Math.ceil(version / 2 ** exponent);
}

/** The bound of a word; Infinity for one that is none. */
export function versionOfBound(word: number): number {
  const exponent = Math.floor(word / EXACT);
  if (word < 0 || word === BOUNDLESS || exponent > VERSION_BITS) return Number.POSITIVE_INFINITY;
  return (word % EXACT) * 2 ** exponent;
}
