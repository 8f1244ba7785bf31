/**
 * How figures are written, in the terminal and in the report alike.
 *
 * (F1) every text is plain: no colour, no markup. (F2) a figure that does not exist is written as a dash, never as 0.
 */

export const MISSING = '–';
const MEBIBYTE = 1024 * 1024;
const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

export function countText(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : MISSING;
}

/** A ratio 0..1 as a percentage. Only a ratio of exactly 1 is written as 100 %. */
export function percentText(ratio: number): string {
  if (!Number.isFinite(ratio)) return MISSING;
  const rounded = Math.round(ratio * 10_000) / 100;
  const shown = rounded >= 100 && ratio < 1 ? 99.99 : rounded;
  return `${shown.toFixed(2)} %`;
}

export function mebibytes(bytes: number): number {
  return bytes / MEBIBYTE;
}

export function mebibytesText(bytes: number): string {
  if (!Number.isFinite(bytes)) return MISSING;
  return mebibytes(bytes).toLocaleString('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

/** Bytes in the largest binary unit that keeps the number at 1 or more, to one decimal: 64 MiB, 1.5 GiB. */
export function bytesText(bytes: number): string {
  if (!Number.isFinite(bytes)) return MISSING;
  let unit = 0;
  let value = bytes;
  // Compared after rounding: 1,023.96 KiB is written 1 MiB, never 1024 KiB.
  while (Math.round(Math.abs(value) * 10) / 10 >= 1024 && unit < binaryUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(1))} ${binaryUnits[unit]}`;
}

/** Microseconds with the digits that carry meaning: 0.42, 8.31, 24.5, 1,204. */
export function microsecondsText(value: number): string {
  if (!Number.isFinite(value)) return MISSING;
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function secondsText(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return MISSING;
  return (milliseconds / 1000).toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

/** How many times `base` goes into `value`; undefined where that has no meaning. */
export function timesOf(value: number, base: number): number | undefined {
  const times = value / base;
  return base > 0 && Number.isFinite(times) ? times : undefined;
}

export function timesText(times: number | undefined): string {
  return times === undefined ? MISSING : `${times < 100 ? times.toFixed(2) : countText(times)}x`;
}

/** Makes control characters visible, so that a key, a name or a path cannot drive the reader's terminal. */
export function visible(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** What no arm shows, of either workload. */
export const PERFECT_PARTITIONING =
  'Perfect partitioning, with one owner per page, would reach nearly the hit ratio of the shared pool, but pays a hop to the owner for most reads.';
