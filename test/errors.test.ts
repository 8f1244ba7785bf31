import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { errorTable } from '../lib/errors.js';
import { root } from './tidy/sources.js';

/** Code to the text of its section, in the order of the document. */
function sectionsOf(document: string): Map<string, string> {
  const parts = document.split(/^## /m).slice(1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf('\n')).trim(), part]));
}

describe('docs/ERRORS.md', () => {
  const document = readFileSync(join(root, 'docs/ERRORS.md'), 'utf8');
  const sections = sectionsOf(document);

  it('has one section for each code of the table, in its order, and none besides', () => {
    expect([...sections.keys()]).to.deep.equal(Object.keys(errorTable));
    expect(document.match(/^## /gm)).to.have.length(sections.size);
  });

  it('says in each section what happened and who throws, and quotes the remedy of the message word for word', () => {
    for (const [code, remedy] of Object.entries(errorTable)) {
      const [heading, happened = '', throwers = '', advice] = (sections.get(code) ?? '').trim().split(/\n\n|\n(?=- )/);
      expect(heading, code).to.equal(code);
      expect(happened, code).to.match(/^[A-Z][^-].{20,}/);
      expect(throwers, code).to.match(/^- \*\*Thrown by\*\* .{10,}/);
      expect(advice, code).to.equal(`- **What to do:** ${remedy}`);
    }
  });

  it('is compared by sections: one too few and one too many are both seen', () => {
    const keys = (text: string) => [...sectionsOf(text).keys()];
    expect(keys(document.replace('## BUSY\n', ''))).to.not.deep.equal(Object.keys(errorTable));
    expect(keys(`${document}\n## INVENTED\n`)).to.not.deep.equal(Object.keys(errorTable));
  });
});
