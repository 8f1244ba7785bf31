/** Broken orders: each is one statement of the compiled code left out, moved or changed, and a sweep of cuts has to see it. */
import type { Mutation } from '../coroutines/build.js';

export interface CutMutant extends Mutation {
  /** What is broken, in the words of the invariants. */
  readonly name: string;
  /** Part of the names of the scenarios that are swept. */
  readonly scenario: string;
}

function of(file: string, name: string, scenario: string, find: string, replace: string): CutMutant {
  return { file: `src/pool/${file}.js`, name, scenario, find, replace };
}

export const CUT_MUTANTS: readonly CutMutant[] = [
  // (P) near.ts, and what the retire log has seen.
  of(
    'near/near',
    'an entry is in its map before it is in its slot',
    'what another node has superseded',
    '        // (P1)\n        this.link(entry);\n        entries.set(entry.key, entry);\n',
    '        entries.set(entry.key, entry);\n        this.link(entry);\n',
  ),
  of(
    'near/near',
    'a slot is forgotten before its entries are',
    'what another node has superseded',
    '            this.unlinkVersion(entry);\n            // (P2)\n',
    '            if (entry.nextOfSlot === undefined) chains.delete(slot);\n            this.unlinkVersion(entry);\n            // (P2)\n',
  ),
  of(
    'near/near',
    'an entry leaves its slot before its map',
    'near index is full',
    '        this.unlinkVersion(entry);\n        this.unlink(entry);\n        this.givePlace(entry);\n',
    '        this.unlink(entry);\n        this.unlinkVersion(entry);\n        this.givePlace(entry);\n',
  ),
  of(
    'near/retirelog',
    'a record counts as seen before its page is forgotten',
    'what another node has superseded',
    '            near.forgetSlot(slot);\n',
    '            this.seen[shard] = seen;\n            near.forgetSlot(slot);\n',
  ),
  of(
    'near/retirelog',
    'a shard counts as seen before it is forgotten',
    'far behind',
    '            near.forgetShard(shard);\n            this.seen[shard] = current;\n            return true;\n',
    '            this.seen[shard] = current;\n            near.forgetShard(shard);\n            return true;\n',
  ),
  of(
    'access/reader',
    'a drop counts as seen before its pages are forgotten',
    'cleared',
    '            this.near.forgetStale((space) => spaces.generation(space));\n            this.drops = drops;\n',
    '            this.drops = drops;\n            this.near.forgetStale((space) => spaces.generation(space));\n',
  ),
  // (H) hazards.ts.
  of(
    'near/hazards',
    'the private count of borrows is raised before the shared one',
    'borrow',
    '        this.words.store(this.head + BORROW_COUNT, this.light ? count | BORROWS_ARE_LIGHT : count);\n        this.count = count;\n',
    '        this.count = count;\n        this.words.store(this.head + BORROW_COUNT, this.light ? count | BORROWS_ARE_LIGHT : count);\n',
  ),
  of(
    'near/hazards',
    'the shared count of borrows is set back before the private one',
    'borrows over',
    '        this.count = 0;\n        this.position = 0;\n        this.words.store(this.head + BORROW_COUNT, 0);\n',
    '        this.words.store(this.head + BORROW_COUNT, 0);\n        this.setBack();\n    }\n    setBack() {\n        this.count = 0;\n        this.position = 0;\n',
  ),
  of(
    'near/hazards',
    'a pin on its way out is not noted',
    'pins of several',
    '        if (pin.holders === 0)\n            this.leaving = pin;\n',
    '        if (pin.holders === 0)\n            this.leave(pin);\n    }\n    leave(pin) {\n        this.leaving = pin;\n',
  ),
  of(
    'session/page',
    'a page counts as released only when its pin has left',
    'pins of several',
    '        holding.held.pin = undefined;\n        this.holding = undefined;\n        if (session.isOpen)\n            hazards.finishLeaving();\n',
    '        if (session.isOpen)\n            hazards.finishLeaving();\n        holding.held.pin = undefined;\n        this.holding = undefined;\n',
  ),
  of('near/hazards', 'a pin that leaves stays in its chain', 'pins of several', '        this.unlink(leaving);\n', ''),
  of(
    'near/hazards',
    'an entry is given up before it is empty',
    'pins of several',
    '        this.words.storeInOrder(this.blocks.wordOf(last), 0);\n        this.pinCount = last;\n',
    '        this.pinCount = last;\n        this.words.storeInOrder(this.blocks.wordOf(last), 0);\n',
  ),
  of(
    'session/page',
    'a page counts as released before its pin is',
    'pins of several',
    '        if (session.isOpen)\n            hazards.unpin(pin);\n',
    '        this.holding = undefined;\n        if (session.isOpen)\n            hazards.unpin(pin);\n',
  ),
  of(
    'session/pinning',
    'pins of several keys are not in hand',
    'pins of several',
    '                session.inHand.push(page);\n',
    '',
  ),
  // (Q) calls.ts.
  of(
    'nodes/locks',
    'a lock is not counted',
    'put of a new',
    '        this.calls.begin();\n        const seen = this.words.load(word);\n        if ((seen & (OWNER_MASK | DIRTY)) === 0 &&',
    '        const seen = this.words.load(word);\n        if ((seen & (OWNER_MASK | DIRTY)) === 0 &&',
  ),
  of(
    'nodes/locks',
    'a lock is counted off before it is free',
    'put of a new',
    '        this.releaseWith(this.base + lock * LockLine.words, 0);\n        this.released?.(lock);\n        this.calls.end();\n',
    '        this.calls.end();\n        this.releaseWith(this.base + lock * LockLine.words, 0);\n        this.released?.(lock);\n',
  ),
  of(
    'access/writer',
    'a draft in hand is not counted',
    'set over a page',
    '        calls.begin();\n        let outcome',
    '        let outcome',
  ),
  of(
    'session/node',
    'a draft is tracked and its call can still be cut',
    'drafts of the caller',
    '        this.parts.calls.open--;\n',
    '        this.parts.calls.end();\n',
  ),
  of(
    'session/node',
    'settling leaves the locks',
    'put of a new',
    'locks.recoverOwn(lockCount(geometry));\n            this.undoUnknownDrafts();\n',
    'this.undoUnknownDrafts();\n',
  ),
  of(
    'session/node',
    'settling leaves the drafts',
    'put of a new',
    '            this.undoUnknownDrafts();\n            chunks',
    '            chunks',
  ),
  of(
    'checkpoints/checkpoints',
    'a name taken by a cut call is kept',
    'checkpoints: begun',
    '            directory.end({ entry, term });\n',
    '',
  ),
  of(
    'checkpoints/checkpointwriter',
    'an abort ends before its drafts do',
    'checkpoints: begun',
    "        for (const { draft } of this.parts.values())\n            if (draft?.isOpen)\n                draft.abort();\n        this.end('aborted');\n",
    "        this.end('aborted');\n        for (const { draft } of this.parts.values())\n            if (draft?.isOpen)\n                draft.abort();\n",
  ),
];
