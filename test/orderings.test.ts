/** docs/ORDERINGS.md: each ordering of the code once, with its ends, its interleaving, and what notices when it is broken. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { mutants } from './model/mutants.js';
import { MUTANTS } from './sim/mutants/list.js';
import { ORDER_MUTANTS } from './sim/mutants/orders.js';
import { isUnder, readHouse, root } from './tidy/sources.js';

interface Section {
  readonly tag: string;
  readonly ends: readonly string[];
  /** Rows below the head of the table, as [left, right]. */
  readonly rows: readonly (readonly string[])[];
  /** What notices, with the names in backticks that it gives. */
  readonly notices: readonly { readonly by: string; readonly names: readonly string[] }[];
}

function namesIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name.replaceAll(/\s+/g, ' '));
}

function sectionOf(text: string): Section {
  const [tag = '', ...lines] = text.split('\n');
  const cells = lines.filter((line) => line.startsWith('|')).map((line) => line.split('|').slice(1, -1));
  const notices = [...text.matchAll(/^- (\w+): ((?:.|\n {2})+)/gm)];
  return {
    tag: tag.trim(),
    ends: namesIn(lines.find((line) => line.startsWith('Ends: ')) ?? ''),
    rows: cells.slice(2).map((row) => row.map((cell) => cell.trim())),
    notices: notices.map(([, by = '', what = '']) => ({ by, names: namesIn(what) })),
  };
}

const document = readFileSync(join(root, 'docs/ORDERINGS.md'), 'utf8');
const sections = document.split(/^## /m).slice(1).map(sectionOf);

/** Files by the tags that they carry. */
function endsOfCode(): Map<string, Set<string>> {
  const ends = new Map<string, Set<string>>();
  for (const { path, text } of readHouse(root).filter((source) => isUnder(source, 'lib', 'src'))) {
    for (const [, tag = ''] of text.matchAll(/\bORDER ([a-z][a-z0-9-]*-\d+)\b/g)) {
      ends.set(tag, (ends.get(tag) ?? new Set()).add(path));
    }
  }
  return ends;
}

/** Mutants by whom they are caught; the table of PROOF.md says of the simulator's which are not. */
function isCaught(by: string, name: string): boolean {
  if (by === 'model') return mutants.some((one) => one.name === name && one.survives === undefined);
  const proof = readFileSync(join(root, 'docs/PROOF.md'), 'utf8');
  const row = proof.split('\n').find((line) => line.startsWith(`| ${name} |`)) ?? '| not in the table';
  return MUTANTS.some((one) => one.name === name) && !/\| not /.test(row);
}

/** Of a mutant or a file, whether there is one. */
function exists(name: string): boolean {
  if (name.includes('/')) return existsSync(join(root, name));
  return MUTANTS.some((one) => one.name === name) || mutants.some((one) => one.name === name);
}

describe('docs/ORDERINGS.md', () => {
  const ends = endsOfCode();

  it('has a section for each tag of the code, and no other', () => {
    expect(sections.map(({ tag }) => tag).toSorted()).to.deep.equal([...ends.keys()].toSorted());
  });

  for (const { tag, ends: named, rows, notices } of sections) {
    it(`${tag}: names the files where it stands`, () => {
      expect([...named].toSorted()).to.deep.equal([...(ends.get(tag) ?? [])].toSorted());
    });

    it(`${tag}: shows two columns, and somebody at work in each`, () => {
      expect(rows).to.have.length.of.at.least(3);
      for (const row of rows) expect(row).to.have.length(2);
      for (const side of [0, 1]) expect(rows.filter((row) => row[side] !== '')).to.not.have.length(0);
    });

    it(`${tag}: names what notices when it is broken, or says why nothing can`, () => {
      expect(notices).to.not.have.length(0);
      for (const { by, names } of notices) {
        expect(by).to.be.oneOf(['simulator', 'model', 'test', 'none']);
        expect(names, `${by} without a name`).to.not.have.length(0);
        expect(names.filter((name) => !exists(name))).to.deep.equal([]);
        const [first = ''] = names;
        if (by === 'simulator' || by === 'model') expect(isCaught(by, first), `${by}: ${first}`).to.equal(true);
        if (by === 'test') expect(first).to.match(/^test\/.*\.test\.ts$/);
      }
    });
  }

  it('speaks of every mutant that was made for an order', () => {
    const spoken = sections.flatMap(({ notices }) => notices.flatMap(({ names }) => names));
    const made = ORDER_MUTANTS.map(({ name }) => name);
    expect(made.filter((name) => !spoken.includes(name))).to.deep.equal([]);
  });
});
