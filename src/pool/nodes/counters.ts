/** What each node counts, in its own row: 64-bit places that only it writes. */
import { type Geometry, NodeRow } from '../layout/index.js';

export const COUNTER_NAMES = [
  'nearHits',
  'tableHits',
  'misses',
  'loads',
  'loadFailures',
  'loadMicroseconds',
  'waits',
  'staleFills',
  'unshared',
  'evictions',
] as const;
export type CounterName = (typeof COUNTER_NAMES)[number];

/** Place of a row's counter among the 64-bit places of the segment. */
export function counterIndex(geometry: Geometry, row: number, name: CounterName): number {
  return (geometry.regions.nodeRows.word + row * NodeRow.words + NodeRow.word[name]) / 2;
}
