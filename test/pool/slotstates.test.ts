import { expect } from 'chai';
import { SharedCache } from '../../src/cache/index.js';
import { STATE_DRAFT, STATE_FREE, STATE_MASK, STATE_RETIRED, STATE_SEALED } from '../../src/pool/layout/layout.js';
import { isForcedStep, isStep } from '../../src/pool/objects/slotstates.js';
import { codeOf, Yard } from './review-pool.js';

const STATES = Array.from({ length: STATE_MASK + 1 }, (_, state) => state);

describe('the life of a slot', () => {
  let yard: Yard;
  beforeEach(() => {
    yard = new Yard();
  });
  afterEach(() => yard.clear());

  async function sealedSlot() {
    await yard.format();
    const pool = await yard.connect();
    new SharedCache(pool).set('key', new Uint8Array(8));
    const { slots } = pool.session.parts;
    for (let slot = 0; slot < slots.total; slot++) {
      if ((slots.stateWord(slot) & STATE_MASK) === STATE_SEALED) return { slots, slot };
    }
    throw new Error('no slot is sealed');
  }

  it('leads from free over draft and sealed to retired and back, or from draft back at once, and nowhere else', () => {
    const steps = STATES.flatMap((from) => STATES.filter((to) => isStep(from, to)).map((to) => [from, to]));
    expect(steps).to.deep.equal([
      [STATE_FREE, STATE_DRAFT],
      [STATE_DRAFT, STATE_FREE],
      [STATE_DRAFT, STATE_SEALED],
      [STATE_SEALED, STATE_RETIRED],
      [STATE_RETIRED, STATE_FREE],
    ]);
  });

  it('is cut short by repair from whatever it reads: to free, and to retired but for a draft; to nothing that answers', () => {
    for (const read of STATES) {
      const reached = STATES.filter((to) => isForcedStep(read, to));
      expect(reached).to.deep.equal(read === STATE_DRAFT ? [STATE_FREE] : [STATE_FREE, STATE_RETIRED]);
    }
  });

  it('is not taken on from a state that the slot is not in: that is damage, and nothing is stored', async () => {
    const { slots, slot } = await sealedSlot();
    const before = slots.stateWord(slot);
    expect(codeOf(() => slots.transition(slot, STATE_RETIRED, STATE_FREE))).to.equal('POOL_CORRUPT');
    expect(codeOf(() => slots.transition(slot, STATE_DRAFT, STATE_SEALED))).to.equal('POOL_CORRUPT');
    expect(slots.stateWord(slot)).to.equal(before);
  });

  it('takes no step that it does not have: that is a fault of ours, and nothing is stored', async () => {
    const { slots, slot } = await sealedSlot();
    const before = slots.stateWord(slot);
    expect(() => slots.transition(slot, STATE_SEALED, STATE_FREE)).to.throw('does not go from this state');
    expect(() => slots.force(slot, STATE_SEALED, STATE_SEALED)).to.throw('does not take a slot');
    expect(slots.stateWord(slot)).to.equal(before);
  });
});
