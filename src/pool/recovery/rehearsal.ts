/**
 * Rehearsal: repairs of shards that need none are planned, without their locks, and nothing is done with the plans. So a
 * node's first repair, for which others wait, runs code that was compiled. A plan takes any bytes, torn ones too.
 *
 * It goes on, in steps, while the node is at work already: so on private memory of its own, and only while the node is attached.
 */
import { msBetween } from '../../../lib/clock.js';
import type { Steps } from '../../../lib/steps.js';
import type { NodeSession } from '../session/index.js';
import { Repair } from './repair.js';

/** After so many slots the engine has compiled what a plan runs, or will have soon. */
const SLOTS_ENOUGH = 60_000;
const PLANS_MAX = 16;
const TIME_MS = 250;
/** A shard with fewer objects is nothing to practise on. */
const LIVE_MIN = 64;
/** Plans made so far, and slots in use in them: the engine compiles for all nodes of its thread. */
const ofThread = { plans: 0, slots: 0 };

export function* rehearse(session: NodeSession, done = ofThread): Steps {
  const steps = practise(session, done);
  while (session.isOpen && steps.next().done !== true) yield;
}

function* practise({ parts, writer }: NodeSession, done: typeof ofThread): Steps {
  if (isEnough(done)) return;
  const shards = worthIt(parts);
  if (shards.length === 0) return;
  const repair = new Repair(parts, writer.reclaimer);
  const { machine } = parts;
  const startedMs = machine.elapsedMs();
  for (let round = 0; !isEnough(done); round++) {
    yield;
    done.slots += yield* repair.practise(shards[round % shards.length] as number);
    done.plans++;
    if (msBetween(startedMs, machine.elapsedMs()) > TIME_MS) return;
  }
}

function isEnough({ plans, slots }: typeof ofThread): boolean {
  return plans >= PLANS_MAX || slots >= SLOTS_ENOUGH;
}

/** Shards to practise on. */
function worthIt({ geometry, shards }: Pick<NodeSession['parts'], 'geometry' | 'shards'>): number[] {
  const found: number[] = [];
  for (let shard = 0; shard < geometry.shards && found.length < PLANS_MAX; shard++) {
    if (shards.live(shard) >= LIVE_MIN) found.push(shard);
  }
  return found;
}
