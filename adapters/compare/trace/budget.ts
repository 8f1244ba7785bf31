/**
 * budget: how many pages each arm may hold.
 *
 * A share, 'P%', gives every arm equally many pages, P % of the distinct ones: what published hit ratios are stated for,
 * and what an exact simulation needs. What finds the pages comes on top and differs between the arms; the run measures it.
 * Bytes are given whole: the pages, and whatever finds them, have to fit.
 *
 * (B1) Before the run an index entry counts as what it was measured to take (below); what it took in this run stands in
 *      the figures.
 * (B2) With bytes the near indexes of the shared arm hold together as many entries as the pool has pages, as those of
 *      private caches do; a full index in every node would be as many copies of one index as there are nodes.
 */
import { PoolError } from '../../../lib/errors.js';
import { bytesText, countText } from '../figures.js';
import type { ArmName } from '../types.js';

/** `pages`: each arm has equally many. `bytes`: each arm has equally many. */
export type EqualIn = 'pages' | 'bytes';

export interface Memory {
  readonly equalIn: EqualIn;
  /** Of all nodes together. */
  readonly amount: number;
}

export interface ArmBudget {
  /** Pages of all nodes together. Of a pool that bytes limit: more than fit. */
  readonly objects: number;
  /** How the memory was divided, where that is not the same in every arm. */
  readonly notes: readonly string[];
  /** Bytes of the pool's file; undefined: as many as its pages need, or no pool. */
  readonly poolSize?: number;
  /** Of each node of the shared arm; undefined: the pool's own default. */
  readonly nearEntries?: number;
}

/** Bytes besides the page itself. Measured on Node 20, four nodes, 1000 to 30,000 pages each: a view and its index entry. */
export const ENTRY_BYTES = { 'private-lru': 224, 'private-policy': 216, near: 416 } as const;
/** What an attached node keeps for itself besides its near index, measured likewise. */
export const ATTACHED_BYTES = 100 * 1024;

const UNITS: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
const FILE_BLOCK = 4096;
/** Of V8. */
const MAP_ENTRIES_MAX = 2 ** 24 - 1;

/** `unique`: the distinct pages of the trace. Throws OPTION_INVALID. */
export function parseTraceMemory(memory: string | number, unique: number): Memory {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)\s*(%|[KMG]iB|B)?$/.exec(String(memory).trim()) ?? [];
  if (digits === undefined) {
    const what = `memory ${memory} is neither bytes, such as 64MiB, nor a share, such as 10%`;
    throw new PoolError('OPTION_INVALID', `Option ${what}.`);
  }
  if (unit === '%') return { equalIn: 'pages', amount: Math.round((Number(digits) / 100) * unique) };
  return { equalIn: 'bytes', amount: Math.floor(Number(digits) * UNITS[unit]!) };
}

/** Throws OPTION_INVALID when there is not a page for each node. */
export function budgetOf(arm: ArmName, memory: Memory, pageSize: number, nodes: number): ArmBudget {
  const budget = divide(arm, memory, pageSize, nodes);
  if (arm === 'private-lru' && Math.ceil(budget.objects / nodes) > MAP_ENTRIES_MAX) {
    const most = `lru-cache finds its pages by a Map, which holds ${countText(MAP_ENTRIES_MAX)}`;
    const what = `memory gives a node ${countText(Math.ceil(budget.objects / nodes))} pages in private-lru, and ${most}`;
    throw new PoolError('OPTION_INVALID', `Option ${what}. Give less memory, or more nodes.`);
  }
  if (budget.objects >= nodes && budget.nearEntries !== 0) return budget;
  const what = `memory has room for ${budget.objects} pages of ${pageSize} bytes in ${arm}, fewer than ${nodes} nodes`;
  throw new PoolError('OPTION_INVALID', `Option ${what}.`);
}

function divide(arm: ArmName, { equalIn, amount }: Memory, pageSize: number, nodes: number): ArmBudget {
  if (equalIn === 'pages') return { objects: amount, notes: [] };
  if (arm !== 'shared') {
    const entry = ENTRY_BYTES[arm === 'private-lru' ? 'private-lru' : 'private-policy'];
    const objects = Math.floor(amount / (pageSize + entry));
    return { objects, notes: [`holds ${countText(objects)} pages, each counted at ${pageSize} + ${entry} bytes.`] };
  }
  const divided = Math.max(0, amount - nodes * ATTACHED_BYTES);
  const nearEntries = Math.floor(divided / (pageSize + ENTRY_BYTES.near) / nodes);
  const poolSize = Math.floor((divided - nodes * nearEntries * ENTRY_BYTES.near) / FILE_BLOCK) * FILE_BLOCK;
  const note = `the pool's file has ${bytesText(poolSize)}, its metadata included; each node counts ${bytesText(ATTACHED_BYTES)} and a near index of ${countText(nearEntries)} entries of ${ENTRY_BYTES.near} bytes.`;
  // As many objects as the file would hold without metadata: so bytes are what limits the pool.
  return { objects: Math.floor(poolSize / pageSize), notes: [note], poolSize, nearEntries };
}
