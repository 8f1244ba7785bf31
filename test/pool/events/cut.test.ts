/** Subscriptions of a node whose publishing calls are cut: it is they that read its feeds when it publishes much in one run. */
import { expect } from 'chai';
import { Terminator } from '../../soak/cuts.js';
import { pause, usePools } from '../../support/pools.js';

const CUTS = 120;
const BYTES = new Uint8Array(40);

describe('a subscription of a node whose calls are cut', () => {
  const pools = usePools();

  it('is told of each page that was sealed, once, and of none as missed', async () => {
    const pool = await pools.create({ size: '8MiB', pageSize: 512, maxObjects: 1000 });
    const sequences: number[] = [];
    let missed = 0;
    const subscription = pool.subscribe();
    const loop = (async () => {
      for await (const event of subscription) {
        if (event.type === 'missed') missed += event.count;
        else if (event.type === 'sealed') sequences.push(event.sequence);
      }
    })();
    const terminator = new Terminator();
    let sealed = 0;
    for (let cut = 0; cut < CUTS; cut++) {
      terminator.run(1 + (cut % 3), () => {
        pool.delete('key');
        if (pool.put('key', BYTES)) sealed++;
      });
      await pause(0);
    }
    // What a cut left, flags included, is put right by the next upkeep.
    (pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
    await pause(50);
    subscription.close();
    await loop;
    expect(missed).to.equal(0);
    // One more for a call that had sealed when it was cut.
    expect(sequences.length).to.be.within(sealed, sealed + CUTS);
    expect(new Set(sequences).size).to.equal(sequences.length);
    expect(sealed).to.be.above(CUTS);
  });
});
