/** Putting the parts of one node together over a mapped segment. */
import type { Doorbells, Liveness, Machine } from '../../lib/machine.js';
import { Bells } from './bells.js';
import { CheckpointDirectory } from './checkpointdirectory.js';
import { Chunks } from './chunks.js';
import { EventLog } from './eventlog.js';
import { Extents } from './extents.js';
import { lockCount } from './geometry.js';
import { HazardScan } from './hazards.js';
import { Locks } from './locks.js';
import { Nodes } from './nodes.js';
import type { Parts } from './parts.js';
import { Reader } from './reader.js';
import { Repair } from './repair.js';
import { RetireLog } from './retirelog.js';
import type { Segment } from './segment.js';
import { makePolicies } from './shardpolicy.js';
import { Shards } from './shards.js';
import { Slots } from './slots.js';
import { Spaces } from './spaces.js';
import { Stripes } from './stripes.js';
import { Table } from './table.js';
import { TouchDrain } from './touches.js';
import { Writer } from './writer.js';

export interface AttachOptions {
  readonly name: string;
  readonly nearEntries: number;
  readonly copies: boolean;
  /** How sleeping nodes are woken; without it they look again from time to time. */
  readonly doorbells?: Doorbells;
}

/** One attached node: what the pool and the cache are made of. */
export interface Attached {
  readonly parts: Parts;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly repair: Repair;
}

/** The parts that need no row of their own: enough to look, not to write. */
export function partsFor(segment: Segment, machine: Machine, nodes: Nodes, onTakeOver: (lock: number) => void): Parts {
  const { words, geometry } = segment;
  const chunks = new Chunks(words, geometry, nodes.self, (row) => nodes.isDead(row, false));
  const spaces = new Spaces(words, geometry);
  const slots = new Slots(segment);
  const bells = new Bells(words, geometry, nodes);
  const locks = new Locks({
    words,
    machine,
    judge: nodes,
    regionWord: geometry.regions.locks.word,
    row: nodes.self,
    repair: onTakeOver,
    // The chunk lock is taken under a shard's: nobody is rung before that one is free as well.
    released: (lock) => {
      if (lock !== geometry.shards) bells.flush();
    },
  });
  chunks.useLocks(locks);
  spaces.useLocks(locks);
  return {
    segment,
    geometry,
    words,
    counters: segment.counters,
    machine,
    nodes,
    locks,
    shards: new Shards(words, geometry),
    slots,
    table: new Table(words, geometry),
    chunks,
    extents: new Extents(words, geometry, chunks),
    stripes: new Stripes(words, geometry),
    spaces,
    checkpoints: new CheckpointDirectory(words, geometry, locks, nodes),
    log: new RetireLog(words, geometry),
    policies: makePolicies(words, geometry),
    scan: new HazardScan(words, geometry, nodes, machine),
    touchDrain: new TouchDrain(words, geometry, nodes),
    bells,
    events: new EventLog(words, geometry, slots, bells),
  };
}

/**
 * Takes a row and makes a node of it. The caller holds the file's membership lock. Whatever an earlier, dead node of the
 * row left is cleaned up before this returns. Throws TOO_MANY_NODES.
 */
export function attach(segment: Segment, machine: Machine, liveness: Liveness, options: AttachOptions): Attached {
  const nodes = new Nodes(segment.words, segment.geometry, machine, liveness);
  nodes.join(options.name);
  try {
    return attachAs(nodes, segment, machine, options);
  } catch (error) {
    // Before the mapping goes: the thread's list of robust mutexes leads through it. The row is cleaned as a dead one's.
    nodes.letGo();
    throw error;
  }
}

function attachAs(nodes: Nodes, segment: Segment, machine: Machine, options: AttachOptions): Attached {
  let repair: Repair | undefined;
  const parts = partsFor(segment, machine, nodes, (lock) => repair?.repair(lock));
  parts.bells.port = options.doorbells;
  parts.bells.clearRow(nodes.self);
  const writer = new Writer(parts);
  repair = new Repair(parts, writer.reclaimer);
  parts.locks.recoverOwn(lockCount(segment.geometry));
  repair.undoDraftsOf(nodes.self);
  parts.chunks.unclaimRow(nodes.self);
  // An earlier node of the row may have died between what it published and the bells.
  parts.bells.noteAll();
  parts.bells.flush();
  const reader = new Reader(parts, options.nearEntries, options.copies);
  parts.scan.own = reader.hazards;
  return { parts, reader, writer, repair };
}
