/** Marks in the text: tags that must stand in pairs, and words that must not stand at all. */
import ts from 'typescript';
import { type Checker, isUnder, lineOf, type Source, visit } from './sources.js';

const orderTag = /\bORDER ([a-z][a-z0-9-]*-\d+)\b/g;
const orderWithoutTag = /(?:\/\/|\*).*\bORDER\b(?! [a-z][a-z0-9-]*-\d+\b)/;

interface Line {
  readonly where: string;
  readonly text: string;
}

function linesOf(sources: readonly Source[]): Line[] {
  return sources
    .filter((source) => isUnder(source, 'lib', 'src'))
    .flatMap((source) =>
      source.text.split('\n').map((text, index) => ({ where: `${source.path}:${index + 1}`, text })),
    );
}

/** Both ends of an ordering carry its tag; a tag that stands on one line only has lost its other end. */
export const checkOrderTags: Checker = (sources) => {
  const lines = linesOf(sources);
  const places = new Map<string, Set<string>>();
  for (const { where, text } of lines) {
    for (const [, tag = ''] of text.matchAll(orderTag)) places.set(tag, (places.get(tag) ?? new Set()).add(where));
  }
  const single = [...places].filter(([, at]) => at.size < 2);
  return [
    ...lines.filter(({ text }) => orderWithoutTag.test(text)).map(({ where }) => `${where} has ORDER without name-N`),
    ...single.map(([tag, at]) => `${[...at].join()} has the only ORDER ${tag}`),
  ];
};

export const checkUnfinished: Checker = (sources) =>
  linesOf(sources)
    .filter(({ text }) => /\b(?:TODO|FIXME|XXX)\b/.test(text))
    .map(({ where, text }) => `${where} ${text.trim()}`);

const groups = new Set(['describe', 'context', 'suite', 'it', 'test', 'specify', 'this']);
const refused = new Set(['xdescribe', 'xcontext', 'xit', 'xspecify']);

/** What is wrong with a call of mocha's interface, if anything. */
function faultOf(source: Source, call: ts.CallExpression): string | undefined {
  const callee = call.expression;
  const name = callee.getText(source.tree);
  if (refused.has(name)) return `${name} leaves a claim out`;
  if (ts.isPropertyAccessExpression(callee) && groups.has(callee.expression.getText(source.tree))) {
    if (callee.name.text === 'only') return `${name} leaves every other claim out`;
    if (callee.name.text === 'skip') return `${name} leaves a claim out`;
  }
  if ((name === 'it' || name === 'describe') && call.arguments.length === 1) return `${name} has no body`;
  return undefined;
}

/** this.skip too: a claim that holds on some machines only is declared under an `if`, so that none is left pending. */
export const checkClaimsRun: Checker = (sources) =>
  sources
    .filter((source) => isUnder(source, 'test'))
    .flatMap((source) => {
      const offenders: string[] = [];
      visit(source.tree, (node) => {
        const fault = ts.isCallExpression(node) ? faultOf(source, node) : undefined;
        if (fault !== undefined) offenders.push(`${source.path}:${lineOf(source, node)} ${fault}`);
      });
      return offenders;
    });

const hooks = new Set(['before', 'beforeEach', 'after', 'afterEach']);

/** Such a hook is of the first test file that imports the module in a process, and of no later one. */
export const checkHooks: Checker = (sources) =>
  sources
    .filter((source) => isUnder(source, 'test') && !source.path.endsWith('.test.ts'))
    .flatMap((source) =>
      source.tree.statements.flatMap((statement) => {
        const call = ts.isExpressionStatement(statement) ? statement.expression : undefined;
        if (call === undefined || !ts.isCallExpression(call)) return [];
        const name = call.expression.getText(source.tree);
        return hooks.has(name) ? [`${source.path}:${lineOf(source, statement)} ${name} at the top`] : [];
      }),
    );
