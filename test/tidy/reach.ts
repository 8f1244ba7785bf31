/**
 * Reach: which file may touch the machine, and through which name. What is held here is what lets the simulator run the
 * protocol unchanged: a clock, a timer or a random number that src takes for itself cannot be replayed from a seed.
 */
import ts from 'typescript';
import { type Checker, importsOf, isUnder, lineOf, packageOf, type Source, visit } from './sources.js';

/** Each import of a package that `mayNot` refuses to the file. */
function refusedPackages(mayNot: (source: Source, name: string) => boolean): Checker {
  return (sources) =>
    sources.flatMap((source) =>
      importsOf(source).flatMap(({ specifier, line }) => {
        const name = specifier === undefined ? undefined : packageOf(specifier);
        return name !== undefined && mayNot(source, name) ? [`${source.path}:${line} imports ${specifier}`] : [];
      }),
    );
}

/** Whether an identifier stands for the variable of that name: no property, label, declared name or type. */
function isUse(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isPropertyAccessExpression(parent)) {
    return parent.name !== node || parent.expression.getText() === 'globalThis';
  }
  if (ts.isQualifiedName(parent) || ts.isTypeReferenceNode(parent) || ts.isTypeQueryNode(parent)) return false;
  if (ts.isTypeElement(parent) || ts.isClassElement(parent)) return parent.name !== node;
  return !(ts.isPropertyAssignment(parent) && parent.name === node);
}

function usesOf(source: Source, names: ReadonlySet<string>): string[] {
  const offenders: string[] = [];
  visit(source.tree, (node) => {
    if (!ts.isIdentifier(node) || !names.has(node.text) || !isUse(node)) return;
    offenders.push(`${source.path}:${lineOf(source, node)} uses ${node.text}`);
  });
  return offenders;
}

/** Tests and benchmarks are not the product: they may measure and provoke with Atomics of their own. */
export const checkAtomics: Checker = (sources) =>
  sources
    .filter((source) => !isUnder(source, 'test', 'benchmarks') && source.path !== 'lib/words.ts')
    .flatMap((source) => usesOf(source, new Set(['Atomics'])));

/** The storm forks warm processes, which Node cannot. */
const FORKING = 'test/storm/fork.ts';

export const checkKoffi: Checker = refusedPackages(
  (source, name) => name === 'koffi' && !isUnder(source, 'lib') && source.path !== FORKING,
);

/** Modules of Node that neither look at the machine nor keep time. */
const pureModules = new Set(['buffer', 'events', 'path', 'string_decoder', 'url', 'util']);

export const checkMachineModules: Checker = refusedPackages((source, name) => {
  if (!isUnder(source, 'src')) return false;
  const known = name.replace(/^node:/, '');
  const isModuleOfNode = name.startsWith('node:') || ['fs', 'os', 'process', 'crypto', 'timers'].includes(name);
  return isModuleOfNode && !pureModules.has(known);
});

const machineNames = new Set([
  ...['process', 'performance', 'crypto', 'queueMicrotask'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'],
]);

/** Members that read the machine of objects that are otherwise pure. */
const machineMembers = new Set(['Date.now', 'Math.random', 'AbortSignal.timeout', 'scheduler.wait']);

function memberUsesOf(source: Source): string[] {
  const offenders: string[] = [];
  const add = (node: ts.Node, what: string) => offenders.push(`${source.path}:${lineOf(source, node)} uses ${what}`);
  visit(source.tree, (node) => {
    if (ts.isPropertyAccessExpression(node)) {
      const name = node.getText(source.tree).replace(/^globalThis\./, '');
      if (machineMembers.has(name)) add(node, name);
    } else if (ts.isNewExpression(node) && node.expression.getText(source.tree) === 'Date') {
      // new Date(number) converts; new Date() reads the clock.
      if ((node.arguments?.length ?? 0) === 0) add(node, 'new Date()');
    } else if (ts.isCallExpression(node) && node.expression.getText(source.tree) === 'Date') add(node, 'Date()');
  });
  return offenders;
}

export const checkMachineNames: Checker = (sources) =>
  sources
    .filter((source) => isUnder(source, 'src'))
    .flatMap((source) => [...usesOf(source, machineNames), ...memberUsesOf(source)]);

export const checkZod: Checker = refusedPackages(
  (source, name) => name === 'zod' && !/^src\/(?:[^/]+\/)+options\.ts$/.test(source.path),
);

export const checkNearIndex: Checker = refusedPackages(
  (source, name) => name === 'lru-cache' && isUnder(source, 'lib', 'src') && source.path !== 'src/pool/near/near.ts',
);
