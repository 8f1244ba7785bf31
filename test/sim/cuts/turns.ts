/** Asynchronous calls of a simulated node: what came of them when the event loop has turned. */
import { CrashFault, Stage } from '../crash/exhaustive.js';
import type { Scenario } from '../crash/scenarios.js';
import type { SimulatedNode } from '../node.js';
import type { World } from '../world.js';
import { type CutKind, cutShort } from './probe.js';

/** One cut of something that is no scenario. False: it was through before its k-th place. Throws what is wrong. */
export type OddRun = (kind: CutKind, k: number) => Promise<boolean>;

/** The runtime tells of a rejection that nobody handles between two turns. */
export async function turnEventLoop(turns = 3): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export class Outcome<T> {
  value: T | undefined;
  error: unknown;
  state: 'open' | 'resolved' | 'rejected' = 'open';

  constructor(promise: Promise<T>) {
    promise.then(
      (value) => {
        this.value = value;
        this.state = 'resolved';
      },
      (error) => {
        this.error = error;
        this.state = 'rejected';
      },
    );
  }
}

/** Cuts a call that gives a promise. Undefined: it threw, or nobody has what it gave, as it was terminated. */
export function cutCall<T>(kind: CutKind, k: number, call: () => Promise<T>): [isCut: boolean, Outcome<T> | undefined] {
  let given: Outcome<T> | undefined;
  const isCut = cutShort(kind, k, () => {
    given = new Outcome(call());
  });
  return [isCut, isCut && kind === 'terminate' ? undefined : given];
}

/** Sleeping takes a turn of the event loop: what sleeps again and again, while something lasts, leaves it to others. */
export function sleepByTurns({ machine }: SimulatedNode): void {
  machine.sleep = () => new Promise((resolve) => void setImmediate(resolve).unref());
}

/** A stage with nodes that know nothing yet, and errors that nobody handles as faults. */
export async function staged(
  world: World,
  scenario: Scenario,
  run: (stage: Stage) => Promise<boolean>,
): Promise<boolean> {
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown) => void unhandled.push(reason);
  process.on('unhandledRejection', onUnhandled);
  try {
    const stage = new Stage(world, scenario);
    for (const node of [stage.third, stage.survivor]) sleepByTurns(node);
    const isCut = await run(stage);
    await turnEventLoop();
    if (unhandled.length > 0) throw new CrashFault(`${unhandled.length} errors that nobody handles: ${unhandled[0]}`);
    return isCut;
  } finally {
    process.off('unhandledRejection', onUnhandled);
  }
}

/** What this node has for those who wait in it. */
export function waitingIn(node: SimulatedNode): { watches: number; isKeeping: boolean; interests: number } {
  const { waits, parts } = node.session;
  const { watches, isKeeping } = waits as unknown as { watches: { size: number }; isKeeping: boolean };
  const { wanted } = parts.bells as unknown as { wanted: Int32Array };
  return { watches: watches.size, isKeeping, interests: wanted.reduce((sum, count) => sum + count, 0) };
}

export function pinsOf(node: SimulatedNode): number {
  const { nodes } = node.session.parts;
  return nodes.info(nodes.self, false).pins;
}

/** Nobody waits, so nothing is left of waiting, two upkeeps later. */
export function checkNothingWaits(node: SimulatedNode): void {
  for (let tick = 0; tick < 3; tick++) node.upkeep.tick();
  const { watches, isKeeping, interests } = waitingIn(node);
  if (watches > 0 || isKeeping || interests > 0)
    throw new CrashFault(
      `${watches} watches, ${interests} interests${isKeeping ? ', and what keeps alive,' : ''} stay`,
    );
  const pins = pinsOf(node);
  if (pins > 0) throw new CrashFault(`${pins} pins stay that nobody has`);
}
