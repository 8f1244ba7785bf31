import { rmSync } from 'node:fs';
import { expect } from 'chai';
import { MIB, Pools } from '../support/pools.js';
import { AnswerJudge, type Asked, NOTHING_MS_MAX, PLAINLY } from './answers/judge.js';
import { AnswerLedger, ledgerPath, type TallyName } from './answers/ledger.js';
import { type PageRecord, recordPage, UNKNOWN } from './answers/record.js';
import { Storm } from './storm.js';

const KILLS = 3;
/** However long a machine that does other work takes to come to each of them. */
const KILLS_MAX = 400;
const WANTED: TallyName[] = ['fresh', 'stale', 'stale after an error', 'stale by a tag', 'nothing, remembered'];

describe('a storm of answers', () => {
  const pools = new Pools();
  const paths: string[] = [];
  after(() => {
    for (const path of paths) rmSync(path, { force: true });
    pools.remove();
  });

  it(`of ${KILLS} kills gives nothing that was invalidated, is too old, of another key, or denied too long`, async function () {
    this.timeout(600_000);
    const storm = await Storm.prepare({
      does: 'answers',
      path: pools.path(),
      poolBytes: 8 * MIB,
      nodes: 3,
      seed: Date.now() & 0xffff,
      touchOneIn: 0,
      lifeMs: 400,
      ownProgramOneIn: 1,
      survivors: 2,
      fusedPercent: 25,
      lullEvery: 1,
    });
    const ledger = new AnswerLedger(ledgerPath(storm.scene.boardPath));
    try {
      const hasAll = () => WANTED.every((name) => ledger.tallied(name) > 0);
      const look = setInterval(() => {
        if (storm.ended >= KILLS && hasAll()) storm.stop();
      }, 20);
      await storm.blow(KILLS_MAX, true).finally(() => clearInterval(look));
      await storm.account();
      expect(hasAll()).to.equal(true);
      expect(ledger.tallied('not judged')).to.be.below(ledger.tallied('nothing') + 1);
    } finally {
      await storm.close(false);
    }
  });

  describe('is judged by', () => {
    const KEY = 3;
    let ledger: AnswerLedger;
    let judge: AnswerJudge;
    beforeEach(() => {
      const path = pools.path();
      paths.push(path);
      ledger = AnswerLedger.create(path);
      judge = new AnswerJudge(ledger);
    });

    function meet(page: Partial<PageRecord>, freshness: string, asked: Partial<Asked> = {}, key = KEY): string {
      const record = {
        key: KEY,
        began: ledger.begin(),
        expiresMs: UNKNOWN,
        keptMs: 0,
        tags: 0,
        isExact: false,
        ...page,
      };
      const floors = ledger.floors(key);
      return judge.meet(recordPage(record, 200), freshness, { key, ...PLAINLY, ...asked }, floors);
    }

    it('whose page it is, and whether it is whole', () => {
      expect(meet({}, 'fresh')).to.equal('fresh');
      expect(() => meet({}, 'fresh', {}, KEY + 1)).to.throw('the page of key 3');
      const torn = recordPage({ key: KEY, began: 1, expiresMs: 5, keptMs: 0, tags: 0, isExact: false }, 200);
      torn[9] = (torn[9] as number) ^ 1;
      const asked = { key: KEY, ...PLAINLY };
      expect(() => judge.meet(torn, 'fresh', asked, ledger.floors(KEY))).to.throw(/another key|torn/);
    });

    it('when its load began: before or after an invalidation of its key, or of all, that had returned', () => {
      const [old, ended] = [ledger.begin(), ledger.begin()];
      expect(meet({ began: old }, 'fresh')).to.equal('fresh');
      ledger.keyEnded(KEY, ended);
      expect(() => meet({ began: old }, 'fresh')).to.throw('from before the invalidation');
      expect(() => meet({ began: old }, 'stale', { staleMs: 1000 })).to.throw('from before the invalidation');
      const later = ledger.begin();
      expect(meet({ began: later }, 'fresh')).to.equal('fresh');
      ledger.allEnded(ledger.begin());
      expect(() => meet({ began: later }, 'fresh')).to.throw('from before the invalidation');
    });

    it('its tags: fresh after none of their invalidations, stale until the earliest end of those that allowed it', () => {
      const page = { began: ledger.begin(), tags: 0b110 };
      const now = ledger.nowMs();
      ledger.tagEnded(0, ledger.begin(), undefined);
      expect(meet(page, 'fresh')).to.equal('fresh');
      ledger.tagEnded(1, ledger.begin(), now + 60_000);
      expect(() => meet(page, 'fresh')).to.throw('tag 1 was invalidated');
      expect(meet(page, 'stale')).to.equal('stale by a tag');
      ledger.tagEnded(2, ledger.begin(), now - 10);
      expect(() => meet(page, 'stale')).to.throw('and that was allowed until');
      ledger.tagEnded(1, ledger.begin(), undefined);
      expect(() => meet(page, 'stale')).to.throw('tag 1 was invalidated for good');
    });

    it('its age: fresh before its end, stale as long as was asked for and it was kept, longer only after an error', () => {
      const ago = (ms: number) => ({ expiresMs: ledger.nowMs() - ms, keptMs: 1000 });
      expect(meet(ago(-500), 'fresh')).to.equal('fresh');
      expect(() => meet(ago(50), 'fresh')).to.throw('its time was over');
      expect(meet(ago(50), 'stale', { staleMs: 100 })).to.equal('stale');
      expect(() => meet(ago(50), 'stale', { staleMs: 20 })).to.throw('older than was asked for');
      expect(() => meet({ ...ago(50), keptMs: 20 }, 'stale', { staleMs: 100 })).to.throw('kept for longer');
      expect(() => meet(ago(50), 'stale', { staleOnErrorMs: 100 })).to.throw('no load has failed');
      expect(() => meet({ ...ago(-500), isExact: true }, 'stale')).to.throw('its time is not over, and it has no tags');
      ledger.loadFailed(KEY);
      expect(meet(ago(50), 'stale', { staleOnErrorMs: 100 })).to.equal('stale after an error');
      expect(() => meet(ago(500), 'stale', { staleOnErrorMs: 100 })).to.throw('older than was asked for');
    });

    it('who said that there is nothing: of this key, not long ago, and after what was invalidated', () => {
      const nothing = () => judge.meetNothing(KEY, ledger.floors(KEY));
      expect(nothing).to.throw('no load that holds said so');
      ledger.noteNothing(KEY + 1, { began: ledger.begin(), untilMs: ledger.nowMs() + 1000, tags: 0 });
      expect(nothing).to.throw('no load that holds said so');
      ledger.noteNothing(KEY, { began: ledger.begin(), untilMs: ledger.nowMs() - 10, tags: 0 });
      expect(nothing).to.throw('no load that holds said so');
      ledger.noteNothing(KEY, { began: ledger.begin(), untilMs: ledger.nowMs() + 1000, tags: 0b1 });
      expect(nothing()).to.equal('nothing');
      ledger.tagEnded(0, ledger.begin(), ledger.nowMs() + 1000);
      expect(nothing).to.throw('no load that holds said so');
      ledger.noteNothing(KEY, { began: ledger.begin(), untilMs: ledger.nowMs() + 1000, tags: 0 });
      ledger.keyEnded(KEY, ledger.begin());
      expect(nothing).to.throw('no load that holds said so');
    });

    it('nothing where so many have said so that the one may be forgotten', () => {
      for (let i = 0; i < 70; i++)
        ledger.noteNothing(KEY, { began: ledger.begin(), untilMs: ledger.nowMs() - 5, tags: 0 });
      expect(judge.meetNothing(KEY, ledger.floors(KEY))).to.equal('not judged');
      const untilMs = ledger.nowMs() - NOTHING_MS_MAX - 1;
      ledger.noteNothing(KEY, { began: ledger.begin(), untilMs, tags: 0 });
      expect(() => judge.meetNothing(KEY, ledger.floors(KEY))).to.throw('no load that holds said so');
    });
  });
});
