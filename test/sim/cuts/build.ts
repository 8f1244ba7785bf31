/** A copy of the compiled project in which every call of the product can be cut short. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeIn, isCode, type Mutation, mutate } from '../coroutines/build.js';
import { withProbes } from './transform.js';

const compiled = fileURLToPath(new URL('../../../', import.meta.url));
const COPIED = ['lib', 'src', 'test/sim', 'test/support'];
const PROBED = ['src/pool', 'src/cache'];
const PROBED_FILES = ['words', 'counters', 'hash', 'sequence', 'clock', 'assert', 'bytes'].map(
  (name) => `lib/${name}.js`,
);

/** Makes the copy in a folder of dist; returns where it lies. With a mutation one statement of it is another. */
export function buildCuts(folder = 'cuts', mutation?: Mutation): string {
  const root = join(compiled, folder);
  rmSync(root, { recursive: true, force: true });
  for (const part of COPIED) {
    mkdirSync(join(root, part), { recursive: true });
    cpSync(join(compiled, part), join(root, part), { recursive: true, filter: isCode });
  }
  for (const path of [...PROBED.flatMap((part) => codeIn(root, part)), ...PROBED_FILES]) {
    const text = readFileSync(join(compiled, path), 'utf8');
    const code = mutation?.file === path ? mutate(text, mutation) : text;
    writeFileSync(join(root, path), withProbes(path, code, relative(dirname(path), 'test/sim/cuts/probe.js')));
  }
  return root;
}
