/**
 * One node of the benchmark `shuffle`. Started as `node shuffle.node.js SETTING`; does a phase whenever it is told to, and
 * answers when it is done.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { type Medium, type Offers, openMedium, ownOf, type Setting, type Usage } from './shuffle.media.js';
import {
  measurePartitions,
  PARTITIONS,
  partitionRecords,
  Sorter,
  type Totals,
  verifySorted,
} from './shuffle.records.js';

export type Order =
  | { readonly phase: 'map' }
  | ({ readonly phase: 'exchange' } & Offers)
  | { readonly phase: 'reduce' }
  | { readonly phase: 'verify' }
  | { readonly phase: 'end' };

export type Answer =
  | { readonly phase: 'ready'; readonly port: number }
  | { readonly phase: 'map'; readonly sizes: Readonly<Record<number, number>> }
  | { readonly phase: 'exchange' }
  | ({ readonly phase: 'reduce' } & Usage)
  | ({ readonly phase: 'verify' } & Totals)
  | { readonly phase: 'end' };

/** Processor time of this node in the phase, the kernel's on its behalf included. */
export interface Spent {
  readonly cpuMs: number;
}

class Node {
  private readonly setting: Setting;
  private readonly medium: Medium;
  private readonly sorted = new Map<number, Int32Array>();

  constructor(setting: Setting, medium: Medium) {
    this.setting = setting;
    this.medium = medium;
  }

  async obey(order: Order): Promise<Answer> {
    const { phase } = order;
    switch (phase) {
      case 'map':
        return { phase, sizes: await this.map() };
      case 'exchange':
        await this.medium.exchange(order);
        return { phase };
      case 'reduce':
        await this.reduce();
        return { phase, ...this.medium.usage() };
      case 'verify':
        return { phase, ...this.verify() };
      case 'end':
        await this.medium.end();
        return { phase };
    }
  }

  private async map(): Promise<Record<number, number>> {
    const { node, tasks, splitBytes, inputPath } = this.setting;
    const split = Buffer.allocUnsafeSlow(splitBytes);
    const words = new Int32Array(split.buffer);
    const sizes: Record<number, number> = {};
    const file = openSync(inputPath, 'r');
    for (const task of ownOf(node, tasks)) {
      if (readSync(file, split, 0, splitBytes, task * splitBytes) !== splitBytes)
        throw new Error('The input is short.');
      partitionRecords(words, this.medium.open(task, measurePartitions(words)));
      await this.medium.close(sizes);
    }
    closeSync(file);
    return sizes;
  }

  private async reduce(): Promise<void> {
    const sorter = new Sorter();
    for (const partition of ownOf(this.setting.node, PARTITIONS)) {
      const pieces = await this.medium.gather(partition);
      const sorted = new Int32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
      sorter.sort(pieces, sorted);
      this.sorted.set(partition, sorted);
      this.medium.drop(partition);
    }
  }

  private verify(): Totals {
    let count = 0;
    let sum = 0;
    for (const [partition, words] of this.sorted) {
      const totals = verifySorted(words, partition);
      count += totals.count;
      sum = (sum + totals.sum) | 0;
    }
    return { count, sum };
  }
}

const setting = JSON.parse(process.argv[2] ?? '') as Setting;
const medium = await openMedium(setting);
const node = new Node(setting, medium);
let cpuBefore = process.cpuUsage();
const answer = (message: Answer) => {
  const { user, system } = process.cpuUsage(cpuBefore);
  process.send?.({ ...message, cpuMs: (user + system) / 1000 } satisfies Answer & Spent);
};
process.on('message', async (order: Order) => {
  cpuBefore = process.cpuUsage();
  answer(await node.obey(order));
});
// Whoever gave the orders is gone, or has given its last.
process.on('disconnect', () => process.exit());
answer({ phase: 'ready', port: medium.port });
