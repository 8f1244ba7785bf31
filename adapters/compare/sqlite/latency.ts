/**
 * Counts of latencies in logarithmic buckets of 1/32 octave, so that quantiles are within 3 % and the counts of several
 * processes add up: a perf_hooks histogram cannot be sent over a child's IPC channel.
 */
const SUB_BITS = 5;
const SUB_COUNT = 1 << SUB_BITS;
const BUCKET_COUNT = SUB_COUNT * (33 - SUB_BITS);
const VALUE_MAX = 2 ** 31 - 1;

export class Latency {
  private readonly counts = new Array<number>(BUCKET_COUNT).fill(0);
  private total = 0;

  record(nanoseconds: number): void {
    const value = Math.min(Math.max(nanoseconds, 0), VALUE_MAX) | 0;
    const shift = Math.max(0, 31 - SUB_BITS - Math.clz32(value));
    const bucket = shift * SUB_COUNT + (value >> shift);
    this.counts[bucket]! += 1;
    this.total += 1;
  }

  /** The counts, to be sent and added elsewhere. */
  export(): number[] {
    return this.counts.slice();
  }

  add(counts: readonly number[]): void {
    for (const [bucket, count] of counts.entries()) {
      this.counts[bucket]! += count;
      this.total += count;
    }
  }

  /** Nanoseconds, the middle of the bucket that holds the quantile (0..1); 0 without records. */
  quantile(share: number): number {
    let rank = Math.max(1, Math.ceil(share * this.total));
    for (const [bucket, count] of this.counts.entries()) {
      rank -= count;
      if (rank <= 0) return middle(bucket);
    }
    return 0;
  }
}

function middle(bucket: number): number {
  if (bucket < 2 * SUB_COUNT) return bucket;
  const shift = Math.floor(bucket / SUB_COUNT) - 1;
  return (bucket - shift * SUB_COUNT + 0.5) * 2 ** shift;
}
