/**
 * Listening to abort signals. Whatever waits under one signal, it has one listener of ours: the runtime warns of more than
 * ten, and a server gives the same signal to everything that is to end with it.
 */

interface Listened {
  readonly callbacks: Set<() => void>;
  readonly onAbort: () => void;
}

const listened = new WeakMap<AbortSignal, Listened>();

function listenTo(signal: AbortSignal): Listened {
  const callbacks = new Set<() => void>();
  const onAbort = () => {
    listened.delete(signal);
    for (const callback of [...callbacks]) if (callbacks.delete(callback)) callback();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const created = { callbacks, onAbort };
  listened.set(signal, created);
  return created;
}

/** Calls back once, when the signal aborts. What it returns ends that. A signal that has aborted calls nobody. */
export function whenAborted(signal: AbortSignal | undefined, onAbort: () => void): () => void {
  if (signal === undefined || signal.aborted) return () => {};
  const { callbacks, onAbort: listener } = listened.get(signal) ?? listenTo(signal);
  // One of its own: the same function may be given twice.
  const callback = () => onAbort();
  callbacks.add(callback);
  return () => {
    if (!callbacks.delete(callback) || callbacks.size > 0 || listened.get(signal)?.callbacks !== callbacks) return;
    listened.delete(signal);
    signal.removeEventListener('abort', listener);
  };
}
