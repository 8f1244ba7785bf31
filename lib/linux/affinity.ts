/** Which processor a thread runs on. Used by tools that compare processes, so that all arms are placed alike. */
import { libc } from './libc.js';

const MASK_BYTES = 128;

/** Processors this thread may run on, lowest first. Empty where the system does not say. */
export function allowedProcessors(): number[] {
  const mask = Buffer.alloc(MASK_BYTES);
  if (libc().schedGetAffinity(0, MASK_BYTES, mask) < 0) return [];
  const found: number[] = [];
  for (let cpu = 0; cpu < MASK_BYTES * 8; cpu++)
    if (((mask[cpu >> 3] as number) & (1 << (cpu & 7))) !== 0) found.push(cpu);
  return found;
}

/** Keeps the calling thread on the `index`th of its allowed processors, counted round. False where that is refused. */
export function stayOnProcessor(index: number): boolean {
  const allowed = allowedProcessors();
  const cpu = allowed[index % Math.max(1, allowed.length)];
  if (cpu === undefined) return false;
  const mask = Buffer.alloc(MASK_BYTES);
  mask[cpu >> 3] = 1 << (cpu & 7);
  return libc().schedSetAffinity(0, MASK_BYTES, mask) === 0;
}
