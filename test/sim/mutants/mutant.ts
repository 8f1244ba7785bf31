import type { Mutation } from '../coroutines/build.js';

export interface Mutant extends Mutation {
  /** What is broken, in the words of the protocol. */
  readonly name: string;
}

/** A mutant of a file of src/pool, named without its ending. */
export function of(file: string, name: string, find: string, replace: string): Mutant {
  return { file: `src/pool/${file}.js`, name, find, replace };
}
