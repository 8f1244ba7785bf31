/**
 * NEEDS src/pool/layout.ts with `renderLayout(): string`. It is imported by its compiled path at run time, so that this
 * file compiles before that one exists; until then the claim fails for want of it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { root } from '../tidy/sources.js';

interface LayoutModule {
  readonly renderLayout: () => string;
}

describe('src/pool/LAYOUT.md', () => {
  it('is what the layout renders: a change of the layout is seen in review', async () => {
    const path = '../../src/pool/layout.js';
    const { renderLayout } = (await import(path)) as LayoutModule;
    const rendered = renderLayout();
    expect(rendered).to.match(/^\| byte \| size \| field \| kind \| written by \|$/m);
    const kept = readFileSync(join(root, 'src/pool/LAYOUT.md'), 'utf8');
    expect(kept, 'print renderLayout() into src/pool/LAYOUT.md').to.equal(rendered);
  });
});
