/**
 * What every child process of a comparison does: takes one task, waits to be let go together with the others, and reports what it
 * did. It ends when its parent is gone.
 */
import type { Report } from './messages.js';

export const send = (report: Report): Promise<void> =>
  new Promise((resolve, reject) => process.send!(report, (error: Error | null) => (error ? reject(error) : resolve())));

/** `work` reports ready, and awaits `go`. */
export async function runTask<Task>(work: (task: Task, go: Promise<void>) => Promise<unknown>): Promise<never> {
  process.on('disconnect', () => process.exit(1));
  let release = (): void => {};
  const go = new Promise<void>((settle) => {
    release = settle;
  });
  const task = await new Promise<Task>((resolve) => {
    // The first message is the task, the second lets it go.
    process.once('message', (message) => {
      process.once('message', release);
      resolve(message as Task);
    });
  });
  try {
    await send({ type: 'done', result: await work(task, go) });
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    await send({ type: 'failed', message });
  }
  process.exit(0);
}
