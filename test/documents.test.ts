import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { errorTable } from '../lib/errors.js';
import { root } from './tidy/sources.js';

function documents(): string[] {
  const named = (folder: string) => readdirSync(join(root, folder)).map((name) => join(folder, name));
  return [...named('.'), ...named('docs')].filter((path) => path.endsWith('.md'));
}

describe('the documents', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');

  for (const command of ['npm install && npm start', 'npm install-test']) {
    it(`show '${command}' in the README, in a code block of its own`, () => {
      expect(readme).to.match(new RegExp(`^\`\`\`(?:sh)?\n${command}\n\`\`\`$`, 'm'));
    });
  }

  it('link only to files that exist', () => {
    const dead = documents().flatMap((path) =>
      [...readFileSync(join(root, path), 'utf8').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(path), target)))
        .map((target) => `${path} links to ${target}`),
    );
    expect(dead).to.deep.equal([]);
  });

  it('name in the README only codes of the error table', () => {
    const codes = [...readme.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(([, code]) => code);
    expect(codes).to.not.have.length(0);
    expect(Object.keys(errorTable)).to.include.members(codes);
  });
});
