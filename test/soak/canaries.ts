/** Faults put into one node of a soak on purpose: a soak that finds nothing has to have shown that it can find something. */
import { openSync, writeFileSync } from 'node:fs';
import { Mapping } from '../../lib/linux/index.js';
import { EventLog } from '../../src/pool/events/eventlog.js';
import { RetireLog } from '../../src/pool/near/retirelog.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { contentOf, fillContent } from '../support/content.js';
import type { SoakPlan } from './plan.js';

const KIB = 1024;
const SIZE = 600;
const SELDOM = 20;

interface RetireLogInside {
  readonly seen: Int32Array;
  readonly words: { load(word: number): number };
  sequenceWord(shard: number): number;
}

export class Canaries {
  private readonly pool: AttachedPool;
  private readonly plan: SoakPlan;
  private readonly kept: unknown[] = [];
  private turns = 0;

  constructor(pool: AttachedPool, plan: SoakPlan) {
    this.pool = pool;
    this.plan = plan;
    if (plan.canary === 'stale') this.forgetNothing();
    if (plan.canary === 'event') this.tellNobody();
  }

  /** What was retired stays in this node's near index. */
  private forgetNothing(): void {
    const inside = RetireLog.prototype as unknown as { catchUp(this: RetireLogInside, shard: number): boolean };
    inside.catchUp = function (shard) {
      this.seen[shard] = this.words.load(this.sequenceWord(shard));
      return true;
    };
  }

  /** This node tells of nothing that it does. */
  private tellNobody(): void {
    (EventLog.prototype as unknown as { append(): void }).append = () => {};
  }

  /** One note, after every turn of the node's loop; the node may be about to rest. */
  sing(isResting: boolean): void {
    const { pool, plan, kept } = this;
    const turn = this.turns++;
    const isTurn = turn % SELDOM === 0;
    const boardPath = plan.scene.boardPath;
    switch (plan.canary) {
      case 'torn':
        this.tear();
        return;
      case 'missing':
        pool.delete('kept-1-0');
        return;
      case 'memory':
        kept.push(new Array(32 * KIB).fill(turn));
        return;
      case 'outside':
        kept.push(new Uint8Array(64 * KIB).fill(1));
        return;
      case 'descriptors':
        if (isTurn) openSync('/dev/null', 'r');
        return;
      case 'mappings':
        if (isTurn) kept.push(new Mapping(openSync(boardPath, 'r'), 0, 4096, false));
        return;
      case 'files':
        if (isTurn) writeFileSync(`${boardPath}-${turn}`, 'left behind');
        return;
      case 'pin':
        if (isTurn) kept.push(pool.get('shared-1'));
        return;
      case 'draft':
        if (isTurn) kept.push(pool.create(`canary-${turn}`, SIZE));
        return;
      case 'lock':
        if (isResting) this.keepLock();
        return;
      default:
    }
  }

  /** A page is written to after its seal. */
  private tear(): void {
    const { pool } = this;
    const key = 'shared-1';
    pool.delete(key);
    const draft = pool.create(key, SIZE);
    const { extent } = (draft as unknown as { place: { extent: number } }).place;
    fillContent(draft.bytes, key, 1);
    draft.seal();
    pool.session.parts.segment.writeDraft(extent, SIZE / 2, contentOf(key, 2, 40));
  }

  private keepLock(): void {
    const { calls, locks } = this.pool.session.parts;
    calls.settle = undefined;
    locks.acquire(0);
  }
}
