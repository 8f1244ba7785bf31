/** One actor of a schedule: joins, does its program, and leaves or stays. */
import { giveTurn } from '../coroutines/turn.js';
import { attachSimulated, type SimulatedNode } from '../node.js';
import type { World } from '../world.js';
import type { Journal } from './journal.js';
import { Dice, keyName, Program } from './program.js';
import type { ActorStepper, Plan } from './scheduler.js';

export interface ActorOptions {
  readonly world: World;
  readonly journal: Journal;
  readonly stepper: ActorStepper;
  readonly plan: Plan;
}

/** The file's membership lock, which the kernel frees at a death. */
function join(options: ActorOptions): SimulatedNode {
  const { world, stepper, plan } = options;
  const { control } = world;
  const dice = new Dice(plan.seed * 16 + stepper.actor);
  while (!control.lockMembership(stepper.actor)) giveTurn();
  const nearEntries = [64, 64, 2, 0][dice.below(4)] as number;
  const name = `actor ${stepper.actor}`;
  const node = attachSimulated(world, { name, stepper, buffer: stepper.buffer, nearEntries });
  control.unlockMembership(stepper.actor);
  return node;
}

function joinAndLook(options: ActorOptions): SimulatedNode {
  const node = join(options);
  if (options.plan.isKnown !== false || options.stepper.actor !== 1) node.cache.has(keyName(0));
  // Where the run goes on, the hazards of the first act are stored plainly: the count of borrows is stored already.
  if (!options.world.control.fencesEverybody) node.machine.endRun();
  return node;
}

export function act(options: ActorOptions): void {
  const { world, journal, stepper, plan } = options;
  const { actor } = stepper;
  const { control } = world;
  // Not by its coroutine: in a small case only the acts are interleaved, by nodes that know the page.
  const node =
    plan.programs === undefined ? join(options) : (Reflect.apply(joinAndLook, undefined, [options]) as SimulatedNode);
  const isOfOneKey = plan.programs !== undefined;
  const program = new Program({ node, control, journal, actor, seed: plan.seed, isOfOneKey });
  program.run(plan.programs?.[actor]);
}
