/** A feed that is cut while it reads: each event is told once, by its number where it was overwritten, and none is left out. */
import { Feed } from '../../../src/pool/events/index.js';
import { contentOf } from '../content.js';
import { CrashFault, Stage } from '../crash/exhaustive.js';
import { KEYS, type Scenario } from '../crash/scenarios.js';
import type { SimulatedNode } from '../node.js';
import type { World } from '../world.js';
import { type CutKind, cutShort } from './probe.js';

export const FEED_SCENARIO: Scenario = { name: 'a feed', shape: { shards: 2, objectsPerShard: 4 }, act: () => {} };

/** Tells so many events, of both shards. */
function publish(node: SimulatedNode, count: number): void {
  for (let told = 0; told < count; told += 2) {
    const index = told % KEYS.length;
    node.pool.put(KEYS[index] as string, contentOf(index, 1));
    node.pool.delete(KEYS[index] as string);
    node.machine.endRun();
  }
}

class Reader {
  private readonly feed: Feed;
  readonly stamps: number[] = [];
  missed = 0;

  constructor(node: SimulatedNode) {
    this.feed = new Feed(node.session.parts);
  }

  /** What a subscription does. */
  read(): void {
    const { feed } = this;
    feed.take();
    for (; feed.next < feed.ready.length; feed.next++) {
      const fed = feed.ready[feed.next] as (typeof feed.ready)[number];
      if ('missed' in fed) this.missed += fed.missed;
      else this.stamps.push(fed.stamp);
    }
  }
}

/** False: it was through before its k-th place. */
export function runFeedCut(world: World, kind: CutKind, k: number, events: number): boolean {
  const stage = new Stage(world, FEED_SCENARIO);
  const reader = new Reader(stage.third);
  publish(stage.survivor, events);
  const isCut = cutShort(kind, k, () => {
    reader.read();
    reader.read();
  });
  publish(stage.survivor, 2);
  reader.read();
  const told = reader.stamps;
  const isInOrder = told.every((stamp, at) => at === 0 || stamp > (told[at - 1] as number));
  if (!isInOrder) throw new CrashFault(`events told twice, or out of their order: ${told}`);
  if (told.length + reader.missed !== events + 2)
    throw new CrashFault(`${told.length} events told and ${reader.missed} missed of ${events + 2}`);
  return isCut;
}
