/** Broken orders that no other mutant breaks, each under a tag of docs/ORDERINGS.md. */
import { type Mutant, of } from './mutant.js';

export const ORDER_MUTANTS: readonly Mutant[] = [
  of('near/hazards', 'a node that borrows is passed by', '            this.activity.show(this.row);\n', ''),
  of(
    'near/hazards',
    'a node that pins is passed by once it rests',
    'return !hasRun && this.count === 0 && this.pinCount === 0;',
    'return !hasRun && this.count === 0;',
  ),
  of(
    'objects/table',
    'an entry names its slot before it has its tag',
    '        words.store(entry, tag);\n        // ORDER table-1: slot filled and tag stored before the slot word; pairs with next.\n        words.store(entry + 1, local + 1);\n',
    '        words.store(entry + 1, local + 1);\n        words.store(entry, tag);\n',
  ),
  of(
    'objects/slots',
    'a draft is one before its fields are checked',
    '        words.write(at + CHECK, this.checkFor(at, word >>> STATE_BITS));\n        // ORDER draft-1: fields before state; pairs with repair, which trusts the fields of a draft.\n        words.store(at + STATE, word);\n',
    '        words.store(at + STATE, word);\n        words.write(at + CHECK, this.checkFor(at, word >>> STATE_BITS));\n',
  ),
  of(
    'access/reclaim',
    'a page goes before its version is told',
    '        if (isTold)\n            versionBounds.outlive(shard, slot);\n        // ORDER hazard-1: state, record and sequence before any scan; pairs with isFresh and lookUp.\n        // ORDER retire-1: state before record and sequence, those before the bucket entry; pairs with the overrun of repair.\n        slots.transition(slot, STATE_SEALED, STATE_RETIRED);\n',
    '        slots.transition(slot, STATE_SEALED, STATE_RETIRED);\n        if (isTold)\n            versionBounds.outlive(shard, slot);\n',
  ),
  of(
    'objects/versionbounds',
    'a way is free before the bounds tell its version',
    '        this.share(owner.stripe, space, words.read(victim + GENERATION), this.bound(victim));\n        words.store(victim + GENERATION, 0);\n',
    '        const [generation, bound] = [words.read(victim + GENERATION), this.bound(victim)];\n        words.store(victim + GENERATION, 0);\n        this.share(owner.stripe, space, generation, bound);\n',
  ),
  of(
    'objects/versionbounds',
    'a way is there before its bound',
    '        words.write(way + PLACE, placeOf(owner));\n        writeUnsigned64(words, way + BOUND, bound);\n        // ORDER way-1: place and bound before generation; pairs with share.\n        words.store(way + GENERATION, owner.spaceGeneration);\n',
    '        words.write(way + PLACE, placeOf(owner));\n        words.store(way + GENERATION, owner.spaceGeneration);\n        writeUnsigned64(words, way + BOUND, bound);\n',
  ),
  of(
    'objects/spaces',
    'a space changes its generation before its tenure',
    '        words.store(at + TENURE, (words.read(at + TENURE) + 1) | 0);\n        words.store(at + GENERATION, nextGeneration(words.read(at + GENERATION)));\n',
    '        words.store(at + GENERATION, nextGeneration(words.read(at + GENERATION)));\n        words.store(at + TENURE, (words.read(at + TENURE) + 1) | 0);\n',
  ),
  of(
    'objects/spaces',
    'a drop is announced before it is made',
    '        this.words.store(at + GENERATION, target);\n        this.words.store(this.dropWord, (this.words.read(this.dropWord) + 1) | 0);\n',
    '        this.words.store(this.dropWord, (this.words.read(this.dropWord) + 1) | 0);\n        this.words.store(at + GENERATION, target);\n',
  ),
  of(
    'access/writer',
    'a successor is named before the old page is retired',
    '        if (oldState === STATE_SEALED)\n            this.reclaimer.announceEnd(shard, old, REASON_SUPERSEDED);\n        // ORDER supersede-1: the old page is retired before the entry names the new one; pairs with isFresh and lookUp.\n        if (old >= 0)\n            table.replace(entryWord, local);\n',
    '        if (old >= 0)\n            table.replace(entryWord, local);\n        if (oldState === STATE_SEALED)\n            this.reclaimer.announceEnd(shard, old, REASON_SUPERSEDED);\n',
  ),
  of(
    'space/chunks',
    'a chunk is taken before it names its shard',
    '        this.words.write(at + SHARD, shard);\n        this.words.write(at + SIZE, size);\n        this.words.store(at + KIND, kind);\n    }\n    addFree',
    '        this.words.store(at + KIND, kind);\n        this.words.write(at + SHARD, shard);\n        this.words.write(at + SIZE, size);\n    }\n    addFree',
  ),
  of(
    'objects/checkpointdirectory',
    'a commit is current before its place is written',
    '            writeUnsigned64(words, word + place.term, committed.manifest.term);\n            writeUnsigned64(words, word + place.sequence, committed.sequence);\n',
    '            words.store(word + at.current, next);\n            writeUnsigned64(words, word + place.term, committed.manifest.term);\n            writeUnsigned64(words, word + place.sequence, committed.sequence);\n',
  ),
  of(
    'checkpoints/checkpointwriter',
    'what a commit replaces is dropped before the commit',
    '        if (!session.parts.checkpoints.commit(this.tenure, { manifest: id, sequence })) {',
    '        this.discardOld(manifest, id);\n        if (!session.parts.checkpoints.commit(this.tenure, { manifest: id, sequence })) {',
  ),
  of(
    'access/writer',
    'a seal is told of only after it was made',
    '        events.begin(shard, slot, EVENT_SEALED);\n        slots.setPublishSequence(slot, nextSequence(shards.publishSequence(shard)));\n        slots.stampCheck(slot);\n        if (segment.survivesRestart)\n            slots.stampChecksum(slot, this.sum);\n        // ORDER seal-1: bytes, sequence and checks before state; pairs with find and repair.\n        slots.transition(slot, STATE_DRAFT, STATE_SEALED);\n',
    '        slots.setPublishSequence(slot, nextSequence(shards.publishSequence(shard)));\n        slots.stampCheck(slot);\n        slots.transition(slot, STATE_DRAFT, STATE_SEALED);\n        events.begin(shard, slot, EVENT_SEALED);\n',
  ),
  of(
    'events/eventlog',
    'the log ends behind a record that is not there yet',
    '        words.store(first + NUMBER, number);\n        const lines = linesFor(keyLength);\n        words.write(head + LAST, end);\n        // ORDER event-2: the change and the record before the end; pairs with read.\n        words.store(head + END, sequenceAfter(end, lines));\n',
    '        const lines = linesFor(keyLength);\n        words.write(head + LAST, end);\n        words.store(head + END, sequenceAfter(end, lines));\n        words.store(first + NUMBER, number);\n',
  ),
  of(
    'session/node',
    'a row is given up before its node is done with it',
    '        this.reader.near.clear();\n        this.reader.hazards.close();\n',
    '        nodes.letGo();\n        this.reader.near.clear();\n        this.reader.hazards.close();\n',
  ),
  of(
    'layout/wide',
    'an end comes down with its low word first',
    'export function lowerUnsigned64(words, word, value) {\n    // ORDER until-1: high before low; pairs with readLowered64.\n    words.store(word + 1, Math.floor(value / HIGH) | 0);\n    words.store(word, value | 0);\n}',
    'export function lowerUnsigned64(words, word, value) {\n    words.store(word, value | 0);\n    words.store(word + 1, Math.floor(value / HIGH) | 0);\n}',
  ),
  of(
    'nodes/bells',
    'a sleeper is known of before it can be rung',
    '        words.store(line + ARMED, 1);\n        while (words.add(this.asleep, 1) === -1)\n            ;\n',
    '        while (words.add(this.asleep, 1) === -1)\n            ;\n        words.store(line + ARMED, 1);\n',
  ),
  {
    file: 'src/cache/domain.js',
    name: 'a page size is looked at before its generation',
    find: '            const generation = spaces.generation(this.space);\n            if (spaces.isHeld(this.held))\n                return generation;\n',
    replace: '            if (spaces.isHeld(this.held))\n                return spaces.generation(this.space);\n',
  },
];
