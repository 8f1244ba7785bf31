import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ByteLocks } from '../../../lib/linux/bytelocks.js';

describe('locks of byte ranges', () => {
  for (const order of [
    [3, 7],
    [7, 3],
  ] as const) {
    it(`of others are counted each, whichever the kernel tells of first (${order.join(', then ')})`, () => {
      const folder = mkdtempSync(join(tmpdir(), 'sealpool-bytelocks-'));
      const files = [0, 1, 2].map(() => openSync(join(folder, 'file'), 'a+'));
      const [own, first, second] = files.map((file) => new ByteLocks(file)) as [ByteLocks, ByteLocks, ByteLocks];
      expect([first.tryTake('write', order[0]), second.tryTake('write', order[1], 2)]).to.deep.equal([true, true]);
      expect(own.countTakenByOthers(0, 20)).to.equal(3);
      expect(own.countTakenByOthers(order[1] + 1, 20)).to.equal(order[1] === 3 ? 2 : 1);
      expect([own.isTakenByOther(order[0]), own.isTakenByOther(5, 2), own.tryTake('read', order[1])]).to.deep.equal([
        true,
        false,
        false,
      ]);
      second.release(order[1], 2);
      expect(own.countTakenByOthers(0, 20)).to.equal(1);
      for (const file of files) closeSync(file);
      rmSync(folder, { recursive: true });
    });
  }
});
