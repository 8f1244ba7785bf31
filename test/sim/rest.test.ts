/** A node that rests is passed by by who scans hazards ((A1) to (A3) of activity.ts): until it borrows again, and never while it pins. */
import { expect } from 'chai';
import { Activity } from '../../src/pool/nodes/activity.js';
import { contentOf, faultOf, valueIn } from './content.js';
import { CrashStepper } from './crash/stepper.js';
import { Interrupted, KEY, useAgain } from './interrupted.js';
import { attachSimulated, type SimulatedNode } from './node.js';
import { WORKLOADS } from './schedule/workloads.js';
import { World } from './world.js';

const RESTS = 20;

function rest(node: SimulatedNode): void {
  node.machine.endRun();
  for (let i = 0; i < RESTS; i++) node.session.resting.look();
}

function isActive(node: SimulatedNode): boolean {
  const { nodes } = node.session.parts;
  return nodes.activity.isActive(nodes.self);
}

describe('a node that rests', () => {
  const { shape } = WORKLOADS[0] as (typeof WORKLOADS)[number];
  const world = new World(shape, () => {});

  function makeTwo() {
    world.reset();
    world.control.seed(1);
    const interrupted = new Interrupted(world.control);
    const reader = attachSimulated(world, { name: 'reader', stepper: interrupted });
    const writer = attachSimulated(world, { name: 'writer', stepper: new CrashStepper(world.control) });
    return { reader, writer, interrupted };
  }

  it('is passed by, and is looked at from its next borrow on, whatever access of that the writer is at work before', () => {
    for (let access = 0; ; access++) {
      const { reader, writer, interrupted } = makeTwo();
      writer.cache.set(KEY, contentOf(0, 1, 96));
      reader.cache.borrow(KEY);
      expect(isActive(reader)).to.equal(true);
      rest(reader);
      expect(isActive(reader)).to.equal(false);
      interrupted.at(access, () => useAgain(writer, 2));
      const bytes = reader.cache.borrow(KEY) as Uint8Array;
      const { wasReached } = interrupted;
      interrupted.at(Number.POSITIVE_INFINITY, () => {});
      const what = `interrupted before access ${access}`;
      const value = valueIn(bytes);
      useAgain(writer, 40);
      expect([valueIn(bytes), faultOf(bytes, 0, 96)], what).to.deep.equal([value, undefined]);
      if (wasReached) continue;
      expect(access).to.be.greaterThan(3);
      return;
    }
  });

  it('does not rest while it pins, nor in the middle of a run, nor before who evicts knows of its hits', () => {
    const { reader, writer } = makeTwo();
    writer.cache.set(KEY, contentOf(0, 1, 96));
    const page = reader.cache.get(KEY);
    rest(reader);
    expect(isActive(reader)).to.equal(true);
    useAgain(writer, 2);
    expect(valueIn(page?.bytes as Uint8Array)).to.equal(1);
    page?.release();
    rest(reader);
    expect(isActive(reader)).to.equal(false);
    const bytes = reader.cache.borrow(KEY) as Uint8Array;
    for (let i = 0; i < RESTS; i++) reader.session.resting.look();
    expect(isActive(reader)).to.equal(true);
    const value = valueIn(bytes);
    useAgain(writer, 40);
    expect(valueIn(bytes)).to.equal(value);
    reader.machine.endRun();
    for (let i = 0; i < 5; i++) reader.session.resting.look();
    expect(isActive(reader)).to.equal(true);
  });

  it('is passed by when it has left, and the next one in its row is seen', () => {
    const { reader, writer } = makeTwo();
    writer.cache.set(KEY, contentOf(0, 1, 96));
    reader.cache.borrow(KEY);
    const { self } = reader.session.parts.nodes;
    reader.session.close();
    expect(writer.session.parts.nodes.activity.isActive(self)).to.equal(false);
    const next = attachSimulated(world, { name: 'next', stepper: new CrashStepper(world.control) });
    expect(next.session.parts.nodes.self).to.equal(self);
    const bytes = next.cache.borrow(KEY) as Uint8Array;
    useAgain(writer, 2);
    expect(valueIn(bytes)).to.equal(1);
  });

  it('is one bit among those of its word', () => {
    const { writer } = makeTwo();
    const { words, geometry } = writer.session.parts;
    const many = { ...geometry, maxNodes: 100, regions: { ...geometry.regions, activeRows: geometry.regions.slots } };
    words.fill(many.regions.activeRows.word, 4, 0);
    const activity = new Activity(words, many);
    const all = () => {
      const found: number[] = [];
      for (let row = activity.next(0, 100); row >= 0; row = activity.next(row + 1, 100)) found.push(row);
      return found;
    };
    const rows = [0, 1, 30, 31, 32, 63, 64, 95, 99];
    for (const row of rows) {
      activity.show(row);
      activity.show(row);
    }
    expect(all()).to.deep.equal(rows);
    expect([activity.next(33, 63), activity.next(33, 64), activity.next(100, 200)]).to.deep.equal([-1, 63, -1]);
    for (const row of [31, 32, 32]) activity.hide(row);
    expect(all()).to.deep.equal([0, 1, 30, 63, 64, 95, 99]);
    for (const row of rows) if (row < 95) activity.hide(row);
    expect(all()).to.deep.equal([95, 99]);
  });
});
