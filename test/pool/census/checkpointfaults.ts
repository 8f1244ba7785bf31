/** Faults in the checkpoint directory. The pool has one checkpoint, of one part. */
import { CheckpointEntry, STATE_FREE, STATE_SEALED } from '../../../src/pool/layout/layout.js';
import type { Fault, Place } from './place.js';

const entry = CheckpointEntry.word;
const field = (at: Place, index: number, word: number) => at.word('checkpoints', index, word);

export const checkpointFaults: Fault[] = [
  {
    code: 'CHECKPOINT_DAMAGED',
    where: /^checkpoint 1$/,
    what: 'an entry in no known state',
    make: (at) => at.set(field(at, 1, entry.state), () => 7),
  },
  {
    code: 'CHECKPOINT_DAMAGED',
    where: /^checkpoint 0$/,
    what: 'a place with another sequence than its check was made of',
    make: (at) => at.set(field(at, 0, entry.firstSequence), (value) => value + 1),
  },
  {
    code: 'CHECKPOINT_DAMAGED',
    where: /^checkpoint 0$/,
    what: 'a name with a bit flipped',
    make: (at) => at.set(field(at, 0, entry.name), (value) => value ^ 1),
  },
  {
    code: 'CHECKPOINT_TWICE',
    where: /^checkpoint 1$/,
    what: 'an entry copied over another',
    make(at) {
      for (let word = 0; word < CheckpointEntry.words; word++)
        at.set(field(at, 1, word), () => at.parts.words.read(field(at, 0, word)));
    },
  },
  {
    code: 'CHECKPOINT_OF_DEAD',
    where: /^checkpoint 0$/,
    what: 'a writer of an earlier incarnation',
    repairable: true,
    make(at) {
      at.set(field(at, 0, entry.open), () => 1);
      at.set(field(at, 0, entry.ownerIncarnation), (value) => value - 1);
    },
  },
  {
    code: 'CHECKPOINT_INCOMPLETE',
    where: /^checkpoint \d$/,
    what: 'a part that is not there',
    make(at) {
      const { slots } = at.parts;
      for (let i = 0; ; i++) {
        const slot = at.inState(STATE_SEALED, i);
        if (slots.isInternal(slot)) return at.set(at.slot(slot, 0), (state) => (state & ~7) | STATE_FREE);
      }
    },
  },
  {
    code: 'CHECKPOINT_GARBAGE',
    where: /^slot \d+$/,
    what: 'parts that nothing leads to, and nobody alive',
    repairable: true,
    make(at) {
      at.set(field(at, 0, entry.state), () => 1);
      const { nodes } = at.parts;
      nodes.markCleaned(nodes.self, nodes.incarnation);
    },
  },
];
