/** Who holds what: pins and drafts of each node, read without locks. Each count is true of some moment of the look. */
import {
  FLAG_LEASED,
  type Geometry,
  type NodeInfo,
  type NodeRowInfo,
  STATE_DRAFT,
  STATE_MASK,
} from '../layout/index.js';
import type { Nodes } from '../nodes/index.js';
import type { Shards, Slots } from '../objects/index.js';

/** What of a node it works with. */
export interface HolderParts {
  readonly geometry: Geometry;
  readonly nodes: Nodes;
  readonly shards: Shards;
  readonly slots: Slots;
}

interface DraftCounts {
  drafts: number;
  claims: number;
}

/** By row. Only shards that have drafts are looked through. */
function draftsByRow({ geometry, shards, slots }: HolderParts): ReadonlyMap<number, DraftCounts> {
  const counts = new Map<number, DraftCounts>();
  for (let shard = 0; shard < geometry.shards; shard++) {
    if (shards.drafts(shard) === 0) continue;
    for (let local = 0; local < geometry.slotsPerShard; local++) {
      const slot = shard * geometry.slotsPerShard + local;
      if ((slots.stateWord(slot) & STATE_MASK) !== STATE_DRAFT) continue;
      const row = slots.ownerRow(slot);
      const count = counts.get(row) ?? { drafts: 0, claims: 0 };
      count.drafts++;
      if ((slots.flags(slot) & FLAG_LEASED) !== 0) count.claims++;
      counts.set(row, count);
    }
  }
  return counts;
}

/** Bytes of the pages that the row has pinned. */
function pinnedBytesOf({ nodes, slots }: HolderParts, row: number): number {
  let bytes = 0;
  for (const slot of nodes.pinnedSlots(row)) {
    if (slot < slots.total && slots.isInRange(slot)) bytes += slots.size(slot);
  }
  return bytes;
}

/** The rows together with what their nodes hold. */
export function withHoldings(parts: HolderParts, rows: readonly NodeRowInfo[]): NodeInfo[] {
  const counts = draftsByRow(parts);
  return rows.map((row) => {
    const { drafts, claims } = counts.get(row.id) ?? { drafts: 0, claims: 0 };
    return { ...row, pinnedBytes: pinnedBytesOf(parts, row.id), drafts, claims };
  });
}
