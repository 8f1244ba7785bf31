/** Descriptors: a page's place in the pool as a string, for another thread or process to open it by. */
import { PoolError } from '../../../lib/errors.js';

const FORM = /^sealpool:1:([0-9a-f]{1,64}):(\d{1,10}):(\d{1,10})$/;

export interface SlotPlace {
  readonly slot: number;
  readonly generation: number;
}

export function describeSlot(poolId: string, slot: number, generation: number): string {
  return `sealpool:1:${poolId}:${slot}:${generation}`;
}

/** Throws OPTION_INVALID for what is no descriptor, and for one of another pool. */
export function placeOf(descriptor: string, poolId: string, slots: number): SlotPlace {
  const refuse = (why: string) => new PoolError('OPTION_INVALID', `descriptor: ${why}.`, { option: 'descriptor' });
  const [, id, slot, generation] = (typeof descriptor === 'string' ? FORM.exec(descriptor) : null) ?? [];
  if (id === undefined) throw refuse('expected what page.descriptor() gave');
  if (id !== poolId) throw refuse(`it is of the pool ${id}, and this is ${poolId}`);
  const place = { slot: Number(slot), generation: Number(generation) };
  if (place.slot >= slots) throw refuse('it names no place of this pool');
  return place;
}
