/**
 * Sizes as people type them: plain bytes, 64MiB, 64MB or 64M, and shares such as 10%. All units are
 * powers of 1024, as in the sizes that the library takes.
 *
 * (Z1) parseSize(formatSize(bytes)) is bytes, for every whole number of bytes that a double holds exactly.
 */
import { PoolError } from '../../lib/errors.js';

const KIBI = 1024;

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: KIBI,
  mb: KIBI ** 2,
  gb: KIBI ** 3,
  tb: KIBI ** 4,
  k: KIBI,
  m: KIBI ** 2,
  g: KIBI ** 3,
  t: KIBI ** 4,
  kib: KIBI,
  mib: KIBI ** 2,
  gib: KIBI ** 3,
  tib: KIBI ** 4,
};

const binaryUnits = ['', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
const FORMS = "a size is bytes, or a number with a unit, such as 65536, 512KB, 64MiB or '1.5 GiB'";
const PERCENT_MAX = 1000;

function invalid(option: string, text: string, reason: string): PoolError {
  return new PoolError('OPTION_INVALID', `${option} ${JSON.stringify(text)}: ${reason}.`, { option, value: text });
}

/** Whole bytes, at least 1; a fraction of a byte is dropped. `option` is named in the error. Throws OPTION_INVALID. */
export function parseSize(text: string, option = 'size'): number {
  const [, digits, unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  if (digits === undefined) throw invalid(option, text, FORMS);
  const factor = Object.hasOwn(unitBytes, unit.toLowerCase()) ? unitBytes[unit.toLowerCase()] : undefined;
  if (factor === undefined) throw invalid(option, text, `the unit ${JSON.stringify(unit)} is unknown; ${FORMS}`);
  const bytes = Math.floor(Number(digits) * factor);
  if (bytes < 1) throw invalid(option, text, 'it has to be at least 1 byte');
  if (!Number.isSafeInteger(bytes)) throw invalid(option, text, 'it is larger than any file can be');
  return bytes;
}

/** Exact, in the largest binary unit that divides the bytes: 64MiB, 1000. */
export function formatSize(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value !== 0 && value % KIBI === 0 && unit < binaryUnits.length - 1) {
    value /= KIBI;
    unit++;
  }
  return `${value}${binaryUnits[unit]}`;
}

/** Bytes of a size as parseSize takes it, or a share such as '10%', to four decimals. Throws OPTION_INVALID. */
export function parseMemory(text: string, option = 'memory'): number | `${number}%` {
  if (!text.trim().endsWith('%')) return parseSize(text, option);
  const [, digits] = /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(text) ?? [];
  if (digits === undefined) throw invalid(option, text, "a share is a number and a percent sign, such as '10%'");
  // Rounded so that no share is written with an exponent.
  const percent = Number(Number(digits).toFixed(4));
  if (percent <= 0 || percent > PERCENT_MAX) {
    throw invalid(option, text, `a share is more than 0 % and at most ${PERCENT_MAX} %`);
  }
  return `${percent}%`;
}
