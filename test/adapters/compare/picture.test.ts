import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadEcharts } from '../../../adapters/compare/charts.js';
import { essentialNames, essentialsOf } from '../../../adapters/compare/essence.js';
import { renderPicture } from '../../../adapters/compare/picture.js';
import type { CompareResult } from '../../../adapters/compare/types.js';
import { root } from '../../tidy/sources.js';
import { sampleArm, sampleResult } from './sample.js';

/** Throws unless each element is closed in its order, there is one root, and every attribute and entity is whole. */
function parse(xml: string): { name: string; attributes: Record<string, string>; text: string }[] {
  const elements: { name: string; attributes: Record<string, string>; text: string }[] = [];
  const open: (typeof elements)[number][] = [];
  let roots = 0;
  let at = 0;
  const part = /<\/([\w:]+)>|<([\w:]+)((?: [\w:-]+="[^"<]*")*) ?(\/?)>|[^<]+/gy;
  while (at < xml.length) {
    part.lastIndex = at;
    const match = part.exec(xml);
    if (match === null) throw new Error(`no XML at ${at}: ${xml.slice(at, at + 60)}`);
    at = part.lastIndex;
    const [whole, closed, name, attributes = '', isEmpty] = match;
    if (/&(?!(?:amp|lt|gt|quot|#39);)/.test(whole)) throw new Error(`an ampersand alone: ${whole}`);
    if (closed !== undefined) {
      if (open.pop()?.name !== closed) throw new Error(`</${closed}> closes another`);
    } else if (name !== undefined) {
      const pairs = [...attributes.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]);
      if (new Set(pairs.map(([key]) => key)).size !== pairs.length) throw new Error(`an attribute twice: ${whole}`);
      const element = { name, attributes: Object.fromEntries(pairs) as Record<string, string>, text: '' };
      elements.push(element);
      if (open.length === 0) roots += 1;
      if (isEmpty === '') open.push(element);
    } else {
      const inside = open.at(-1);
      if (inside === undefined && whole.trim() !== '') throw new Error(`text outside: ${whole}`);
      if (inside !== undefined) inside.text += whole;
    }
  }
  if (open.length > 0 || roots !== 1) throw new Error(`${open.length} elements are open, ${roots} are roots`);
  return elements;
}

const textsOf = (svg: string): string[] => parse(svg).flatMap(({ name, text }) => (name === 'text' ? [text] : []));

describe('the picture of a comparison', () => {
  const draw = async (result: CompareResult, command = 'npx sealpool compare', machine = 'a machine') => {
    const echarts = await loadEcharts();
    if (echarts === undefined) throw new Error('echarts is a dev dependency');
    return renderPicture(result, { command, machine, echarts });
  };
  const arms = [
    sampleArm('private-lru', 512_345, { elapsedMs: 20_040, p99Us: 479 }),
    sampleArm('shared', 812_003, { elapsedMs: 24_570, p99Us: 1_786 }),
    sampleArm('os-cache-limited', 700_000, { elapsedMs: 18_440 }),
  ];

  it('is well-formed, and has the figures it was given: the three that matter, and those of every arm', async () => {
    const result = sampleResult({ arms });
    const texts = textsOf(await draw(result));
    for (const { name, text, values } of essentialsOf(result) ?? [])
      expect(texts).to.include.members([name, text, values]);
    expect(texts).to.include.members(['487,655 (2.59x)', '187,997 (1.00x)', '300,000 (1.60x)']);
    expect(texts).to.include.members(['20.04 s', '24.57 s', '18.44 s', '479', '1,786', '64.0 MiB', '65.2 MiB']);
    expect(texts).to.include.members(['Storage reads', 'Time', 'Latency per page request', 'Memory held']);
  });

  it('names what was run, the command and the machine below the charts', async () => {
    const svg = await draw(sampleResult({ arms }), 'npx sealpool compare --picture a.svg', 'Linux, 2 x a processor');
    const last = textsOf(svg).at(-1);
    expect(last).to.equal('npx sealpool compare --picture a.svg  (Linux, 2 x a processor)');
    expect(svg).to.match(/4 nodes did the same 1,000,000 page requests of arc-oltp/);
    const [{ attributes } = { attributes: {} as Record<string, string> }] = parse(svg);
    const placesY = [...svg.matchAll(/<text x="[\d.]+" y="([\d.]+)"/g)].map(([, y]) => Number(y));
    expect(Math.max(...placesY)).to.be.below(Number(attributes.height));
    const places = [...svg.matchAll(/<text x="[\d.]+" y="[\d.]+"/g)].map(([place]) => place);
    expect(new Set(places).size, 'no text lies upon another').to.equal(places.length);
  });

  it('lets no text of a result become markup', async () => {
    const hostile = `"><script>alert('x')</script>&amp;<image href=x>`;
    const svg = await draw(sampleResult({ arms, workload: hostile }), hostile, hostile);
    expect(parse(svg).map(({ name }) => name)).to.not.include.members(['script']);
    expect(svg).to.not.match(/<script|<image/);
  });

  it('has no text or line of a colour that is lost on a dark paper', async () => {
    const svg = await draw(sampleResult({ arms }));
    const sheet = /<style>(.*)<\/style>/.exec(svg)?.[1] ?? '';
    expect(sheet).to.contain('prefers-color-scheme: dark');
    const elements = parse(svg);
    for (const { name, attributes } of elements.filter(
      (element) => element.name === 'text' || element.name === 'rect',
    )) {
      const { fill } = attributes;
      if (fill !== 'none') expect(sheet, name).to.contain(`[fill="${fill}"]`);
    }
    expect(elements.filter(({ name }) => name === 'style')).to.have.length(1);
  });

  it('keeps captions within the width of their chart', async () => {
    const captions = [...(await draw(sampleResult({ arms }))).matchAll(/font-size="12"[^>]*>([^<]*)</g)];
    expect(captions).to.have.length.greaterThan(4);
    for (const [, caption = ''] of captions) expect(caption.length).to.be.at.most(80);
  });

  it('in docs is of the run whose three figures the README has, and the README shows it', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    expect(readme).to.contain('](docs/compare.svg)');
    const texts = textsOf(readFileSync(join(root, 'docs', 'compare.svg'), 'utf8'));
    for (const name of essentialNames) {
      const [, text = '', values = ''] =
        new RegExp(`^\\| ${name} \\| ([^|]*) \\| ([^|]*) \\|$`, 'm').exec(readme) ?? [];
      expect(texts).to.include.members([name, text, values]);
    }
    expect(texts.at(-1)).to.match(/--picture .*\(.* x .*Node v\d+/);
  });
});
