import { rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { MappedBoard, ownFolder } from '../../../lib/linux/index.js';

describe('the progress board', () => {
  const folder = ownFolder(tmpdir(), 'test');
  after(() => rmSync(folder, { recursive: true }));

  it('shows each mapping of the file the least position that any of them published', () => {
    const path = join(folder, 'board');
    const [one, two] = [new MappedBoard(path, 3), new MappedBoard(path, 3)];
    expect(two.minimum()).to.equal(0);
    one.publish(0, 10);
    two.publish(1, 2 ** 31 - 1);
    expect(one.minimum()).to.equal(0);
    one.publish(2, 12);
    expect([one.minimum(), two.minimum()]).to.deep.equal([10, 10]);
    two.publish(0, 20);
    expect([one.minimum(), one.position(1), two.position(2)]).to.deep.equal([12, 2 ** 31 - 1, 12]);
    one.close();
    one.close();
    expect(two.minimum()).to.equal(12);
    two.close();
  });

  it('gives every node a cache line of its own', () => {
    const path = join(folder, 'lines');
    new MappedBoard(path, 5).close();
    expect(statSync(path).size).to.equal(5 * 64);
  });

  it('refuses a position that its words cannot hold', () => {
    const board = new MappedBoard(join(folder, 'range'), 1);
    expect(() => board.publish(0, 2 ** 31)).to.throw(/position/);
    board.close();
  });
});
