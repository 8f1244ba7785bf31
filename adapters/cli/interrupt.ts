/**
 * Ctrl-C during a comparison: exit 130 (SIGTERM: 143), through process.exit, so that the 'exit' handlers by which the
 * workloads end their child processes run; death by signal would skip them.
 *
 * (I1) other handlers of the signal are left alone and get up to GRACE_MS until the work they end has settled.
 * (I2) a second signal does not wait.
 */
import { constants } from 'node:os';

const GRACE_MS = 5000;
const signals = ['SIGINT', 'SIGTERM'] as const;

/** Runs `work`; `leave` is called once, synchronously, when a signal ends it. */
export async function interruptible<T>(leave: () => void, work: () => Promise<T>): Promise<T> {
  let exit: (() => never) | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    exit?.();
    exit = () => process.exit(128 + constants.signals[signal]);
    leave();
    const others = process.listenerCount(signal) - 1;
    setTimeout(exit, others > 0 ? GRACE_MS : 0);
  };
  for (const signal of signals) process.on(signal, onSignal);
  try {
    return await work();
  } finally {
    // However the work ended after a signal, its result or failure is not the one that was asked for.
    exit?.();
    for (const signal of signals) process.off(signal, onSignal);
  }
}
