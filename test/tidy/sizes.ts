/** Sizes: what does not fit one screenful or two is split by meaning, not by scissors. */
import ts from 'typescript';
import { type Checker, isUnder, lineOf, type Source, visit } from './sources.js';

const LINES_PER_FILE_MAX = 400;
const LINES_PER_FUNCTION_MAX = 70;

export const checkFileSizes: Checker = (sources) =>
  sources.flatMap((source) => {
    const count = source.text.trimEnd().split('\n').length;
    return count > LINES_PER_FILE_MAX ? [`${source.path} has ${count} lines, of ${LINES_PER_FILE_MAX} at most`] : [];
  });

/** The callback of `describe(...)` in a test only groups claims. */
function isGroup(source: Source, node: ts.Node): boolean {
  if (!isUnder(source, 'test') || !ts.isCallExpression(node.parent)) return false;
  return node.parent.expression.getText(source.tree) === 'describe';
}

function nameOf(source: Source, node: ts.FunctionLikeDeclaration): string {
  const own = node.name ?? (ts.isVariableDeclaration(node.parent) ? node.parent.name : undefined);
  return own?.getText(source.tree) ?? (ts.isConstructorDeclaration(node) ? 'the constructor' : 'a function');
}

/** Measured over the body, braces included; a function inside counts for the one around it too. */
export const checkFunctionSizes: Checker = (sources) =>
  sources.flatMap((source) => {
    const offenders: string[] = [];
    visit(source.tree, (node) => {
      if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined || isGroup(source, node)) return;
      const lineAt = (position: number) => source.tree.getLineAndCharacterOfPosition(position).line;
      const body = node.body;
      const count = lineAt(body.getEnd()) - lineAt(body.getStart(source.tree)) + 1;
      if (count <= LINES_PER_FUNCTION_MAX) return;
      const where = `${source.path}:${lineOf(source, node)}`;
      offenders.push(`${where} ${nameOf(source, node)} has ${count} lines, of ${LINES_PER_FUNCTION_MAX} at most`);
    });
    return offenders;
  });
