/** One actor of a schedule: joins, does its program, and leaves or stays. */
import { giveTurn } from '../coroutines/turn.js';
import { attachSimulated, type SimulatedNode } from '../node.js';
import type { World } from '../world.js';
import type { Journal } from './journal.js';
import { Dice, Program } from './program.js';
import type { ActorStepper } from './scheduler.js';

export interface ActorOptions {
  readonly world: World;
  readonly journal: Journal;
  readonly stepper: ActorStepper;
  readonly seed: number;
}

/** The file's membership lock, which the kernel frees at a death. */
function join(options: ActorOptions): SimulatedNode {
  const { world, stepper, seed } = options;
  const { control } = world;
  const dice = new Dice(seed * 16 + stepper.actor);
  while (!control.lockMembership(stepper.actor)) giveTurn();
  const nearEntries = [64, 64, 2, 0][dice.below(4)] as number;
  const name = `actor ${stepper.actor}`;
  const node = attachSimulated(world, { name, stepper, buffer: stepper.buffer, nearEntries });
  control.unlockMembership(stepper.actor);
  return node;
}

export function act(options: ActorOptions): void {
  const { world, journal, stepper, seed } = options;
  const node = join(options);
  const program = new Program({ node, control: world.control, journal, actor: stepper.actor, seed });
  program.run();
}
