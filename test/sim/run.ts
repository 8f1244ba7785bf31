import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Found, Hunt } from './hunt.js';

/** Runs a hunter in the copy at `root`. */
export async function runHunt(root: string, hunt: Hunt): Promise<Found> {
  const child = spawn(process.execPath, [join(root, 'test/sim/hunt.js'), JSON.stringify(hunt)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of child.stdout) {
    output += chunk;
    if (hunt.traces === true) process.stdout.write(chunk as Buffer);
  }
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  if (!last.startsWith('{')) throw new Error(`the hunter ended without a word: ${JSON.stringify(hunt)}\n${output}`);
  return JSON.parse(last) as Found;
}
