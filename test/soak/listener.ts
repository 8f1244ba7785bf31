/** A subscription of a node of a soak to its own kept keys: each change that it made and that ended has to be told. */
import type { Subscription } from '../../src/index.js';
import { pause } from '../support/pools.js';
import type { CutterTools } from './cutter.js';

const TOLD_WITHIN_MS = 10_000;
const LOOK_MS = 20;

export class Listener {
  private readonly tools: CutterTools;
  private subscription: Subscription | undefined;
  private loop: Promise<void> = Promise.resolve();
  private told = 0;
  private missed = 0;
  private changesBefore = 0;

  constructor(tools: CutterTools) {
    this.tools = tools;
  }

  get isOpen(): boolean {
    return this.subscription !== undefined;
  }

  open(): void {
    const { pool, plan, changes } = this.tools;
    const prefix = `kept-${plan.seat}-`;
    this.told = 0;
    this.missed = 0;
    this.changesBefore = changes.count;
    const subscription = pool.subscribe({ prefix });
    subscription.unref();
    this.subscription = subscription;
    this.loop = this.follow(subscription, prefix);
    // Its failure is looked at where it is closed.
    this.loop.catch(() => {});
  }

  private async follow(subscription: Subscription, prefix: string): Promise<void> {
    for await (const event of subscription) {
      if (event.type === 'missed') {
        this.missed += event.count;
        this.tools.tally('events missed');
        continue;
      }
      if (!event.key.startsWith(prefix)) throw new Error(`an event of ${event.key} for a subscriber to ${prefix}`);
      if (event.type === 'sealed') this.told++;
      this.tools.tally('events');
    }
  }

  /** Throws when changes of this node were told to nobody. */
  async close(): Promise<void> {
    const { subscription } = this;
    if (subscription === undefined) return;
    // Nobody opens another meanwhile: it counts as open until it is closed.
    const expected = this.tools.changes.count - this.changesBefore;
    const end = performance.now() + TOLD_WITHIN_MS;
    while (this.told < expected && this.missed === 0 && performance.now() < end) await pause(LOOK_MS);
    if (this.subscription !== subscription) return;
    this.subscription = undefined;
    subscription.close();
    await this.loop;
    if (this.told >= expected || this.missed > 0) return;
    throw new Error(`a subscriber was told of ${this.told} of ${expected} pages that its node sealed`);
  }
}
