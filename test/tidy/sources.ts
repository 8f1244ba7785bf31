/**
 * The house as data: every TypeScript source under the ranked folders, parsed once. Checkers are functions from sources
 * to offenders, so that each can be fed a bad source in memory and be seen to catch it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** `path` is relative to the root of the house, with forward slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

/** Returns one line for each offender; none when the rule holds. */
export type Checker = (sources: readonly Source[]) => string[];

export interface Import {
  /** What the source names; undefined when the name is computed at run time. */
  readonly specifier: string | undefined;
  readonly line: number;
}

/** This file runs as dist/test/tidy/sources.js. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));

const folders = ['lib', 'src', 'adapters', 'benchmarks', 'examples', 'test'];

export function parse(path: string, text: string): Source {
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : walk(path);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

export function readHouse(from: string): Source[] {
  const present = new Set(readdirSync(from));
  return folders
    .filter((folder) => present.has(folder))
    .flatMap((folder) => walk(join(from, folder)))
    .map((path) => parse(relative(from, path).replaceAll('\\', '/'), readFileSync(path, 'utf8')))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => visit(child, see));
}

export function lineOf(source: Source, node: ts.Node): number {
  return source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1;
}

export function isUnder(source: Source, ...tops: readonly string[]): boolean {
  return tops.some((top) => source.path.startsWith(`${top}/`));
}

function literal(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

/** Static and dynamic imports, re-exports and import types; type-only ones too. */
export function importsOf(source: Source): Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node, name: ts.Node | undefined) =>
    found.push({ specifier: literal(name), line: lineOf(source, node) });
  visit(source.tree, (node) => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier);
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) add(node, node.moduleSpecifier);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0]);
    }
  });
  return found;
}

/** The package an import names ('node:fs', 'zod', '@scope/name'), or undefined for a file of the house. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier === 'sealpool' || specifier.startsWith('sealpool/')) return undefined;
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0];
}

/** The path of the source an import names, or undefined for a package. */
export function targetOf(source: Source, specifier: string): string | undefined {
  if (specifier === 'sealpool') return 'src/index.ts';
  if (specifier.startsWith('sealpool/')) return `${specifier.slice('sealpool/'.length)}/index.ts`;
  if (!specifier.startsWith('.')) return undefined;
  const path = join(source.path, '..', specifier).replaceAll('\\', '/');
  return path.replace(/\.js$/, '.ts');
}
