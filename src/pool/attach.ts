/** Putting the parts of one node together over a mapped segment. */

import type { CopyMode, Doorbells, Liveness, Machine } from '../../lib/machine.js';
import { atOnce, type Steps } from '../../lib/steps.js';
import { Reader, Writer } from './access/index.js';
import { EventLog } from './events/index.js';
import { lockCount, type Segment } from './layout/index.js';
import { HazardScan, RetireLog, TouchDrain } from './near/index.js';
import { Bells, Calls, Fences, Locks, Nodes, type Strangers } from './nodes/index.js';
import {
  CheckpointDirectory,
  makePolicies,
  Shards,
  Slots,
  Spaces,
  Stripes,
  Table,
  Tags,
  VersionBounds,
} from './objects/index.js';
import { Repair } from './recovery/index.js';
import type { Attached, NodeParts } from './session/index.js';
import { Chunks, Extents } from './space/index.js';

export interface AttachOptions {
  readonly name: string;
  readonly nearEntries: number;
  readonly copies: CopyMode;
  /** Of the pool's bytes, that the node may pin; without it all. */
  readonly maxPinShare?: number;
  /** How sleeping nodes are woken; without it they look again from time to time. */
  readonly doorbells?: Doorbells;
  /** How long a synchronous call waits for a living holder of a lock. */
  readonly syncWaitMs?: number | undefined;
  /** What was seen of nodes of another boot. */
  readonly strangers?: Strangers;
}

/** The parts that need no row of their own: enough to look, not to write. */
export function partsFor(
  segment: Segment,
  machine: Machine,
  nodes: Nodes,
  onTakeOver: (lock: number) => void,
  syncWaitMs?: number,
): NodeParts {
  const { words, geometry } = segment;
  const chunks = new Chunks(words, geometry, nodes.self, (row) => nodes.isDead(row, false));
  const spaces = new Spaces(words, geometry);
  const slots = new Slots(segment);
  const tags = new Tags(words, geometry, slots);
  const stripes = new Stripes(words, geometry);
  const bells = new Bells(words, geometry, nodes);
  const calls = new Calls(machine);
  const locks = new Locks({
    calls,
    words,
    machine,
    judge: nodes,
    regionWord: geometry.regions.locks.word,
    row: nodes.self,
    waitMs: syncWaitMs,
    repair: onTakeOver,
    // The chunk lock is taken under a shard's: nobody is rung before that one is free as well.
    released: (lock) => {
      if (lock !== geometry.shards) bells.flush();
    },
  });
  const fences = new Fences(words, geometry, machine, nodes);
  chunks.useLocks(locks);
  spaces.useLocks(locks);
  tags.useLocks(locks);
  return {
    segment,
    geometry,
    words,
    counters: segment.counters,
    machine,
    nodes,
    calls,
    locks,
    shards: new Shards(words, geometry),
    slots,
    table: new Table(words, geometry),
    chunks,
    extents: new Extents(words, geometry, chunks),
    stripes,
    spaces,
    tags,
    versionBounds: new VersionBounds(words, geometry, { slots, spaces, stripes }),
    checkpoints: new CheckpointDirectory(words, geometry, locks, nodes),
    log: new RetireLog(words, geometry),
    policies: makePolicies(words, geometry),
    fences,
    scan: new HazardScan(words, geometry, nodes, fences),
    touchDrain: new TouchDrain(words, geometry, nodes),
    bells,
    events: new EventLog(words, geometry, slots, bells),
  };
}

/**
 * Takes a row and makes a node of it. The caller holds the file's membership lock until the last step is done. Whatever an
 * earlier, dead node of the row left is cleaned up before this returns. Throws TOO_MANY_NODES, UNSUPPORTED.
 *
 * The first step takes the row, and every lock that the earlier node had: from then on nobody waits for this one. A death
 * after any step is that of a node; what it had not yet undone is whose row it was, and whoever cleans the row undoes it.
 */
export function* attachInSteps(
  segment: Segment,
  machine: Machine,
  liveness: Liveness,
  options: AttachOptions,
): Steps<Attached> {
  const nodes = new Nodes(segment.words, segment.geometry, machine, liveness, options.strangers);
  try {
    nodes.join(options.name);
    return yield* attachAs(nodes, segment, machine, options);
  } catch (error) {
    // The row is cleaned as a dead one's.
    nodes.letGo();
    throw error;
  }
}

export function attach(segment: Segment, machine: Machine, liveness: Liveness, options: AttachOptions): Attached {
  return atOnce(attachInSteps(segment, machine, liveness, options));
}

function* attachAs(nodes: Nodes, segment: Segment, machine: Machine, options: AttachOptions): Steps<Attached> {
  let repair: Repair | undefined;
  const parts = partsFor(segment, machine, nodes, (lock) => repair?.repair(lock), options.syncWaitMs);
  parts.bells.port = options.doorbells;
  parts.bells.clearRow(nodes.self);
  const writer = new Writer(parts);
  repair = new Repair(parts, writer.reclaimer);
  parts.locks.recoverOwn(lockCount(segment.geometry));
  yield;
  yield* repair.undoDraftsInSteps(nodes.self, (_, incarnation) => incarnation !== nodes.incarnation);
  parts.chunks.unclaimRow(nodes.self);
  yield;
  // An earlier node of the row may have died between what it published and the bells.
  parts.bells.noteAll();
  parts.bells.flush();
  const reader = new Reader(parts, options.nearEntries, options.copies);
  parts.scan.own = reader.hazards;
  reader.hazards.pinnedBytesMax = Math.floor(segment.geometry.dataBytes * (options.maxPinShare ?? 1));
  return { parts, reader, writer, repair };
}
