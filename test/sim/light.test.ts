/**
 * A reader whose hazards wait in its store buffer, and a writer that has the page's memory used again at every access of
 * the reader's borrow: (H5), (H11) and (C4), place by place. Chance meets these too seldom.
 */
import { expect } from 'chai';
import { contentOf, faultOf, valueIn } from './content.js';
import type { ControlBlock } from './control.js';
import { CrashStepper } from './crash/stepper.js';
import { Interrupted, KEY, useAgain } from './interrupted.js';
import { attachSimulated, type SimulatedNode } from './node.js';
import { WORKLOADS } from './schedule/workloads.js';
import { StoreBuffer } from './stepper.js';
import { World } from './world.js';

/** Borrowed before, so that the count is stored and the next hazard need not be. */
const OTHER = 'k1';

class Fencing extends CrashStepper {
  private readonly buffer: StoreBuffer;
  asked = 0;

  constructor(control: ControlBlock, buffer: StoreBuffer) {
    super(control);
    this.buffer = buffer;
  }
  override fenceEverybody(): void {
    this.asked++;
    this.buffer.drain();
  }
}

function makeTwo(world: World) {
  world.reset();
  world.control.seed(1);
  world.control.fencesEverybody = true;
  const buffer = new StoreBuffer(new Int32Array(129), new Int32Array(world.memory.metadata));
  const interrupted = new Interrupted(world.control);
  const fencing = new Fencing(world.control, buffer);
  const reader = attachSimulated(world, { name: 'reader', stepper: interrupted, buffer });
  const writer = attachSimulated(world, { name: 'writer', stepper: fencing });
  choose(writer, false);
  return { reader, writer, interrupted, fencing, buffer };
}

function choose(node: SimulatedNode, isLight: boolean): void {
  const { hazards } = node.session.reader;
  hazards.choice = { borrowed: () => {}, isLight: () => isLight };
  hazards.choose();
}

describe('a hazard that waits in a store buffer', () => {
  const { shape } = WORKLOADS[0] as (typeof WORKLOADS)[number];
  const world = new World(shape, () => {});
  const ways: Readonly<Record<string, (reader: SimulatedNode) => void>> = {
    'of a node that is light': (reader) => choose(reader, true),
    'of a node that was light until just before': (reader) => {
      choose(reader, true);
      reader.cache.borrow(OTHER);
      choose(reader, false);
    },
    'of a node that becomes light in the middle of a run': (reader) => {
      choose(reader, false);
      reader.cache.borrow(OTHER);
      choose(reader, true);
    },
  };

  for (const [name, before] of Object.entries(ways)) {
    it(`${name} keeps the page, whatever access of the borrow the writer is at work before`, () => {
      let places = 0;
      for (let access = 0; ; access++) {
        const { reader, writer, interrupted, buffer } = makeTwo(world);
        writer.cache.set(KEY, contentOf(0, 1, 96));
        writer.cache.set(OTHER, contentOf(1, 1, 96));
        reader.cache.borrow(KEY);
        reader.machine.endRun();
        before(reader);
        reader.cache.borrow(OTHER);
        buffer.drain();
        interrupted.at(access, () => useAgain(writer, 2));
        const found = reader.cache.borrow(KEY);
        const { wasReached } = interrupted;
        interrupted.at(Number.POSITIVE_INFINITY, () => {});
        const what = `interrupted before access ${access}`;
        expect(found, what).to.not.equal(undefined);
        const bytes = found as Uint8Array;
        expect(faultOf(bytes, 0, 96), what).to.equal(undefined);
        const value = valueIn(bytes);
        useAgain(writer, 40);
        expect([valueIn(bytes), faultOf(bytes, 0, 96)], `${what}, later`).to.deep.equal([value, undefined]);
        places = access;
        if (!wasReached) break;
      }
      expect(places).to.be.greaterThan(3);
    });
  }
});
