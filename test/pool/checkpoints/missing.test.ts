/** An object of a checkpoint that is not found: lost, or behind somebody at work. Real objects, some of which are hidden. */
import { expect } from 'chai';
import { nameOfId } from '../../../src/pool/checkpoints/manifest.js';
import { type ObjectSource, restoreFrom } from '../../../src/pool/checkpoints/restoring.js';
import { codeOf, makePool } from '../../cache/pools.js';

const NAME = 'state';
const PART = 'part';

/** The pool's own source, which does not find the part while that says so. */
class Hiding implements ObjectSource {
  readonly path: string;
  readonly directory: ObjectSource['directory'];
  isHidden: () => boolean = () => true;
  /** Of the lock over the part's shard; that over all else rests. */
  wordOfPart: () => number | undefined = () => 7;
  looks = 0;
  private part = '';
  private readonly source: ObjectSource;

  constructor(source: ObjectSource) {
    this.source = source;
    this.path = source.path;
    this.directory = source.directory;
  }
  hold(...[id, name]: Parameters<ObjectSource['hold']>) {
    if (name !== PART) return this.source.hold(id, name);
    this.part = nameOfId(id);
    this.looks++;
    return this.isHidden() ? undefined : this.source.hold(id, name);
  }
  restingWord(id: Parameters<ObjectSource['restingWord']>[0]): number | undefined {
    return nameOfId(id) === this.part ? this.wordOfPart() : 1;
  }
}

describe('an object of a checkpoint that is not found', () => {
  async function makeHiding(): Promise<Hiding> {
    const pool = await makePool();
    const writer = pool.checkpoint(NAME);
    writer.put(PART, new Uint8Array(100));
    writer.commit();
    return new Hiding((pool as unknown as { named: ObjectSource }).named);
  }
  const restored = (source: Hiding) => codeOf(() => restoreFrom(source, NAME)?.release());

  it('is lost where nobody was at work in its shard', async () => {
    const source = await makeHiding();
    expect(await restored(source)).to.equal('POOL_CORRUPT');
    source.isHidden = () => false;
    expect(restoreFrom(source, NAME)?.parts()).to.deep.equal([PART]);
  });

  it('may be found when who is at work in its shard, which need not be the manifest’s, goes on', async () => {
    const source = await makeHiding();
    source.wordOfPart = () => undefined;
    expect(await restored(source)).to.equal('BUSY');
  });

  it('is looked for once more after its writer has ended, however late', async () => {
    const source = await makeHiding();
    let asked = 0;
    source.wordOfPart = () => {
      asked++;
      source.isHidden = () => false;
      return 8;
    };
    expect(restoreFrom(source, NAME)?.parts()).to.deep.equal([PART]);
    expect(asked).to.equal(1);
  });

  it('is not lost as long as others come and go in its shard', async () => {
    const source = await makeHiding();
    let word = 0;
    source.wordOfPart = () => ++word;
    source.isHidden = () => source.looks < 100;
    expect(restoreFrom(source, NAME)?.parts()).to.deep.equal([PART]);
    expect(word).to.be.greaterThan(80);
  });
});
