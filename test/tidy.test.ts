import { expect } from 'chai';
import { type Files, type Rule, rules } from './tidy/rules.js';
import { parse, readHouse, root } from './tidy/sources.js';

function offendersIn(rule: Rule, files: Files): string[] {
  return rule.check(Object.entries(files).map(([path, text]) => parse(path, text)));
}

describe('the house', () => {
  const house = readHouse(root);

  it('is read whole: this file, lib and src are among its sources', () => {
    const paths = house.map((source) => source.path);
    expect(paths).to.include.members(['test/tidy.test.ts', 'lib/words.ts', 'src/index.ts']);
  });

  for (const rule of rules) {
    it(rule.claim, () => {
      const offenders = rule.check(house);
      expect(offenders, `offenders:\n  ${offenders.join('\n  ')}\n`).to.have.length(0);
    });
  }
});

describe('the rules of the house', () => {
  for (const rule of rules) {
    it(`see every sample that breaks: ${rule.claim}`, () => {
      expect(rule.bad).to.not.have.length(0);
      for (const files of rule.bad) expect(offendersIn(rule, files), JSON.stringify(files)).to.not.have.length(0);
    });

    it(`accuse no sample that keeps: ${rule.claim}`, () => {
      expect(rule.good).to.not.have.length(0);
      for (const files of rule.good) expect(offendersIn(rule, files), JSON.stringify(files)).to.deep.equal([]);
    });
  }
});
