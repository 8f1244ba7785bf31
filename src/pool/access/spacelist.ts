/**
 * What is in the pool under each name. Nothing counts objects by name, so all slots are looked at, without a lock: a step is so many slots
 * or names, after which whoever runs it may leave it for a while.
 *
 * (J1) an object counts if its slot was the same before and after it was read, and only with those of its space's newest generation:
 *      one dropped meanwhile begins anew. Names are read last, so none is told with what was stored under the one before.
 */
import { isOver } from '../../../lib/clock.js';
import { PoolError } from '../../../lib/errors.js';
import type { Machine } from '../../../lib/machine.js';
import type { Steps } from '../../../lib/steps.js';
import {
  type Geometry,
  SIZES_MIXED,
  type SpaceInfo,
  type SpaceName,
  STATE_MASK,
  STATE_SEALED,
} from '../layout/index.js';
import type { NamedSpace, Slots, Spaces, Tags } from '../objects/index.js';
import type { Extents } from '../space/index.js';
import { nameOfSpace } from './naming.js';

/** What of a node it works with. */
export interface SpaceListParts {
  readonly geometry: Geometry;
  readonly machine: Machine;
  readonly slots: Slots;
  readonly spaces: Spaces;
  readonly tags: Tags;
  readonly extents: Extents;
}

const SLOTS_A_STEP = 512;
const NAMES_A_STEP = 64;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Sums by the number of a space. */
class Tally {
  private readonly objects: Float64Array;
  private readonly bytes: Float64Array;
  private readonly generations: Int32Array;

  constructor(spaces: number) {
    this.objects = new Float64Array(spaces + 1);
    this.bytes = new Float64Array(spaces + 1);
    this.generations = new Int32Array(spaces + 1);
  }

  add(space: number, generation: number, bytes: number): void {
    const isFirst = this.generations[space] !== generation;
    this.generations[space] = generation;
    this.objects[space] = isFirst ? 1 : (this.objects[space] as number) + 1;
    this.bytes[space] = isFirst ? bytes : (this.bytes[space] as number) + bytes;
  }

  of(space: number, generation: number): { objects: number; bytes: number } {
    if (this.generations[space] !== generation) return { objects: 0, bytes: 0 };
    return { objects: this.objects[space] as number, bytes: this.bytes[space] as number };
  }
}

function tallySlot(parts: SpaceListParts, slot: number, nowMs: number, tally: Tally): void {
  const { slots, spaces, tags, extents, geometry } = parts;
  const stateWord = slots.stateWord(slot);
  if ((stateWord & STATE_MASK) !== STATE_SEALED) return;
  const space = slots.space(slot);
  if (space < 1 || space > geometry.spaces) return;
  const generation = slots.spaceGeneration(slot);
  if (!spaces.isCurrent(space, generation) || isOver(slots.expiry(slot), nowMs) || !tags.isFreshAt(slot)) return;
  const bytes = slots.extentBytes(slot);
  if (slots.stateWord(slot) !== stateWord) return;
  const taken = extents.isRun(bytes)
    ? extents.runLengthOf(bytes) * geometry.chunkBytes
    : extents.granulesOf(bytes) * geometry.granuleBytes;
  tally.add(space, generation, taken);
}

/** `check` is called when the work begins or goes on after it was left, and throws where the pool was disconnected meanwhile. */
export function* listSpaces(parts: SpaceListParts, check: () => void): Steps<SpaceInfo[]> {
  const { slots, spaces, machine, geometry } = parts;
  check();
  const tally = new Tally(geometry.spaces);
  for (let first = 0; first < slots.total; first += SLOTS_A_STEP) {
    const end = Math.min(first + SLOTS_A_STEP, slots.total);
    const nowMs = machine.nowMs();
    for (let slot = first; slot < end; slot++) tallySlot(parts, slot, nowMs, tally);
    yield;
    check();
  }
  const found: SpaceInfo[] = [];
  for (let space = 1; space <= spaces.numbers(); space++) {
    const named = spaces.inUse(space);
    if (named !== undefined) {
      found.push({ ...nameOf(named), ...tally.of(space, named.generation), hits: spaces.hits.of(space) });
    }
    if (space % NAMES_A_STEP !== 0) continue;
    yield;
    check();
  }
  return found;
}

function nameOf({ name, pageSize }: NamedSpace): SpaceName & { namespace: string; pageSize?: number } {
  const text = decoder.decode(name);
  const end = text.indexOf('\u0000');
  const [namespace, space] = [text.slice(0, end), text.slice(end + 1)];
  if (space === '') return { kind: 'cache', name: namespace, namespace };
  return { kind: 'pages', name: space, namespace, ...(pageSize === SIZES_MIXED ? {} : { pageSize }) };
}

/** As Pool.removeSpace. */
export function removeSpace({ spaces }: { readonly spaces: Spaces }, wanted: string | SpaceName): boolean {
  const name = typeof wanted === 'string' ? only(spaces, wanted) : wanted;
  if (name === undefined) return false;
  const ownName = name.kind === 'cache' ? nameOfSpace(name.name) : nameOfSpace(name.namespace ?? '', name.name);
  return spaces.drop(encoder.encode(ownName));
}

function only(spaces: Spaces, wanted: string): SpaceName | undefined {
  const found: SpaceName[] = [];
  for (let space = 1; space <= spaces.numbers(); space++) {
    const named = spaces.inUse(space);
    const name = named === undefined ? undefined : nameOf(named);
    if (name?.name === wanted) found.push(name);
  }
  if (found.length < 2) return found[0];
  const all = found.map(({ kind, namespace }) => `{ kind: '${kind}', namespace: ${JSON.stringify(namespace)} }`);
  throw new PoolError(
    'OPTION_INVALID',
    `space: ${JSON.stringify(wanted)} is the name of several: ${all.slice(0, 4).join(', ')}. Say which, as spaces() gives them.`,
    { spaces: found.length },
  );
}
