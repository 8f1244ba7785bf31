/** What a writer says of a draft, and who has one. */
import { type Geometry, STATE_DRAFT, STATE_MASK } from '../layout/index.js';
import {
  type DraftFields,
  NO_FIELDS,
  Probe,
  type Shards,
  type Slots,
  type Spaces,
  type Table,
} from '../objects/index.js';

/** A draft of this node. */
export interface DraftPlace {
  readonly slot: number;
  readonly shard: number;
  readonly generation: number;
  readonly extent: number;
}

export type CreateOutcome = DraftPlace | 'exists' | 'full';
/** stale: the lease's page was invalidated since; lost: the draft is no longer this node's; full: no room in the table. */
export type SealOutcome = 'sealed' | 'stale' | 'lost' | 'full';

/** A draft of any node, as one may have met it: by now it may be over. */
export interface DraftName {
  readonly slot: number;
  readonly generation: number;
  /** The row of its node. */
  readonly row: number;
}

/** The draft under the key and from-version; undefined where there is none, or it is of a dropped space. A look without the lock. */
export function draftUnder(
  parts: {
    readonly geometry: Geometry;
    readonly table: Table;
    readonly slots: Slots;
    readonly shards: Shards;
    readonly spaces: Spaces;
  },
  fields: DraftFields,
): DraftName | undefined {
  const { table, slots, shards, spaces } = parts;
  const shard = shards.ofHash(fields.hashLow);
  const probe = new Probe();
  table.begin(probe, shard, fields.hashLow, fields.hashHigh);
  for (let local = table.next(probe); local >= 0; local = table.next(probe)) {
    const slot = shard * parts.geometry.slotsPerShard + local;
    const generation = slots.generation(slot);
    if ((slots.stateWord(slot) & STATE_MASK) !== STATE_DRAFT) continue;
    if (!slots.keyEquals(slot, fields.key, fields.keyLength) || slots.from(slot) !== fields.from) continue;
    if (spaces.isCurrent(slots.space(slot), slots.spaceGeneration(slot)))
      return { slot, generation, row: slots.ownerRow(slot) };
  }
  return undefined;
}

/**
 * The fields of a draft of that key: what `changes` does not name is nothing. One literal, as a spread of so many costs as much
 * as a copy of a page.
 */
export function fieldsOf(
  key: Uint8Array,
  keyLength: number,
  hashLow: number,
  hashHigh: number,
  changes: Partial<DraftFields>,
): DraftFields {
  return {
    key,
    keyLength,
    hashLow,
    hashHigh,
    size: changes.size ?? 0,
    metadata: changes.metadata ?? NO_FIELDS.metadata,
    expiry: changes.expiry ?? 0,
    keptMs: changes.keptMs ?? 0,
    marks: changes.marks,
    flags: changes.flags ?? 0,
    space: changes.space ?? 0,
    spaceGeneration: changes.spaceGeneration ?? 0,
    from: changes.from ?? 0,
    until: changes.until ?? Number.POSITIVE_INFINITY,
    leaseCount: changes.leaseCount ?? 0,
  };
}
