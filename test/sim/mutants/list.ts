/** Broken protocols: each is one statement of the compiled code left out, moved or changed, and has to be caught. */
import type { Mutation } from '../coroutines/build.js';

export interface Mutant extends Mutation {
  /** What is broken, in the words of the protocol. */
  readonly name: string;
}

function of(file: string, name: string, find: string, replace: string): Mutant {
  return { file: `src/pool/${file}.js`, name, find, replace };
}

export const MUTANTS: readonly Mutant[] = [
  // Hazards and reclaim.
  of('reader', 'a near hit publishes no interest', '        this.hazards.expose(entry.slot);\n', ''),
  of(
    'reader',
    'a near hit publishes its interest after the sequence was looked at',
    '        this.hazards.expose(entry.slot);\n        if (this.words.loadAfterStore(this.sequences + entry.shard * HEAD_WORDS) !== this.seen[entry.shard])\n            return false;\n',
    '        if (this.words.loadAfterStore(this.sequences + entry.shard * HEAD_WORDS) !== this.seen[entry.shard])\n            return false;\n        this.hazards.expose(entry.slot);\n',
  ),
  of(
    'hazards',
    'a borrow is overwritten by the next',
    '        this.position = next === BORROW_ENTRIES ? 0 : next;\n',
    '',
  ),
  of(
    'hazards',
    'the count of borrows is not published',
    '        this.words.store(this.head + BORROW_COUNT, this.count);\n',
    '',
  ),
  of('hazards', 'a pin is not published', '        this.words.store(this.pins + entry, slot + 1);\n', ''),
  of(
    'hazards',
    'a scan does not look at borrows',
    '        this.markRange(borrows.word + row * borrows.stride, borrowed, first);\n',
    '',
  ),
  of(
    'hazards',
    'a scan does not look at pins',
    '        this.markRange(pins.word + row * pins.stride, pinned, first);\n',
    '',
  ),
  of(
    'hazards',
    'a scan looks at pins before borrows',
    '        this.markRange(borrows.word + row * borrows.stride, borrowed, first);\n        const pinned = Math.min(words.load(head + PIN_HIGH) >>> 0, this.geometry.pinsPerNode);\n        this.markRange(pins.word + row * pins.stride, pinned, first);\n',
    '        const pinned = Math.min(words.load(head + PIN_HIGH) >>> 0, this.geometry.pinsPerNode);\n        this.markRange(pins.word + row * pins.stride, pinned, first);\n        this.markRange(borrows.word + row * borrows.stride, Math.min(words.load(head + BORROW_COUNT) >>> 0, BORROW_ENTRIES), first);\n',
  ),
  of('hazards', 'a scan fences nobody', 'if (this.nodes.sharesFences && !this.machine.fenceEverybody())', 'if (false)'),
  of('reclaim', 'limbo is freed whoever holds it', '            if (scan.isHeld(local))\n', '            if (false)\n'),
  of(
    'reclaim',
    'limbo is freed by an old scan',
    '        this.parts.scan.scan(shard);\n        return this.freeLimbo(shard);',
    '        return this.freeLimbo(shard);',
  ),
  of('reclaim', 'the extent of a freed slot is not freed', '        extents.free(shard, extent, bytes);\n', ''),
  of(
    'reclaim',
    'eviction takes what is held, and frees it at once',
    '                shards.pushLimbo(shard, local);\n            else {',
    '                this.free(shard, local);\n            else {',
  ),
  of(
    'slots',
    'a reused slot keeps its generation',
    'words.read(at + STATE) & ~STATE_MASK) + GENERATION_STEP) | STATE_DRAFT',
    'words.read(at + STATE) & ~STATE_MASK)) | STATE_DRAFT',
  ),
  // The retire log.
  of('reclaim', 'a retirement is not logged', '        log.append(shard, slot, slots.generation(slot), reason);\n', ''),
  of(
    'reclaim',
    'a retirement is logged before the state',
    '        slots.setState(slot, STATE_RETIRED);\n        log.append(shard, slot, slots.generation(slot), reason);\n',
    '        log.append(shard, slot, slots.generation(slot), reason);\n        slots.setState(slot, STATE_RETIRED);\n',
  ),
  of(
    'retirelog',
    'the sequence is stored before its record',
    '        const record = this.base + shard * this.stride + (number & this.mask) * RetireRecord.words;\n        words.store(record + NUMBER, ~number);',
    '        const record = this.base + shard * this.stride + (number & this.mask) * RetireRecord.words;\n        words.store(sequence, number);\n        words.store(record + NUMBER, ~number);',
  ),
  of(
    'retirelog',
    'a record is taken for the one it overwrites',
    '            if (words.load(record + NUMBER) !== seen)\n                return this.forget(shard, current, near);\n            const slot = words.load(record + SLOT);\n            if (words.load(record + NUMBER) !== seen)\n                return this.forget(shard, current, near);\n',
    '            const slot = words.load(record + SLOT);\n',
  ),
  of('retirelog', 'a lagging reader believes the ring', 'if (behind < 0 || behind > this.mask + 1)', 'if (behind < 0)'),
  of(
    'near',
    'what was retired is not forgotten',
    '        this.bySlot.delete(slot);\n        for (; entry',
    '        for (entry = undefined; entry',
  ),
  // Lookups.
  of(
    'reader',
    'a miss is believed at once',
    'if (shards.publishSequence(shard) === published && shards.retireSequence(shard) === retired)',
    'if (true)',
  ),
  of(
    'reader',
    'a retired page in the table is no answer',
    'if (state !== STATE_SEALED && state !== STATE_RETIRED)',
    'if (state !== STATE_SEALED)',
  ),
  of(
    'reader',
    'a retired page is remembered',
    '            if (state === STATE_SEALED)\n                this.near.remember(found);\n',
    '            this.near.remember(found);\n',
  ),
  of(
    'reader',
    'a retired page is not looked at again after its entry',
    '(state === STATE_RETIRED && slots.stateWord(slot) !== word)',
    'false',
  ),
  of(
    'reader',
    'a key is trusted by its hash',
    '        if (!slots.keyEquals(slot, probe.bytes, probe.length))\n            return undefined;\n',
    '',
  ),
  of('reader', 'an entry is not looked at again after the state', 'if (!table.stillNames(local) || ', 'if ('),
  of(
    'repair',
    'an entry is zeroed before its successor has one',
    'const settled = isInPlace ? this.successorOf(shard, local) : -1;',
    'const settled = isInPlace && this.isEntered(shard, local) ? local : -1;',
  ),
  of(
    'reader',
    'drafts are answers',
    'if (state !== STATE_SEALED && state !== STATE_RETIRED)',
    'if (state !== STATE_SEALED && state !== STATE_RETIRED && state !== 2)',
  ),
  of('reader', 'a drop is not looked for', 'if (this.words.read(this.dropWord) !== this.drops)', 'if (false)'),
  of(
    'spaces',
    'a drop is not announced',
    '        this.words.store(this.dropWord, (this.words.read(this.dropWord) + 1) | 0);\n',
    '',
  ),
  // Sealing, superseding, leases, versions.
  of(
    'writer',
    'a page is sealed before its bytes',
    '            // ORDER lease-1: compared',
    '            slots.setState(slot, STATE_SEALED);\n            // ORDER lease-1: compared',
  ),
  of(
    'writer',
    'the superseded page is not retired',
    '        if (oldState === STATE_SEALED)\n            this.reclaimer.announce(shard, old, REASON_SUPERSEDED);\n',
    '',
  ),
  of(
    'writer',
    'a successor is entered before it is sealed',
    '        this.makeSealed(shard, local);\n        if (oldState === STATE_SEALED)',
    '        if (old >= 0)\n            table.replace(entryWord, local);\n        this.makeSealed(shard, local);\n        if (oldState === STATE_SEALED)',
  ),
  of(
    'writer',
    'a lease is not compared',
    'const moved = (flags & FLAG_LEASED) !== 0 && stripes.count(stripe) !== slots.leaseCount(slot);',
    'const moved = false;',
  ),
  of(
    'writer',
    'a delete ends no lease',
    '            const stripe = stripes.wordOf(shard, fields.hashHigh);\n            stripes.advance(stripe);\n',
    '            const stripe = stripes.wordOf(shard, fields.hashHigh);\n',
  ),
  of(
    'writer',
    'an outdated version is published',
    'const isOutdated = this.versions.isOutdated(slot, stripe);',
    'const isOutdated = false;',
  ),
  of('writer', 'a predecessor is not ended', '        this.versions.adjust(shard, slot, this.identityOf(slot));\n', ''),
  of(
    'versions',
    'a shortened page is not logged',
    '        this.log.append(shard, slot, this.slots.generation(slot), REASON_SHORTENED);\n',
    '',
  ),
  of(
    'writer',
    'a second draft of a key is given out',
    "        if (live >= 0 && !detached)\n            return 'exists';\n",
    '',
  ),
  // Locks.
  of(
    'locks',
    'work begins without the lock',
    '        if (this.words.compareExchange(word, seen, seen | this.owner) !== seen)\n            return false;\n',
    '        this.words.store(word, seen | this.owner);\n',
  ),
  of(
    'locks',
    'a lock is tried although it is held',
    'return (seen & (OWNER_MASK | DIRTY)) === 0 && this.words.compareExchange(word, seen, seen | this.owner) === seen;',
    'return this.words.compareExchange(word, seen, (seen & ~OWNER_MASK) | this.owner) === seen;',
  ),
  of(
    'locks',
    'two holds of a lock look alike',
    '(seen & ~(OWNER_MASK | WAITERS)) + TERM_STEP',
    'seen & ~(OWNER_MASK | WAITERS)',
  ),
  of(
    'locks',
    'a dead owner is replaced and nothing repaired',
    '                this.longestTakeoverMs = Math.max(this.longestTakeoverMs, waited);\n                this.repairHeld(lock, word);\n',
    '',
  ),
  of(
    'locks',
    'the dead keep their locks',
    'if (owner === this.owner - 1 || this.judge.isDead(owner, waited > 20))',
    'if (owner === this.owner - 1)',
  ),
  of(
    'locks',
    'what was left half-done is not repaired',
    '        if ((seen & DIRTY) !== 0)\n            this.repairHeld(lock, word);\n',
    '',
  ),
  // Recovery.
  of(
    'repair',
    'repair lets near indexes remember',
    '        log.overrun(shard);\n        stripes.advanceAll(shard);\n',
    '        stripes.advanceAll(shard);\n',
  ),
  of(
    'repair',
    'drafts of the dead stay',
    'state === STATE_DRAFT && nodes.isGone(image.ownerRow(local), image.ownerIncarnation(local))',
    'false',
  ),
  of('repair', 'of two pages of a key the older stays', '| 0) > 0;', '| 0) < 0;'),
  of('repair', 'two pages of a key stay', 'const outdated = this.olderTwins(shard);', 'const outdated = [];'),
  of(
    'repair',
    'a page without an entry gets none',
    '            if (entered[local] === 1 || states[local] !== STATE_SEALED)\n                continue;\n',
    '            if (true)\n                continue;\n',
  ),
  of(
    'repair',
    'wrong entries stay',
    'const settled = isInPlace ? this.successorOf(shard, local) : -1;',
    'const settled = isInPlace ? local : -1;',
  ),
  of(
    'shards',
    'retired pages leave limbo',
    'else if (state === STATE_RETIRED) {\n                links[local] = limbo;\n                limbo = local + 1;\n',
    'else if (state === STATE_RETIRED) {\n                links[local] = free;\n                free = local + 1;\n',
  ),
  of(
    'extentclaims',
    'the repaired space is not written',
    '            if (kinds[chunk] === CHUNK_SHARED)\n                this.writeBits(chunk);\n',
    '',
  ),
  of('repair', "a dead node's drafts are left to themselves", '        this.undoDraftsOf(row, incarnation);\n', ''),
  of('repair', "a dead node's claims stay", '        chunks.unclaimRow(row);\n', ''),
  of(
    'repair',
    'a dead row is never given back',
    '            nodes.markCleaned(row, incarnation);\n',
    '            ;\n',
  ),
  of('chunks', 'the free chunks are not recounted', '        this.words.write(this.freeWord, free);\n', ''),
  of(
    'nodes',
    'a row is taken before its hazards are empty',
    '        words.store(heads + HazardHead.word.borrowCount, 0);\n        words.store(heads + HazardHead.word.pinHigh, 0);\n',
    '',
  ),
  of(
    'nodes',
    'hazards of the living do not count',
    'return this.isTaken(index) && !this.liveness.isMarkedDead(index);',
    'return false;',
  ),
  of('attach', 'a row is taken over with its locks', '    parts.locks.recoverOwn(lockCount(segment.geometry));\n', ''),
];
