/** A copy of the compiled project in which the protocol's code has coroutines beside its functions. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, steppingNames, transform } from './transform.js';

const compiled = fileURLToPath(new URL('../../../', import.meta.url));
const COPIED = ['lib', 'src', 'test/sim', 'test/support'];
const TRANSFORMED = ['src/pool', 'src/pool/policy', 'src/cache'];
const TRANSFORMED_FILES = ['test/sim/machine.js', 'test/sim/node.js', 'test/sim/world.js', 'test/sim/schedule/program.js', 'test/sim/schedule/actor.js'];

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

/** Makes the copy in dist/NAME; returns where it lies. */
export function buildCoroutines(name: string, mutation?: Mutation): string {
  const root = join(compiled, name);
  rmSync(root, { recursive: true, force: true });
  for (const folder of COPIED) {
    mkdirSync(join(root, folder), { recursive: true });
    cpSync(join(compiled, folder), join(root, folder), {
      recursive: true,
      filter: (source) => !source.endsWith('.map') && !source.endsWith('.d.ts'),
    });
  }
  if (mutation !== undefined) {
    const path = join(root, mutation.file);
    writeFileSync(path, mutate(readFileSync(path, 'utf8'), mutation));
  }
  const paths = [
    ...TRANSFORMED.flatMap((folder) =>
      readdirSync(join(root, folder))
        .filter((file) => file.endsWith('.js'))
        .map((file) => join(folder, file)),
    ),
    ...TRANSFORMED_FILES,
  ];
  const files = paths.map((path) => parse(path, readFileSync(join(root, path), 'utf8')));
  const names = steppingNames(files);
  files.forEach((file, index) => {
    const path = paths[index] as string;
    const runtime = relative(dirname(path), 'test/sim/coroutines/turn.js');
    writeFileSync(join(root, path), transform(file, names, runtime.startsWith('.') ? runtime : `./${runtime}`));
  });
  writeFileSync(join(root, 'stepping.json'), JSON.stringify([...names.stepping]));
  return root;
}
