/**
 * Ctrl-C during a comparison: exit 130 (SIGTERM: 143), through process.exit, so that the 'exit' handlers by which the
 * workloads end their child processes run; death by signal would skip them.
 *
 * (I1) other handlers of the signal are left alone and get GRACE_MS to finish what they do asynchronously.
 * (I2) a second signal does not wait.
 */
import { constants } from 'node:os';

const GRACE_MS = 2000;
const signals = ['SIGINT', 'SIGTERM'] as const;

/** Runs `work`; `leave` is called once, synchronously, when a signal ends it. */
export async function interruptible<T>(leave: () => void, work: () => Promise<T>): Promise<T> {
  let seen = false;
  const onSignal = (signal: NodeJS.Signals) => {
    const exit = () => process.exit(128 + constants.signals[signal]);
    if (seen) exit();
    seen = true;
    leave();
    const others = process.listenerCount(signal) - 1;
    setTimeout(exit, others > 0 ? GRACE_MS : 0);
  };
  for (const signal of signals) process.on(signal, onSignal);
  try {
    const result = await work();
    // Work that a signal cut short may still end well; its result is not the one that was asked for.
    return seen ? await new Promise<never>(() => {}) : result;
  } catch (failure) {
    if (seen) await new Promise<never>(() => {});
    throw failure;
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}
