import { isBusy } from '../../src/pool/nodes/busy.js';

const OPENING_MS = 20_000;

/**
 * What a life opens at its start takes locks, and a storm stops their holders: tried again until they run. Each try waits
 * for the lock, so no pause stands between two.
 */
export function opened<T>(open: () => T): T {
  const end = performance.now() + OPENING_MS;
  for (;;) {
    try {
      return open();
    } catch (error) {
      if (!isBusy(error) || performance.now() > end) throw error;
    }
  }
}
