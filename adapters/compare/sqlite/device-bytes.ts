import { readFileSync } from 'node:fs';

/** Bytes fetched from devices for this process so far; undefined where the kernel does not tell. */
export function deviceBytes(): number | undefined {
  try {
    return Number(/^read_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? Number.NaN) || 0;
  } catch {
    return undefined;
  }
}
