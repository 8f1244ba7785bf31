/** fetch with metadata: given before the load or by it, and with the page wherever that goes. */
import { expect } from 'chai';
import type { Page } from '../../src/index.js';
import { bytesOf, codeOf, makeTwo, textOf } from './pools.js';

function told(page: Page | undefined): string[] {
  if (page === undefined) return ['missing'];
  const found = [page.bytes, page.metadata].map((bytes) => String(textOf(bytes)));
  page.release();
  return found;
}

describe('fetch with metadata', () => {
  it('stores it with what was loaded, as it was at the call; a page that is there keeps its own', async () => {
    const { caches } = await makeTwo();
    const metadata = bytesOf('one');
    const loading = caches[0].fetch('k', async () => bytesOf('v'), { metadata });
    metadata.fill(0);
    expect(told(await loading)).to.deep.equal(['v', 'one']);
    expect(told(caches[1].get('k'))).to.deep.equal(['v', 'one']);
    const again = await caches[1].fetch('k', () => bytesOf('w'), { metadata: bytesOf('two') });
    expect(told(again)).to.deep.equal(['v', 'one']);
  });

  it('takes it from a function, once the load has answered, and asks no function where nothing is loaded', async () => {
    const { caches } = await makeTwo();
    let etag: string | undefined;
    let asked = 0;
    const load = async () => {
      await null;
      etag = 'W/"7"';
      return bytesOf('v');
    };
    const metadata = () => {
      asked++;
      return etag === undefined ? undefined : bytesOf(etag);
    };
    expect(told(await caches[0].fetch('k', load, { metadata }))).to.deep.equal(['v', 'W/"7"']);
    expect(textOf(await caches[0].fetchCopy('k', load, { metadata }))).to.equal('v');
    expect([asked, ...told(caches[1].get('k'))]).to.deep.equal([1, 'v', 'W/"7"']);
    expect(told(await caches[0].fetch('none', load, { metadata: () => undefined }))).to.deep.equal(['v', '']);
  });

  it('is with a page that found no room, for each who waited for it', async () => {
    const { caches } = await makeTwo();
    const load = async () => new Uint8Array(2 ** 25).fill(118, 0, 1);
    const pages = [1, 2].map(() => caches[0].fetch('large', load, { metadata: bytesOf('private') }));
    for (const page of await Promise.all(pages)) {
      expect([page.descriptor(), page.size, textOf(page.metadata)]).to.deep.equal([undefined, 2 ** 25, 'private']);
      page.release();
    }
  });

  it('that is none is OPTION_INVALID: before the load where it was given, and after it nothing is published', async () => {
    const { caches } = await makeTwo();
    let loads = 0;
    const load = () => {
      loads++;
      return bytesOf('v');
    };
    for (const metadata of ['text', 7, new Uint8Array(65_536)] as never[])
      expect(await codeOf(() => caches[0].fetch('k', load, { metadata }))).to.equal('OPTION_INVALID');
    expect(loads).to.equal(0);
    for (const made of ['text', new Uint8Array(65_536)] as never[])
      expect(await codeOf(() => caches[0].fetch('k', load, { metadata: () => made }))).to.equal('OPTION_INVALID');
    expect([loads, caches[0].has('k'), caches[0].stats().node.loadFailureCount]).to.deep.equal([2, false, 2]);
    (await caches[1].fetch('k', load)).release();
  });
});
