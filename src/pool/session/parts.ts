/** All that one attached node is made of, put together once at attach. Each class of the rooms below takes the few it uses. */

import type { Counters } from '../../../lib/counters.js';
import type { Machine } from '../../../lib/machine.js';
import type { Words } from '../../../lib/words.js';
import type { EventLog } from '../events/index.js';
import type { Geometry, Segment } from '../layout/index.js';
import type { HazardScan, RetireLog, TouchDrain } from '../near/index.js';
import type { Bells, Calls, Fences, Locks, Nodes } from '../nodes/index.js';
import type {
  CheckpointDirectory,
  Shards,
  Slots,
  Spaces,
  Stripes,
  Table,
  Tags,
  VersionBounds,
} from '../objects/index.js';
import type { Policy } from '../policy/index.js';
import type { Chunks, Extents } from '../space/index.js';

export interface NodeParts {
  readonly segment: Segment;
  readonly geometry: Geometry;
  readonly words: Words;
  readonly counters: Counters;
  readonly machine: Machine;
  readonly nodes: Nodes;
  readonly calls: Calls;
  readonly locks: Locks;
  readonly shards: Shards;
  readonly slots: Slots;
  readonly table: Table;
  readonly chunks: Chunks;
  readonly extents: Extents;
  readonly stripes: Stripes;
  readonly versionBounds: VersionBounds;
  readonly spaces: Spaces;
  readonly tags: Tags;
  readonly checkpoints: CheckpointDirectory;
  readonly log: RetireLog;
  readonly policies: readonly Policy[];
  readonly fences: Fences;
  readonly scan: HazardScan;
  readonly touchDrain: TouchDrain;
  readonly bells: Bells;
  readonly events: EventLog;
}
