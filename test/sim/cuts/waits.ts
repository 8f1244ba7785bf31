/** Waits for pages that are cut as they begin, or while the node looks: nobody waits in vain, and nothing is left of the cut one. */
import { contentOf } from '../content.js';
import { CrashFault, type Stage } from '../crash/exhaustive.js';
import { keyOf, put, type Scenario } from '../crash/scenarios.js';
import type { World } from '../world.js';
import { cutShort } from './probe.js';
import { checkNothingWaits, cutCall, type OddRun, Outcome, staged, turnEventLoop } from './turns.js';

export const WAIT_SCENARIO: Scenario = { name: 'waits', shape: { shards: 1, objectsPerShard: 8 }, act: () => {} };

interface Pages {
  release(): void;
}

function checkThere(of: string, outcome: Outcome<Pages[]>): void {
  if (outcome.state !== 'resolved') throw new CrashFault(`${of} is ${outcome.state}: ${outcome.error}`);
  for (const page of outcome.value as Pages[]) page.release();
}

/** More than are looked at without asking what was published. */
function noise(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `never ${i}`);
}

/** The wait itself is cut, beside one from before and one from after. */
function runBegun(world: World, isLong: boolean): OddRun {
  return (kind, k) =>
    staged(world, WAIT_SCENARIO, async (stage: Stage) => {
      const { third: node, survivor } = stage;
      const stop = new AbortController();
      const before = new Outcome(node.pool.waitForMany([keyOf(1)]));
      const others = isLong ? new Outcome(node.pool.waitForMany(noise(70), { signal: stop.signal })) : undefined;
      put(survivor, 0, 1);
      const wanted = [keyOf(0), keyOf(1), keyOf(2)];
      const [isCut, cut] = cutCall(kind, k, () => node.pool.waitForMany(wanted, { timeoutMs: 1000 }));
      node.machine.endRun();
      await turnEventLoop();
      const after = new Outcome(node.pool.waitForMany([keyOf(2), keyOf(3)]));
      for (const index of [1, 2, 3]) put(survivor, index, 1);
      node.upkeep.tick();
      await turnEventLoop();
      checkThere('the wait before', before);
      checkThere('the wait after', after);
      if (cut?.state === 'resolved') for (const page of cut.value as Pages[]) page.release();
      if (cut?.state === 'open') throw new CrashFault('the wait that was cut, and went on, ends in nothing');
      stop.abort();
      await turnEventLoop();
      if (others?.state === 'open') throw new CrashFault('a wait that was aborted goes on');
      checkNothingWaits(node);
      return isCut;
    });
}

/** The look is cut, of few and of many: the next one finds what came. */
function runLook(world: World, isLong: boolean): OddRun {
  return (kind, k) =>
    staged(world, WAIT_SCENARIO, async (stage: Stage) => {
      const { third: node, survivor } = stage;
      const stop = new AbortController();
      const others = isLong ? new Outcome(node.pool.waitForMany(noise(200), { signal: stop.signal })) : undefined;
      const waits = [0, 1, 2].map((index) => new Outcome(node.pool.waitForMany([keyOf(index)])));
      for (const index of [0, 1, 2]) put(survivor, index, 1);
      const look = () => (node.session.waits as unknown as { look(): void }).look();
      const isCut = cutShort(kind, k, look);
      (node.session.waits as unknown as { isLooking: boolean }).isLooking = false;
      // No look in turn, nor at upkeep: what is there to be seen is seen.
      look();
      await turnEventLoop();
      waits.forEach((wait, index) => {
        // Told of what was thrown in its look: it does not wait in vain.
        if (wait.error instanceof RangeError) return;
        checkThere(`the wait for key ${index}`, wait);
      });
      stop.abort();
      await turnEventLoop();
      if (others?.state === 'open') throw new CrashFault('a wait that was aborted goes on');
      checkNothingWaits(node);
      return isCut;
    });
}

/** A wait is aborted by a call that is cut. */
function runAborted(world: World): OddRun {
  return (kind, k) =>
    staged(world, WAIT_SCENARIO, async (stage: Stage) => {
      const { third: node, survivor } = stage;
      const stop = new AbortController();
      const { signal } = stop;
      // As the runtime calls it, but for what it does with errors of its listeners.
      const listeners: (() => void)[] = [];
      signal.addEventListener = ((_name: string, listener: () => void) => listeners.push(listener)) as never;
      const aborted = new Outcome(node.pool.waitForMany([keyOf(0), keyOf(1), keyOf(2)], { signal }));
      const other = new Outcome(node.pool.waitForMany([keyOf(0)]));
      stop.abort();
      const isCut = cutShort(kind, k, () => listeners.forEach((listener) => void listener()));
      node.machine.endRun();
      for (const index of [0, 1, 2]) survivor.pool.put(keyOf(index), contentOf(index, 1));
      node.upkeep.tick();
      await turnEventLoop();
      checkThere('the other wait', other);
      if (aborted.state === 'open') throw new CrashFault('the wait ends in nothing');
      if (aborted.state === 'resolved') checkThere('the wait', aborted);
      checkNothingWaits(node);
      return isCut;
    });
}

export function waitRuns(world: World): [string, OddRun][] {
  return [
    ['a wait', runBegun(world, false)],
    ['a wait beside many', runBegun(world, true)],
    ['a look of few waits', runLook(world, false)],
    ['a look of many waits', runLook(world, true)],
    ['a wait that is aborted', runAborted(world)],
  ];
}
