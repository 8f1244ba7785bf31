/** Broken protocols and broken orders name one place of the compiled code each; a change of that place has to change them. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Mutation, mutate } from './coroutines/build.js';
import { CUT_MUTANTS } from './cuts/mutants.js';
import { MUTANTS } from './mutants/list.js';

const compiled = fileURLToPath(new URL('../../', import.meta.url));

/** What is wrong with the mutant's place, if anything. */
function faultOf(mutation: Mutation): string[] {
  if (!existsSync(`${compiled}${mutation.file}`)) return [`there is no ${mutation.file}`];
  try {
    mutate(readFileSync(`${compiled}${mutation.file}`, 'utf8'), mutation);
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

const LISTS = [
  ['broken protocols', MUTANTS, 25],
  ['broken orders', CUT_MUTANTS, 15],
] as const;

for (const [what, list, least] of LISTS) {
  describe(`the list of ${what}`, () => {
    it('is long, and names each of them once', () => {
      expect(list.length).to.be.at.least(least);
      expect(new Set(list.map(({ name }) => name)).size).to.equal(list.length);
    });

    it('finds the place of each in the code, once', () => {
      expect([...list].flatMap(faultOf)).to.deep.equal([]);
    });
  });
}

describe('a mutant', () => {
  it('whose place is not there, or there twice, is refused', () => {
    const [first] = MUTANTS;
    const mutation = first as (typeof MUTANTS)[number];
    expect(() => mutate('', mutation)).to.throw(`${mutation.file} has`);
    expect(() => mutate(mutation.find.repeat(2), mutation)).to.throw('2 times');
  });
});
