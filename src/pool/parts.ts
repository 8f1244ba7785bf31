/** The parts of one attached node that protocol code works with, made once at attach. */
import type { Counters } from '../../lib/counters.js';
import type { Machine } from '../../lib/machine.js';
import type { Words } from '../../lib/words.js';
import type { Bells } from './bells.js';
import type { CheckpointDirectory } from './checkpointdirectory.js';
import type { Chunks } from './chunks.js';
import type { EventLog } from './eventlog.js';
import type { Extents } from './extents.js';
import type { Geometry } from './geometry.js';
import type { HazardScan } from './hazards.js';
import { NodeRow } from './layout.js';
import type { Locks } from './locks.js';
import type { Nodes } from './nodes.js';
import type { Policy } from './policy/index.js';
import type { RetireLog } from './retirelog.js';
import type { Segment } from './segment.js';
import type { Shards } from './shards.js';
import type { Slots } from './slots.js';
import type { Spaces } from './spaces.js';
import type { Stripes } from './stripes.js';
import type { Table } from './table.js';
import type { TouchDrain } from './touches.js';

export interface Parts {
  readonly segment: Segment;
  readonly geometry: Geometry;
  readonly words: Words;
  readonly counters: Counters;
  readonly machine: Machine;
  readonly nodes: Nodes;
  readonly locks: Locks;
  readonly shards: Shards;
  readonly slots: Slots;
  readonly table: Table;
  readonly chunks: Chunks;
  readonly extents: Extents;
  readonly stripes: Stripes;
  readonly spaces: Spaces;
  readonly checkpoints: CheckpointDirectory;
  readonly log: RetireLog;
  readonly policies: readonly Policy[];
  readonly scan: HazardScan;
  readonly touchDrain: TouchDrain;
  readonly bells: Bells;
  readonly events: EventLog;
}

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
