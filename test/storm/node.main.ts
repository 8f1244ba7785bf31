/** The program of a storm's process: loaded and waiting, until it is told which life to lead. */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { random } from '../support/content.js';
import { Board } from './board.js';
import { live } from './life.js';
import type { LifePlan, Notice, Order } from './plan.js';

const WORKER = fileURLToPath(new URL('./node.worker.js', import.meta.url));
let over = false;

function say(notice: Notice): void {
  process.send?.(notice);
}

/** Workers one after another, each terminated at a random moment. */
async function host(plan: LifePlan): Promise<void> {
  const below = random(plan.seed + 1);
  const board = new Board(plan.scene.boardPath, plan.scene.shape);
  for (let life = 0; !over; life++) {
    const worker = new Worker(WORKER, { workerData: { ...plan, seed: plan.seed + life * 7919 } });
    const failed = new Promise<never>((_, reject) => worker.once('error', reject));
    const row = await Promise.race([failed, new Promise<number>((resolve) => worker.once('message', resolve))]);
    if (life === 0) say({ row });
    await Promise.race([failed, new Promise((resolve) => setTimeout(resolve, 10 + below(250)))]);
    await worker.terminate();
    board.leaveOperation(plan.seat);
    board.count(plan.seat, 'terminations');
  }
}

async function lead(plan: LifePlan): Promise<void> {
  if (plan.onWorker === true) await host(plan);
  else {
    await live(
      plan,
      () => over,
      (row) => say({ row }),
    );
  }
  if (plan.fill === true) say({ filled: true });
  process.exit(0);
}

process.on('message', (order: Order) => {
  if ('leave' in order) over = true;
  else {
    lead(order.go).catch((error: unknown) => {
      console.error(error instanceof Error ? error.stack : String(error));
      process.exit(3);
    });
  }
});
process.on('disconnect', () => process.exit(0));
say({ ready: true });
