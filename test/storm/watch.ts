/**
 * Seams in a node under test, put in before it connects: how long its lock waits take and which of them a death caused,
 * and a fuse by which it dies at an exact store under a lock. The product has no code for either.
 */
import { Words } from '../../lib/words.js';
import { Locks } from '../../src/pool/nodes/locks.js';
import { Repair } from '../../src/pool/recovery/repair.js';
import type { Board } from './board.js';
import type { Fuse } from './plan.js';

/** Terms are above the owner, waiter and dirty bits; each take-over raises it. */
const TERM_SHIFT = 12;

interface SlowLocks {
  words: Words;
  acquireSlowly(lock: number, word: number): void;
}

/** Times every wait for a lock. A wait during which the term moved was for a dead owner, or behind its repair. */
export function watchWaits(board: Board, seat: number): void {
  const locks = Locks.prototype as unknown as SlowLocks;
  const { acquireSlowly } = locks;
  locks.acquireSlowly = function (this: SlowLocks, lock, word) {
    const term = this.words.load(word) >>> TERM_SHIFT;
    const started = performance.now();
    try {
      acquireSlowly.call(this, lock, word);
    } finally {
      const waited = performance.now() - started;
      board.record(seat, 'lock wait', waited);
      if (this.words.load(word) >>> TERM_SHIFT !== term) board.record(seat, 'death wait', waited);
    }
  };
  const { repair } = Repair.prototype;
  Repair.prototype.repair = function (lock) {
    board.count(seat, 'takeovers');
    const started = performance.now();
    const before = process.cpuUsage();
    repair.call(this, lock);
    const { user, system } = process.cpuUsage(before);
    board.record(seat, 'repair', performance.now() - started);
    board.record(seat, 'repair cpu', (user + system) / 1000);
  };
}

/** Dies by SIGKILL at the n-th store of the kind; nothing runs after it. */
export function lightFuse(fuse: Fuse, board: Board, seat: number): void {
  let held = 0;
  let left = fuse.stores;
  const burn = () => {
    if (held === 0 || --left > 0) return;
    board.count(seat, 'fuses');
    process.kill(process.pid, 'SIGKILL');
  };
  const words = Words.prototype;
  const { store, storeInOrder, write, fill, copyIn } = words;
  words.store = function (index, value) {
    store.call(this, index, value);
    burn();
  };
  words.storeInOrder = function (index, value) {
    storeInOrder.call(this, index, value);
    burn();
  };
  words.write = function (index, value) {
    write.call(this, index, value);
    burn();
  };
  words.fill = function (index, count, value) {
    fill.call(this, index, count, value);
    burn();
  };
  words.copyIn = function (index, source) {
    copyIn.call(this, index, source);
    burn();
  };
  if (fuse.where === 'repair') {
    const { repair } = Repair.prototype;
    Repair.prototype.repair = function (lock) {
      held++;
      repair.call(this, lock);
      held--;
    };
    return;
  }
  const { acquire, release, releaseDirty } = Locks.prototype;
  Locks.prototype.acquire = function (lock) {
    acquire.call(this, lock);
    held++;
  };
  Locks.prototype.release = function (lock) {
    release.call(this, lock);
    held = Math.max(0, held - 1);
  };
  Locks.prototype.releaseDirty = function (lock) {
    releaseDirty.call(this, lock);
    held = Math.max(0, held - 1);
  };
}
