import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { alignRows, renderTable, wrap } from '../../../adapters/compare/table.js';
import { sampleArm, sampleResult } from './sample.js';

function figureLines(text: string): string[] {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => /^arm /.test(line));
  return lines.slice(first, lines.indexOf('', first));
}

describe('the table of a comparison', () => {
  it('says of equally many pages that what finds them is not in their bytes', () => {
    const text = (equalIn?: 'pages' | 'bytes') =>
      renderTable([sampleResult(equalIn === undefined ? {} : { equalIn })], { color: false }).replaceAll('\n', ' ');
    expect(text('pages')).to.contain('64 MiB of pages in memory in total, and what finds them on top.');
    expect(text('bytes')).to.equal(text()).and.to.contain('with 64 MiB of memory in total.');
  });

  it('gives all lines of the figures one width, whatever the figures', () => {
    const figure = fc.double({ min: 0, max: 1e12, noNaN: true });
    fc.assert(
      fc.property(figure, figure, figure, (bytesPrivate, p50Us, elapsedMs) => {
        const arms = [sampleArm('private-lru', 5, { bytesPrivate, p50Us, elapsedMs }), sampleArm('shared', 999_999)];
        const widths = figureLines(renderTable([sampleResult({ arms })], { color: false })).map((line) => line.length);
        expect(widths).to.have.length(3);
        expect(new Set(widths).size).to.equal(1);
      }),
    );
  });

  it('ends every column of figures where its head ends', () => {
    const [head = '', ...rows] = figureLines(renderTable([sampleResult()], { color: false }));
    for (const title of ['requests', 'hit ratio', 'storage reads', 'vs shared', 'total MiB', 'p99 µs', 'seconds']) {
      const end = head.indexOf(title) + title.length;
      for (const row of rows) expect(row.slice(end - 1, end + 1), `${title}: ${row}`).to.match(/^\S(?: |$)/);
    }
  });

  it('lines up in colour as it does without', () => {
    const plain = renderTable([sampleResult()], { color: false });
    const colored = renderTable([sampleResult()], { color: true });
    expect(plain).to.not.contain('\u001b');
    expect(colored).to.contain('\u001b[');
    expect(stripVTControlCharacters(colored)).to.equal(plain);
  });

  it('has what else was seen in a table of its own below the figures', () => {
    const beside = {
      title: 'Of all.',
      heads: ['arm', 'commits/s'],
      rows: [
        ['shared', '12'],
        ['private-lru', '3'],
      ],
    };
    const text = renderTable([sampleResult({ beside })], { color: false });
    expect(text).to.contain('\n\nOf all.\narm          commits/s\nshared              12\nprivate-lru          3\n');
    expect(text.indexOf('requests')).to.be.below(text.indexOf('Of all.'));
  });

  it('turns to one line per figure on a terminal that it does not fit', () => {
    const text = renderTable([sampleResult(), sampleResult()], { color: false, columns: 80 });
    const lines = figureLines(text);
    expect(lines).to.have.length(12);
    expect(lines[0]).to.match(/^arm +private-lru +private-s3-fifo +shared$/);
    expect(Math.max(...text.split('\n').map((line) => line.length))).to.be.at.most(80);
  });

  it('counts storage reads as multiples of those of the shared arm', () => {
    const [, , ...rows] = figureLines(renderTable([sampleResult()], { color: false }));
    expect(rows[0]).to.contain(' 2.33x ');
    expect(rows[1]).to.contain(' 1.00x ');
  });

  it('writes a dash where the shared arm read nothing, not a number', () => {
    const arms = [sampleArm('private-lru', 5), sampleArm('shared', 1_000_000)];
    const text = renderTable([sampleResult({ arms })], { color: false });
    expect(figureLines(text)[1]).to.match(/ – /);
    expect(text)
      .to.contain('The shared pool read no page from storage')
      .and.not.match(/NaN|Infinity/);
  });

  it('says what was compared before the figures and what to do next after them', () => {
    const text = renderTable([sampleResult()], { color: false, next: 'Next: look.' });
    expect(text).to.match(/4 nodes did the same 1,000,000 page requests of arc-oltp\.u32\.br/);
    expect(text.indexOf('4 nodes')).to.be.below(text.indexOf('\narm '));
    expect(text).to.match(/\n\nNext: look\.\n$/);
  });

  it('says so when the shared pool lost', () => {
    const arms = [sampleArm('private-lru', 900_000), sampleArm('shared', 800_000)];
    const text = renderTable([sampleResult({ arms })], { color: false });
    expect(text).to.contain('The shared pool lost here: it read 2.00 times as many pages');
  });

  it('measures the shared pool against the best private arm, not the worst', () => {
    const text = renderTable([sampleResult()], { color: false });
    expect(text.replaceAll('\n', ' ')).to.contain('2.33 times less often than private-s3-fifo, the best private arm');
  });

  it('shows control characters of a trace name without sending them', () => {
    const text = renderTable([sampleResult({ workload: 'a\u001b[2Jb\nc' })], { color: false });
    expect(text).to.contain('a\\u001b[2Jb\\u000ac').and.not.contain('\u001b');
  });

  it('ends several runs with one line for each', () => {
    const text = renderTable([sampleResult(), sampleResult({ workload: 'other' })], { color: false });
    const overview = text.slice(text.indexOf('All 2 workloads')).trimEnd().split('\n');
    expect(overview).to.have.length(4);
    expect(overview[3]).to.match(/^other +private-s3-fifo .* passed$/);
  });
});

describe('wrapped text', () => {
  const words = fc.array(fc.stringMatching(/^[a-z]{1,20}$/), { minLength: 1, maxLength: 60 });

  it('keeps all words in order, and no line is longer than the columns', () => {
    fc.assert(
      fc.property(words, fc.integer({ min: 24, max: 100 }), (list, columns) => {
        const lines = wrap(list.join(' '), '- ', columns);
        expect(Math.max(...lines.map((line) => line.length))).to.be.at.most(columns);
        expect(lines.map((line) => line.slice(2)).join(' ')).to.equal(list.join(' '));
      }),
    );
  });

  it('does not part a number from its unit', () => {
    expect(wrap('it took 64 MiB', '', 11)).to.deep.equal(['it took', '64 MiB']);
    expect(wrap('it hit 81.20 % of', '', 14)).to.deep.equal(['it hit 81.20 %', 'of']);
    expect(wrap('it hit 81.20 % of', '', 13)).to.deep.equal(['it hit', '81.20 % of']);
  });
});

describe('aligned rows', () => {
  it('pad the first column to the right of its text and the others to the left', () => {
    expect(
      alignRows([
        ['a', '100'],
        ['long', '7'],
      ]),
    ).to.deep.equal([
      ['a   ', '100'],
      ['long', '  7'],
    ]);
  });
});
