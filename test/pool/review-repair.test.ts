import { expect } from 'chai';
import { Yard } from './review-pool.js';

const page = (byte: number) => new Uint8Array(4096).fill(byte);

describe('what repair and cleaning leave alone', () => {
  let yard: Yard;
  beforeEach(() => {
    yard = new Yard();
  });
  afterEach(() => yard.clear());

  it('a node that joined in a row since it was found dead keeps the row, and its pins count', async () => {
    await yard.format();
    const cleaner = await yard.connect();
    const joiner = await yard.connect();
    cleaner.put('key', page(1));
    const held = joiner.get('key');
    const { nodes } = joiner.session.parts;
    // As after cleaner.dead() found the row's last node, and before it began to clean.
    cleaner.session.repair.cleanRow(nodes.self);
    expect(nodes.isTaken(nodes.self)).to.equal(true);
    cleaner.delete('key');
    for (let i = 0; i < 2000; i++) cleaner.put(`other ${i}`, page(2));
    expect(held?.bytes[0]).to.equal(1);
  });
});
