/** Pages whose loader says how long they live: `loadedFor`, as of another cache. */
import { expect } from 'chai';
import { loadedFor, notFound, type PageLoader } from '../../src/index.js';
import { codeOf, makeTwo } from './pools.js';

const PAGE = 256;

async function makeSpaces() {
  const { pools, caches } = await makeTwo();
  const [one, other] = caches.map((cache) => cache.pages('space', { pageSize: PAGE, ttlMs: 60_000 }));
  return { pools, one: one as NonNullable<typeof one>, other: other as NonNullable<typeof other> };
}

const page = (value: number) => new Uint8Array(PAGE).fill(value);

describe('a loader of pages that answers loadedFor', () => {
  it('says when its page ends, in place of the space, and whether others get it', async () => {
    const { one, other } = await makeSpaces();
    const soon = Date.now() + 150;
    expect((await one.fetchCopy(1, () => loadedFor(page(1), { expiresAtMs: soon })))[0]).to.equal(1);
    const found = other.borrow(1)?.[0];
    expect(found === 1 || Date.now() >= soon).to.equal(true);
    while (Date.now() < soon) await new Promise((resolve) => setTimeout(resolve, 5));
    expect([one.borrow(1), other.borrow(1)]).to.deep.equal([undefined, undefined]);
    expect((await one.fetchCopy(2, () => loadedFor(page(2), { isShared: false })))[0]).to.equal(2);
    expect([one.borrow(2), other.borrow(2)]).to.deep.equal([undefined, undefined]);
    expect((await other.fetchCopy(2, () => loadedFor(page(3), {})))[0]).to.equal(3);
    expect(one.borrow(2)?.[0]).to.equal(3);
  });

  it('publishes nothing that was invalidated meanwhile, and no page that does not fit the space', async () => {
    const { one, other } = await makeSpaces();
    const overtaken: PageLoader = () => {
      other.invalidate(1);
      return loadedFor(page(1), {});
    };
    expect((await one.fetchCopy(1, overtaken))[0]).to.equal(1);
    expect([one.borrow(1), other.borrow(1)]).to.deep.equal([undefined, undefined]);
    const answers = [
      loadedFor(new Uint8Array(PAGE - 1), {}),
      loadedFor(notFound, {}),
      loadedFor(page(1), { tags: ['t'] }),
      loadedFor(page(1), { metadata: new Uint8Array(1) }),
      loadedFor(page(1), { keptMs: 5 }),
    ];
    for (const answer of answers) expect(await codeOf(() => one.fetch(1, () => answer))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => one.fetch(1, () => loadedFor(page(1), {}), { asOf: 3 }))).to.equal('OPTION_INVALID');
    expect(one.borrow(1)).to.equal(undefined);
  });
});
