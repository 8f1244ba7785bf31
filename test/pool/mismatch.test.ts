import { statSync } from 'node:fs';
import { expect } from 'chai';
import { connect } from '../../src/index.js';
import { codeOf, MIB, pause, usePools } from '../support/pools.js';

const ASKED = { size: '2MiB', pageSize: 4096 } as const;
const OTHERS = [{ size: '1MiB' }, { pageSize: 512 }, { maxObjects: 77 }, { maxNodes: 5 }, { eviction: 'lru' }] as const;

/** The warnings of the process with this code, while the work runs. */
async function warningsIn(work: () => Promise<unknown>): Promise<string[]> {
  const seen: string[] = [];
  const note = (warning: Error & { code?: string }) => {
    if (warning.code === 'SEALPOOL_OPTIONS_DIFFER') seen.push(warning.message);
  };
  process.on('warning', note);
  await work();
  await pause(5);
  process.off('warning', note);
  return seen;
}

describe('a pool that is there with other options than connect was given', () => {
  const pools = usePools();

  it('is taken as it is, and the process is warned, once, of all that differs', async () => {
    const { path } = await pools.create(ASKED);
    const create = { size: '1MiB', pageSize: 512, eviction: 'adaptive-2q' } as const;
    const [warning, ...further] = await warningsIn(async () => {
      for (let times = 0; times < 3; times++)
        expect((await pools.connect(path, { create })).info.pageSize).to.equal(4096);
    });
    expect(further).to.deep.equal([]);
    expect(warning)
      .to.contain(`${path} is there, with size 2097152, not 1048576 and pageSize 4096, not 512,`)
      .and.contain("onMismatch: 'keep'");
  });

  it('is no matter where nothing differs that was asked for, or keep was said', async () => {
    const { path } = await pools.create(ASKED);
    const warnings = await warningsIn(async () => {
      await pools.connect(path, { create: { size: 2 * MIB } });
      await pools.connect(path, { create: ASKED });
      await pools.connect(path, { create: { size: '1MiB' }, onMismatch: 'keep' });
    });
    expect(warnings).to.deep.equal([]);
  });

  it('keeps the eviction policy that it was made with, where another has become the default', async () => {
    const { path, info } = await pools.create({ ...ASKED, eviction: 's3-fifo' });
    expect(info.eviction).to.equal('s3-fifo');
    const warnings = await warningsIn(async () => {
      const pool = await pools.connect(path, { create: ASKED });
      expect(pool.info.eviction).to.equal('s3-fifo');
      for (let i = 0; i < 2000; i++) pool.put(`key ${i}`, new Uint8Array(4096));
      expect(pool.stats().evictions).to.be.above(1000);
    });
    expect(warnings).to.deep.equal([]);
    expect((await pools.create(ASKED)).info.eviction).to.equal('adaptive-2q');
  });

  for (const other of OTHERS) {
    const name = Object.keys(other)[0] as string;
    it(`is refused with 'error', of another ${name}, and stays`, async () => {
      const { path } = await pools.create(ASKED);
      const work = () => connect(path, { create: { ...ASKED, ...other }, onMismatch: 'error' });
      expect(await codeOf(work)).to.equal('OPTION_INVALID');
      await pools.connect(path, { create: ASKED, onMismatch: 'error' });
    });
  }

  it("is replaced with 'replace', but not under a node that is attached", async () => {
    const first = await pools.create(ASKED);
    first.put('k', new Uint8Array(10));
    const again = () => pools.connect(first.path, { create: { size: '1MiB' }, onMismatch: 'replace' });
    expect(await codeOf(again)).to.equal('IN_USE');
    expect(first.has('k')).to.equal(true);
    await first.disconnect();
    const second = await again();
    expect([second.info.size, second.has('k'), statSync(first.path).size]).to.deep.equal([MIB, false, MIB]);
    second.put('k', new Uint8Array(10));
    const third = await again();
    expect(third.has('k'), 'one that is as asked for stays').to.equal(true);
  });
});
