/** Subscriptions that are cut anywhere: each event is told once, in its order, and none is left out. */
import type { PoolEvent, Subscription } from '../../../src/pool/layout/types.js';
import { contentOf } from '../content.js';
import { CrashFault, type Stage } from '../crash/exhaustive.js';
import { KEYS, keyOf, put, type Scenario } from '../crash/scenarios.js';
import type { SimulatedNode } from '../node.js';
import type { World } from '../world.js';
import { cutShort } from './probe.js';
import { checkNothingWaits, cutCall, type OddRun, Outcome, staged, turnEventLoop } from './turns.js';

export const SUBSCRIPTION_SCENARIO: Scenario = {
  name: 'subscriptions',
  shape: { shards: 1, objectsPerShard: 8 },
  act: () => {},
};

const REPLAYED = 3;

/** Of what was there before, and what is told after it. */
function publish(node: SimulatedNode, from: number, count: number): void {
  for (let told = from; told < from + count; told++) {
    node.pool.put(keyOf(4), contentOf(4, told));
    node.pool.delete(keyOf(4));
  }
}

class Follower {
  private readonly iterator: AsyncIterator<PoolEvent, undefined>;
  private asked: Outcome<IteratorResult<PoolEvent, undefined>> | undefined;
  readonly told: string[] = [];
  missed = 0;

  constructor(subscription: Subscription) {
    this.iterator = subscription[Symbol.asyncIterator]();
  }

  /** Asks, if it does not wait. Who was terminated has nothing of what it asked for. */
  ask(): Promise<IteratorResult<PoolEvent, undefined>> {
    return this.iterator.next();
  }

  keep(asked: Outcome<IteratorResult<PoolEvent, undefined>> | undefined): void {
    this.asked = asked;
  }

  /** Takes what there is. */
  async take(node: SimulatedNode): Promise<void> {
    for (let empty = 0; empty < 2; ) {
      this.asked ??= new Outcome(this.ask());
      node.machine.endRun();
      await turnEventLoop(1);
      const { state, value } = this.asked;
      if (state === 'open') {
        node.upkeep.tick();
        empty++;
        continue;
      }
      this.asked = undefined;
      if (value === undefined) continue;
      if (value.done === true) return;
      const event = value.value;
      if (event.type === 'missed') this.missed += event.count;
      else this.told.push(`${event.type} ${event.key} ${event.sequence}`);
      empty = 0;
    }
  }
}

function check(follower: Follower, replayed: number, events: number): void {
  const { told, missed } = follower;
  const [before, after] = [told.slice(0, replayed), told.slice(replayed)];
  const expected = KEYS.slice(0, replayed).map((_, index) => `sealed ${keyOf(index)} ${before[0]?.split(' ').at(-1)}`);
  if (before.toSorted().join() !== expected.join()) throw new CrashFault(`the replay told ${before}`);
  const sequences = after.map((line) => Number(line.split(' ').at(-1)));
  const isInOrder = sequences.every((sequence, at) => at === 0 || sequence > (sequences[at - 1] as number));
  if (!isInOrder || after.length + missed !== events)
    throw new CrashFault(`${after.length} events told and ${missed} missed of ${events}: ${after}`);
}

interface How {
  /** Events that the node itself tells in one run while somebody waits: more than half of what the logs hold. */
  readonly own?: number;
  readonly cut: 'subscribe' | 'next' | 'publish' | 'close';
}

function runSubscription(world: World, { own = 0, cut }: How): OddRun {
  return (kind, k) =>
    staged(world, SUBSCRIPTION_SCENARIO, async (stage: Stage) => {
      const { third: node, survivor } = stage;
      for (let index = 0; index < REPLAYED; index++) put(survivor, index, 1);
      let isCut = false;
      if (cut === 'subscribe') {
        let given: Subscription | undefined;
        isCut = cutShort(kind, k, () => {
          given = node.pool.subscribe({ replay: true });
        });
        given?.close();
      }
      node.machine.endRun();
      const witness = new Follower(survivor.pool.subscribe());
      const subscription = node.pool.subscribe({ replay: true });
      const follower = new Follower(subscription);
      if (cut !== 'publish') publish(survivor, 1, 2);
      if (cut === 'next') {
        for (let again = 0; again < 2; again++) {
          const [wasCut, asked] = cutCall(kind, k, () => follower.ask());
          node.machine.endRun();
          follower.keep(asked);
          await turnEventLoop(1);
          isCut ||= wasCut;
          if (asked !== undefined) break;
        }
      }
      if (cut === 'publish') {
        follower.keep(new Outcome(follower.ask()));
        isCut = cutShort(kind, k, () => publish(node, 1, own));
        node.machine.endRun();
      }
      if (cut === 'close') {
        subscription.unref();
        await follower.take(node);
        isCut = cutShort(kind, k, () => subscription.close());
        node.upkeep.tick();
        await follower.take(node);
      } else await follower.take(node);
      await witness.take(survivor);
      check(follower, REPLAYED, witness.told.length + witness.missed);
      subscription.close();
      await turnEventLoop(1);
      const { listeners } = node.session.waits as unknown as { listeners: { size: number } };
      if (listeners.size > 0) throw new CrashFault(`${listeners.size} listeners stay`);
      checkNothingWaits(node);
      return isCut;
    });
}

export function subscriptionRuns(world: World): [string, OddRun][] {
  return [
    ['a subscription that begins', runSubscription(world, { cut: 'subscribe' })],
    ['the next event', runSubscription(world, { cut: 'next' })],
    ['calls that publish to their own node', runSubscription(world, { cut: 'publish', own: 9 })],
    ['a subscription that ends', runSubscription(world, { cut: 'close' })],
  ];
}
