/** A histogram of microseconds in shared words: eight buckets to a doubling, and the exact maximum in front. */
import type { Words } from '../../lib/words.js';

const STEPS = 8;
const STEP_BITS = 3;
const BUCKETS = STEPS + (31 - STEP_BITS) * STEPS;
export const HISTOGRAM_WORDS = 1 + BUCKETS;

function bucketOf(microseconds: number): number {
  if (microseconds < STEPS) return microseconds;
  const exponent = 31 - Math.clz32(microseconds);
  return STEPS + (exponent - STEP_BITS) * STEPS + ((microseconds >>> (exponent - STEP_BITS)) & (STEPS - 1));
}

/** The largest value of a bucket. */
function topOf(bucket: number): number {
  if (bucket < STEPS) return bucket;
  const shift = Math.floor((bucket - STEPS) / STEPS);
  return (STEPS + ((bucket - STEPS) % STEPS) + 1) * 2 ** shift - 1;
}

/** Written by one thread at a time. */
export function recordTime(words: Words, at: number, milliseconds: number): void {
  const microseconds = Math.min(0x7fffffff, Math.max(0, Math.round(milliseconds * 1000)));
  if (microseconds > words.read(at)) words.write(at, microseconds);
  words.add(at + 1 + bucketOf(microseconds), 1);
}

export interface Times {
  readonly count: number;
  /** Milliseconds; quantiles are the upper ends of their buckets, which are an eighth wide. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** How many took longer than 100 ms. */
  readonly over100: number;
}

/** The histograms at all of these places, taken together. */
export function timesOf(words: Words, places: readonly number[]): Times {
  const counts = new Float64Array(BUCKETS);
  let maximum = 0;
  for (const at of places) {
    maximum = Math.max(maximum, words.load(at));
    for (let i = 0; i < BUCKETS; i++) counts[i] = (counts[i] as number) + words.load(at + 1 + i);
  }
  const count = counts.reduce((sum, one) => sum + one, 0);
  const quantile = (part: number) => {
    let left = count * part;
    for (let i = 0; i < BUCKETS; i++) {
      left -= counts[i] as number;
      if (left <= 0 && count > 0) return Math.min(maximum, topOf(i)) / 1000;
    }
    return maximum / 1000;
  };
  let over100 = 0;
  for (let i = 0; i < BUCKETS; i++) if (topOf(i) > 100_000) over100 += counts[i] as number;
  return { count, p50: quantile(0.5), p99: quantile(0.99), p999: quantile(0.999), max: maximum / 1000, over100 };
}

export function timesLine(times: Times): string {
  const ms = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3)).padStart(8);
  return (
    `${String(times.count).padStart(10)} ${ms(times.p50)} ${ms(times.p99)} ${ms(times.p999)} ${ms(times.max)}` +
    ` ${String(times.over100).padStart(8)}`
  );
}

export const TIMES_HEAD = '     count      p50      p99    p99.9      max  >100 ms';
