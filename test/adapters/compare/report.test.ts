import { expect } from 'chai';
import { escapeHtml, renderReport } from '../../../adapters/compare/report.js';
import type { CompareResult } from '../../../adapters/compare/types.js';
import { sampleArm, sampleResult } from './sample.js';

const options = { command: 'sealpool compare', machine: 'a machine' };
const withoutCharts = { ...options, echarts: async () => undefined };

/** A text that is an element, an attribute's end, an entity and a script at once. */
const hostile = `"><script>alert('x')</script>&amp;<img src=x onerror=y>`;

function hostileResult(): CompareResult {
  return sampleResult({
    workload: hostile,
    arms: [sampleArm('private-lru', 1, { notes: [hostile] }), sampleArm('shared', 2)],
    checks: [{ text: hostile, ok: true }],
    notes: [`note ${hostile}`],
    series: [{ title: hostile, unit: hostile, labels: [hostile], values: { shared: [1], 'private-lru': [2] } }],
  });
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

describe('the report', () => {
  it('lets no text of a result become markup, in tables, lists and charts', async () => {
    const page = await renderReport([hostileResult(), sampleResult()], {
      ...options,
      command: hostile,
      machine: hostile,
    });
    expect(page).to.contain('<svg').and.to.contain('&lt;script&gt;');
    expect(page).to.not.match(/<script|<img/i);
    expect(page).to.not.contain(hostile);
  });

  it('escapes for text and for attributes in either quotes', () => {
    expect(escapeHtml(`<a b="c" d='e'>&`)).to.equal('&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;');
  });

  it('needs nothing from elsewhere: no address, no script, no linked style', async () => {
    const page = await renderReport([sampleResult()], options);
    const addresses = (page.match(/https?:[^"')\s]*/g) ?? []).filter(
      (address) => !address.startsWith('http://www.w3.org/'),
    );
    expect(addresses).to.deep.equal([]);
    expect(page).to.not.match(/<link|<script|@import|url\(| src=/);
  });

  it('draws hit ratio, storage reads, latency and memory, each with a text for readers who cannot see it', async () => {
    const page = await renderReport([sampleResult()], options);
    expect(count(page, '<svg role="img" aria-label="')).to.equal(4);
    for (const title of ['Hit ratio', 'Storage reads', 'Latency per page request', 'Memory held']) {
      expect(page).to.contain(`<strong>${title}</strong>`);
    }
  });

  it('draws a chart more, and a table of its figures, for each extra series', async () => {
    const values = { shared: [1.5, 2], 'private-lru': [3, 4.25] };
    const series = [{ title: 'Time per query', unit: 'ms', labels: ['q1', 'q6'], values }];
    const page = await renderReport([sampleResult({ series })], options);
    expect(count(page, '<svg ')).to.equal(5);
    expect(page).to.contain('<td>q6</td><td>2</td><td>4.25</td>');
  });

  it('has what else was seen in a table of its own', async () => {
    const beside = { title: `Of ${hostile}`, heads: ['arm', hostile], rows: [['shared', '12']] };
    const page = await renderReport([sampleResult({ beside })], withoutCharts);
    expect(page).to.contain('<tr class="shared"><td>shared</td><td>12</td></tr>').and.not.contain(hostile);
  });

  it('draws a series of many names as standing bars over the whole width, and one of numbers as lines', async () => {
    const labels = Array.from({ length: 22 }, (_, index) => String(index + 1));
    const values = { shared: labels.map(Number), 'private-lru': labels.map((label) => Number(label) + 1) };
    const series = { title: 'Mean time', unit: 'ms', labels, values };
    const named = { ...series, labels: labels.map((label) => `q${label}`) };
    const drawings = [];
    for (const one of [named, series]) {
      const page = await renderReport([sampleResult({ series: [one] })], options);
      drawings.push(/<figure class="wide">[\s\S]*?<\/figure>/.exec(page)?.[0] ?? '');
    }
    const shapes = drawings.map((drawing) => count(drawing, 'fill="#2f6fed"'));
    expect(shapes[0]).to.be.at.least(22);
    expect(shapes[1]).to.be.below(22);
    expect(drawings[1]).to.contain('stroke="#2f6fed"');
  });

  it('draws values that lie far apart on a logarithmic axis, says so, and stands the bars on its end', async () => {
    const heights = async (least: number) => {
      const series = { title: 'Mean time', unit: 'ms', labels: ['q1', 'q2'], values: { shared: [least, 900] } };
      const page = await renderReport([sampleResult({ series: [series] })], options);
      const drawing = page.slice(page.indexOf('<strong>Mean time</strong>'));
      const bars = [...drawing.matchAll(/<path d="M[\d.]+ [\d.]+l([\d.]+) [^"]*" fill="#2f6fed"/g)];
      return {
        says: drawing.includes('logarithmic'),
        widths: bars.map(([, width]) => Number(width)).filter((width) => width > 30),
      };
    };
    const near = await heights(100);
    const far = await heights(0.5);
    expect([near.says, far.says]).to.deep.equal([false, true]);
    expect(far.widths).to.have.length(2);
    // The axis begins at 0.1.
    const expected = Math.log10(900 / 0.1) / Math.log10(0.5 / 0.1);
    expect((far.widths[1] ?? 0) / (far.widths[0] ?? 0)).to.be.closeTo(expected, 0.05);
  });

  it('gives every text and line of the charts a colour that the style sheet turns for dark readers', async () => {
    const page = await renderReport([sampleResult()], options);
    const [sheet = ''] = /<style>[\s\S]*?<\/style>/.exec(page) ?? [];
    const texts = page.match(/<text [^>]*>/g) ?? [];
    expect(texts).to.have.length.greaterThan(20);
    for (const text of texts) {
      const [, fill = ''] = /fill="([^"]*)"/.exec(text) ?? [];
      expect(sheet).to.contain(`svg [fill="${fill}"]`);
    }
    expect(sheet).to.contain('prefers-color-scheme: dark');
  });

  it('carries no style sheet or class of a chart, since those of several charts would collide', async () => {
    const page = await renderReport([sampleResult(), sampleResult()], options);
    expect(count(page, '<style')).to.equal(1);
    expect(page).to.not.match(/<(?:path|text|circle|g)[^>]* class=/);
  });

  it('holds all figures, and names the install line, when echarts is not installed', async () => {
    const page = await renderReport([sampleResult()], withoutCharts);
    expect(page).to.not.contain('<svg');
    expect(page).to.match(/<code>npm install echarts@\d+\.\d+\.\d+<\/code>/);
    for (const figure of ['512,345', '51.23 %', '187,997', '2.59x', '1,204'])
      expect(page).to.contain(`<td>${figure}</td>`);
  });

  it('says at its head when a check failed, and marks the check', async () => {
    const checks = [
      { text: 'First claim.', ok: true },
      { text: 'Second claim.', ok: false },
    ];
    const page = await renderReport([sampleResult({ checks })], withoutCharts);
    expect(page).to.contain('1 of 2 checks failed');
    expect(page).to.contain('<span class="pass">PASS</span>First claim.');
    expect(page).to.contain('<span class="fail">FAIL</span>Second claim.');
  });

  it('sets several runs side by side, then each in a section that the overview links to', async () => {
    const page = await renderReport([sampleResult(), sampleResult({ workload: 'other' })], options);
    expect(page).to.contain('<section id="overview">');
    for (const run of ['run-1', 'run-2']) {
      expect(page).to.contain(`<section id="${run}">`).and.to.contain(`<a href="#${run}">`);
    }
    expect(count(page, '<svg ')).to.equal(10);
  });

  it('has no overview of a single run', async () => {
    expect(await renderReport([sampleResult()], withoutCharts)).to.not.contain('overview');
  });

  it('is the same page for the same results', async () => {
    expect(await renderReport([sampleResult()], options)).to.equal(await renderReport([sampleResult()], options));
  });

  it('draws arms that read nothing, took no time and hold no memory', async () => {
    const nothing = { hits: 0, hitRatio: 0, storageReads: 0, bytesPrivate: 0, bytesShared: 0, p50Us: 0, p99Us: 0 };
    const page = await renderReport([sampleResult({ arms: [sampleArm('shared', 0, nothing)] })], options);
    expect(count(page, '<svg ')).to.equal(4);
    expect(page).to.not.match(/NaN|Infinity|undefined/);
  });
});
