import { expect } from 'chai';
import { inspect } from '../../../src/index.js';
import { NO_EXTENT, STATE_MASK, STATE_SEALED } from '../../../src/pool/layout/layout.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { Chance } from '../../support/chance.js';
import { checkContent, contentOf } from '../../support/content.js';
import { KIB, LONG, MIB, usePools } from '../../support/pools.js';
import { Liar } from '../hostile/lies.js';

const NAMES = ['one', 'two', 'three'];
const PARTS = ['a', 'b', 'c'];

/** Slots of parts and manifests. */
function internalSlots(pool: AttachedPool): number[] {
  const { slots } = pool.session.parts;
  const found: number[] = [];
  for (let slot = 0; slot < slots.total; slot++) {
    if ((slots.stateWord(slot) & STATE_MASK) === STATE_SEALED && slots.isInternal(slot)) found.push(slot);
  }
  return found;
}

/** Something in the directory, in a manifest, or anywhere in the metadata, that is not so. */
function lie(pool: AttachedPool, liar: Liar, chance: Chance): void {
  const { words, geometry, slots, segment } = pool.session.parts;
  const kind = chance.below(8);
  if (kind < 5) {
    const { word, stride, count } = geometry.regions.checkpoints;
    // The first entries are those in use.
    const at = word + chance.below(Math.min(count, NAMES.length) * stride);
    const now = words.read(at);
    words.store(at, chance.pick([now ^ (1 << chance.below(32)), 0, 1, 2, -1, now + 1, now - 1, chance.word()]));
  } else if (kind < 7) {
    // Not of a free slot, whose extent may be another's by now; and only manifests are small: the content of parts is the
    // user's.
    const all = internalSlots(pool);
    if (all.length === 0) return;
    const slot = chance.pick(all);
    const extent = slots.extent(slot);
    if (extent === NO_EXTENT || slots.size(slot) >= 1000 || !segment.isInside(extent, slots.size(slot))) return;
    segment.writeDraft(extent, chance.below(slots.size(slot)), Uint8Array.of(chance.below(256)));
  } else liar.tell(chance);
}

function act(pool: AttachedPool, chance: Chance, generation: number): string | undefined {
  const name = chance.pick(NAMES);
  const calls = [
    () => {
      using writer = pool.checkpoint(name);
      for (const part of PARTS)
        if (!writer.reuse(part)) writer.put(part, contentOf(part, generation, 1000 + generation));
      if (chance.below(3) > 0) writer.commit(Buffer.from('text'));
    },
    () => {
      using found = pool.restore(name);
      for (const part of found?.parts() ?? []) {
        using page = found?.get(part);
        // A lie may make one sealed object pass for another: what is handed out is some part, whole.
        checkContent(page?.bytes ?? new Uint8Array(), part);
      }
    },
    () => pool.checkpoints().forEach(({ sequence }) => void expect(sequence).to.be.at.least(0)),
    () => pool.forget(name),
    () => (pool as unknown as { upkeep: { tick(): void } }).upkeep.tick(),
  ];
  try {
    chance.pick([...calls, calls[0], calls[1]] as (() => void)[])();
    return undefined;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'PoolError') throw error;
    return (error as Error & { code: string }).code;
  }
}

describe('checkpoints in a pool whose bytes lie', () => {
  const pools = usePools();

  it('every call has a right result or throws a PoolError, and the census gets through', async () => {
    const codes = new Map<string, number>();
    for (let round = 0; round < (LONG ? 3000 : 60); round++) {
      const chance = new Chance(round);
      const pool = await pools.create({ size: 2 * MIB, pageSize: 2 * KIB, maxNodes: 3 });
      const liar = new Liar(pool.session.parts.words, pool.session.parts.geometry);
      for (const name of NAMES) {
        const writer = pool.checkpoint(name);
        for (const part of PARTS) writer.put(part, contentOf(part, 1, 1001));
        writer.commit(Buffer.from('metadata'));
      }
      for (let i = 0; i < 12; i++) {
        // A lie in its own row, and the node takes itself for one that was taken for dead: its memory is not mapped any more.
        if (!pool.session.isOpen) break;
        lie(pool, liar, chance);
        for (let j = 0; j < 4; j++) {
          const code = act(pool, chance, 2 + i);
          if (code !== undefined) codes.set(code, (codes.get(code) ?? 0) + 1);
        }
      }
      await inspect(pool.path).catch((error: Error) => expect(error.name).to.equal('PoolError'));
      await pools.disconnect().catch((error: Error) => expect(error.name).to.equal('PoolError'));
    }
    expect([...codes.keys()]).to.include('POOL_CORRUPT');
  }).timeout(1_200_000);
});
