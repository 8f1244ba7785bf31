import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { essentialNames, essentialsOf, openingOf, whatTheyDoNotMean } from '../../../adapters/compare/essence.js';
import { renderReport } from '../../../adapters/compare/report.js';
import { renderTable } from '../../../adapters/compare/table.js';
import { root } from '../../tidy/sources.js';
import { sampleArm, sampleResult } from './sample.js';

const textsOf = (...arms: Parameters<typeof sampleArm>[]) =>
  essentialsOf(sampleResult({ arms: arms.map((arm) => sampleArm(...arm)) }))?.map(({ text }) => text);

describe('what a comparison says of itself', () => {
  it('begins with three sentences, of as many processes and bytes as were asked for', () => {
    const [work = '', ways = '', ...others] = openingOf(4, 64 * 1024 * 1024);
    expect(others).to.have.length(1);
    expect(work).to.match(/^4 processes run .* 22 .*SQLite database\.$/);
    expect(ways).to.contain('64 MiB').and.to.contain("operating system's");
    expect(openingOf(1, '10%').join(' ')).to.match(/^One process runs .*the same 10% of memory/);
    expect(openingOf(4).join(' ')).to.contain('on the same memory in all');
    expect(openingOf(4, undefined, 'sqlite').join(' ')).to.not.contain('writer');
    expect(openingOf(2, '10%', 'htap').join(' ')).to.match(
      /^2 processes .*changes all the while\. .* how the writer fared/,
    );
  });

  it('ends with three figures, the shared pool against the private arm that read least', () => {
    const private1 = { storageReads: 250, elapsedMs: 3_000, p99Us: 120 };
    const private2 = { storageReads: 900, elapsedMs: 1_000, p99Us: 10 };
    const shared = { storageReads: 100, elapsedMs: 1_500, p99Us: 300 };
    const arms = [
      sampleArm('private-lru', 1, private2),
      sampleArm('private-s3-fifo', 1, private1),
      sampleArm('shared', 1, shared),
    ];
    const essentials = essentialsOf(sampleResult({ arms })) ?? [];
    expect(essentials.map(({ name }) => name)).to.deep.equal([...essentialNames]);
    expect(essentials.map(({ text }) => text)).to.deep.equal([
      '2.50 times fewer',
      '2.00 times less',
      '2.50 times more',
    ]);
    expect(essentials.map(({ values }) => values)).to.deep.equal([
      '100 against 250',
      '1.50 s against 3.00 s',
      '99 of 100 page requests within 300 µs against 120 µs',
    ]);
  });

  it('says it as plainly where the pool loses, where nothing differs, and where there is no ratio', () => {
    const losing = { storageReads: 200, elapsedMs: 2_000, p99Us: 2 };
    const winning = { storageReads: 100, elapsedMs: 1_000, p99Us: 1 };
    expect(textsOf(['private-lru', 1, winning], ['shared', 1, losing])).to.deep.equal([
      '2.00 times more',
      '2.00 times more',
      '2.00 times more',
    ]);
    expect(textsOf(['private-lru', 1, winning], ['shared', 1, winning])?.[0]).to.equal('the same');
    // So little is nothing, and more than that is something.
    for (const [reads, text] of [
      [1_004, 'the same'],
      [1_010, '1.01 times fewer'],
      [996, 'the same'],
      [990, '1.01 times more'],
    ] as const) {
      const [rival, shared] = [reads, 1_000].map((storageReads) => ({ ...winning, storageReads }));
      expect(textsOf(['private-lru', 1, rival], ['shared', 1, shared])?.[0]).to.equal(text);
    }
    const none = { ...winning, storageReads: 0 };
    expect(textsOf(['private-lru', 1, none], ['shared', 1, none])?.[0]).to.equal('the same');
    expect(textsOf(['private-lru', 1, winning], ['shared', 1, none])?.[0]).to.equal('no ratio: one of them is 0');
    expect(textsOf(['shared', 1])).to.equal(undefined);
  });

  it('says what the figures do not mean: of as many nodes, of this machine, and of a trace another thing than of a database', () => {
    const text = (change: Parameters<typeof sampleResult>[0]) => whatTheyDoNotMean(sampleResult(change)).join(' ');
    expect(text({ nodes: 3 })).to.contain('all 3 nodes want the same pages, which private caches hold 3 times');
    expect(text({})).to.match(
      /a read of a local device.* Not several machines: the nodes are processes of this one\.$/,
    );
    expect(text({ format: 'u32' }))
      .to.contain('said in the notes above')
      .and.not.contain('local device');
  });

  it("does not let the operating system's cache pass unmentioned", () => {
    const arms = [sampleArm('private-lru', 1), sampleArm('shared', 1), sampleArm('os-cache', 1, { elapsedMs: 4_800 })];
    expect(whatTheyDoNotMean(sampleResult({ arms })).join(' ')).to.contain('it took 4.80 s here');
    const limited = sampleArm('os-cache-limited', 1, { elapsedMs: 9_100 });
    expect(whatTheyDoNotMean(sampleResult({ arms: [...arms, limited] })).join(' ')).to.match(
      /it took 4\.80 s here, and 9\.10 s with no more bytes/,
    );
    expect(whatTheyDoNotMean(sampleResult()).join(' ')).to.not.contain("operating system's");
  });

  it('stands at the end of the table of one run, before what to do next, and at the head of the report', async () => {
    const text = renderTable([sampleResult()], { color: false, next: 'Next: look.' });
    const lines = text.slice(text.indexOf('The three figures that matter')).split('\n');
    expect(lines[0]).to.equal('The three figures that matter, the shared pool against private-s3-fifo:');
    expect(lines.slice(1, 4).map((line) => line.trim().split(/ {2,}/)[0])).to.deep.equal([...essentialNames]);
    expect(lines[4]).to.equal('What they do not mean:');
    expect(lines.slice(-3)).to.deep.equal(['', 'Next: look.', '']);
    expect(renderTable([sampleResult(), sampleResult()], { color: false })).to.not.contain('three figures');
    const page = await renderReport([sampleResult()], { command: '', machine: '', echarts: async () => undefined });
    expect(page).to.contain('<strong>2.33 times fewer</strong>');
    expect(page.indexOf('2.33 times fewer')).to.be.below(page.indexOf('<table'));
  });

  it('names the same three figures at the top of the README', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const top = readme.slice(0, readme.indexOf('## Use it'));
    for (const name of essentialNames) expect(top).to.include(`| ${name} |`);
    expect(top).to.include('do not mean');
  });
});
