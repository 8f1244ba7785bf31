/** A copy of the compiled project in which the protocol's code has coroutines beside its functions. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, steppingNames, transform } from './transform.js';

const compiled = fileURLToPath(new URL('../../../', import.meta.url));
const COPIED = ['lib', 'src', 'test/sim', 'test/support'];
const TRANSFORMED = ['src/pool', 'src/cache'];
const TRANSFORMED_FILES = [
  'test/sim/machine.js',
  'test/sim/node.js',
  'test/sim/world.js',
  'test/sim/schedule/program.js',
  'test/sim/schedule/actor.js',
];

/** Names of the functions that step, for whoever makes more. */
const NAMES = 'stepping.json';

/** A change of one line of compiled code, for finding out whether the simulation sees it. */
export interface Mutation {
  /** Under the compiled project: `src/pool/reclaim.js`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export function mutate(text: string, { file, find, replace }: Mutation): string {
  const parts = text.split(find);
  if (parts.length !== 2) throw new Error(`${file} has '${find}' ${parts.length - 1} times`);
  return parts.join(replace);
}

/** Makes the copy in dist/coroutines; returns where it lies. */
export function buildCoroutines(): string {
  const root = join(compiled, 'coroutines');
  rmSync(root, { recursive: true, force: true });
  for (const folder of COPIED) {
    mkdirSync(join(root, folder), { recursive: true });
    cpSync(join(compiled, folder), join(root, folder), { recursive: true, filter: isCode });
  }
  const paths = [...TRANSFORMED.flatMap((folder) => codeIn(root, folder)), ...TRANSFORMED_FILES];
  const files = paths.map((path) => parse(path, readFileSync(join(root, path), 'utf8')));
  const names = steppingNames(files);
  files.forEach((file, index) => {
    const path = paths[index] as string;
    writeFileSync(join(root, path), transform(file, names, runtimeFrom(path)));
  });
  writeFileSync(join(root, NAMES), JSON.stringify({ stepping: [...names.stepping], declared: [...names.declared] }));
  return root;
}

/** A copy of that copy in which one line is another; returns where it lies. */
export function buildMutant(root: string, mutation: Mutation): string {
  const mutant = join(compiled, 'mutant');
  rmSync(mutant, { recursive: true, force: true });
  cpSync(root, mutant, { recursive: true });
  const { stepping, declared } = JSON.parse(readFileSync(join(root, NAMES), 'utf8')) as Record<string, string[]>;
  const names = { stepping: new Set(stepping), declared: new Set(declared) };
  const text = mutate(readFileSync(join(compiled, mutation.file), 'utf8'), mutation);
  writeFileSync(join(mutant, mutation.file), transform(parse(mutation.file, text), names, runtimeFrom(mutation.file)));
  return mutant;
}

export function isCode(source: string): boolean {
  return !source.endsWith('.map') && !source.endsWith('.d.ts');
}

export function codeIn(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js'))
    .map((file) => join(folder, file));
}

export function runtimeFrom(path: string): string {
  const runtime = relative(dirname(path), 'test/sim/coroutines/turn.js');
  return runtime.startsWith('.') ? runtime : `./${runtime}`;
}
