/** A copy of the compiled project in which the code for memory that is not coherent has coroutines beside its functions. */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeIn, isCode, type Mutation, mutate, runtimeFrom } from '../../sim/coroutines/build.js';
import { parse, steppingNames, transform } from '../../sim/coroutines/transform.js';
import type { Found, Hunt } from './hunt.js';

const compiled = fileURLToPath(new URL('../../../', import.meta.url));
const COPIED = ['lib', 'src/pool', 'src/coherence', 'test/coherence', 'test/support', 'test/sim/coroutines'];
const TRANSFORMED_FILES = ['test/coherence/sim/actor.js', 'test/coherence/sim/world.js'];

/** Makes the copy in dist/NAME, with one line another where a mutation says so; returns where it lies. */
export function buildSteps(name: string, mutation?: Mutation): string {
  const root = join(compiled, name);
  rmSync(root, { recursive: true, force: true });
  for (const folder of COPIED) {
    mkdirSync(join(root, folder), { recursive: true });
    cpSync(join(compiled, folder), join(root, folder), { recursive: true, filter: isCode });
  }
  if (mutation !== undefined) {
    writeFileSync(join(root, mutation.file), mutate(readFileSync(join(root, mutation.file), 'utf8'), mutation));
  }
  // The entry is for processes: a name of its own there would make a step of every method that is called so.
  const paths = codeIn(root, 'src/coherence').filter((path) => !path.includes('/entry/'));
  paths.push(...TRANSFORMED_FILES);
  const files = paths.map((path) => parse(path, readFileSync(join(root, path), 'utf8')));
  const stepping = steppingNames(files);
  files.forEach((file, index) => {
    const path = paths[index] as string;
    writeFileSync(join(root, path), transform(file, stepping, runtimeFrom(path)));
  });
  writeFileSync(join(root, 'stepping.json'), JSON.stringify({ stepping: [...stepping.stepping] }));
  return root;
}

/** Runs a hunt in the copy. */
export async function runHunt(root: string, hunt: Hunt): Promise<Found> {
  const child = spawn(process.execPath, [join(root, 'test/coherence/sim/hunt.js'), JSON.stringify(hunt)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of child.stdout) output += chunk;
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  if (!last.startsWith('{')) throw new Error(`the hunter ended without a word: ${JSON.stringify(hunt)}\n${output}`);
  return JSON.parse(last) as Found;
}
