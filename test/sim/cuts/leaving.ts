/** A disconnect that is cut, with drafts, pins, waits and a subscription: it is gone on with, and nothing stays of the node. */
import { CrashFault, type Stage } from '../crash/exhaustive.js';
import { keyOf, put, type Scenario } from '../crash/scenarios.js';
import type { World } from '../world.js';
import { cutCall, type OddRun, Outcome, sleepByTurns, staged, turnEventLoop } from './turns.js';

export const LEAVING_SCENARIO: Scenario = { name: 'leaving', act: () => {} };

function runLeaving(world: World, how: 'again' | 'upkeep'): OddRun {
  return (kind, k) =>
    staged(world, LEAVING_SCENARIO, async (stage: Stage) => {
      const { survivor } = stage;
      const node = stage.node('leaver');
      sleepByTurns(node);
      put(survivor, 0, 1);
      node.pool.get(keyOf(0));
      node.pool.create(keyOf(2), 100);
      node.cache.fetch('a', () => new Promise(() => {})).catch(() => {});
      const wait = new Outcome(node.pool.waitFor(keyOf(5)));
      const next = new Outcome(node.pool.subscribe()[Symbol.asyncIterator]().next());
      node.machine.endRun();
      const [isCut] = cutCall(kind, k, () => node.pool.disconnect());
      node.machine.endRun();
      await turnEventLoop(1);
      // Cut before it began, it is a node like any other.
      if (how === 'upkeep') node.upkeep.tick();
      if (how === 'again' || node.session.isOpen) await node.pool.disconnect();
      node.machine.endRun();
      await turnEventLoop(1);
      const { isClosed } = node.session as unknown as { isClosed: boolean };
      if (!isClosed) throw new CrashFault('the node has not left');
      if (wait.state !== 'rejected') throw new CrashFault(`who waited is ${wait.state}`);
      if (next.state === 'open') throw new CrashFault('who subscribed waits for ever');
      // Whoever takes the row next is not disturbed.
      const joiner = stage.node('joiner');
      const page = joiner.pool.get(keyOf(0));
      node.upkeep.tick();
      await node.pool.disconnect();
      if (joiner.session.parts.nodes.info(joiner.row, true).pins !== 1)
        throw new CrashFault('a pin of another is lost');
      page?.release();
      joiner.machine.endRun();
      for (let tick = 0; tick < 2; tick++) survivor.upkeep.tick();
      await stage.checkCensus(survivor);
      await stage.checkSpace(survivor);
      return isCut;
    });
}

export function leavingRuns(world: World): [string, OddRun][] {
  return [
    ['a disconnect, called again', runLeaving(world, 'again')],
    ['a disconnect, and upkeep', runLeaving(world, 'upkeep')],
  ];
}
