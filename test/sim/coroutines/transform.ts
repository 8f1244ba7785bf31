/**
 * Makes coroutines of synchronous code, so that a single thread can interleave several actors at every access to shared
 * words, in an order that a seed decides. The compiled product code stays as it is; beside each function that may come to
 * such an access stands a generator with the same body:
 *
 *   words.load(i)        becomes   ($due() && (yield), words.load(i))
 *   receiver.name(args)  becomes   (yield* receiver.name$G(args))
 *   work(args)           becomes   (yield* $of(work)(args))
 *
 * What the language calls by itself (constructors, getters, callbacks of built-ins) runs in one go: it is never interrupted.
 */
import ts from 'typescript';

const WORD_CALLS = new Set([
  'load',
  'loadAfterStore',
  'loadInOrder',
  'storeInOrder',
  'store',
  'exchange',
  'add',
  'compareExchange',
  'read',
  'write',
  'fill',
  'copyOut',
  'copyIn',
  'writeback',
  'invalidate',
  'order',
]);
/** What words, and lines of memory that is not coherent, are called. */
const RECEIVERS = new Set(['words', 'lines']);

type FunctionNode = ts.MethodDeclaration | ts.FunctionDeclaration | ts.ArrowFunction | ts.FunctionExpression;

function isFunction(node: ts.Node): node is FunctionNode {
  return (
    ts.isMethodDeclaration(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isArrowFunction(node) ||
    ts.isFunctionExpression(node)
  );
}

/** Generators and async functions stay what they are. */
function isOrdinary(node: FunctionNode): boolean {
  const isAsync = ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword) === true;
  return !isAsync && node.asteriskToken === undefined && node.body !== undefined;
}

function isWordCall(node: ts.CallExpression): boolean {
  const { expression } = node;
  if (!ts.isPropertyAccessExpression(expression) || !WORD_CALLS.has(expression.name.text)) return false;
  const receiver = expression.expression;
  return ts.isIdentifier(receiver)
    ? RECEIVERS.has(receiver.text)
    : ts.isPropertyAccessExpression(receiver) && RECEIVERS.has(receiver.name.text);
}

function calleeName(node: ts.CallExpression): string | undefined {
  if (ts.isIdentifier(node.expression)) return node.expression.text;
  return ts.isPropertyAccessExpression(node.expression) ? node.expression.name.text : undefined;
}

function nameOfFunction(node: FunctionNode): string | undefined {
  if (node.name !== undefined && (ts.isIdentifier(node.name) || ts.isStringLiteral(node.name))) return node.name.text;
  const { parent } = node;
  if (parent !== undefined && ts.isVariableDeclaration(parent) && ts.isIdentifier(parent.name)) return parent.name.text;
  return undefined;
}

export function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS);
}

/** Names of functions that may come to an access, by whatever receiver: what calls one of them may as well. */
export function steppingNames(files: readonly ts.SourceFile[]): { stepping: Set<string>; declared: Set<string> } {
  const calls = new Map<string, Set<string>>();
  const stepping = new Set<string>(['giveTurn']);
  const declared = new Set<string>();
  const collect = (node: ts.Node, within: readonly string[]): void => {
    let inside = within;
    if (isFunction(node)) {
      const name = nameOfFunction(node);
      if (name !== undefined) {
        inside = [...within, name];
        if (ts.isFunctionDeclaration(node)) declared.add(name);
      }
    }
    if (ts.isCallExpression(node)) {
      const name = calleeName(node);
      for (const caller of inside) {
        if (isWordCall(node) || ts.isElementAccessExpression(node.expression)) stepping.add(caller);
        if (name !== undefined) calls.set(caller, (calls.get(caller) ?? new Set()).add(name));
      }
    }
    ts.forEachChild(node, (child) => collect(child, inside));
  };
  for (const file of files) collect(file, []);
  for (let before = -1; before !== stepping.size; ) {
    before = stepping.size;
    for (const [caller, names] of calls) if ([...names].some((name) => stepping.has(name))) stepping.add(caller);
  }
  return { stepping, declared };
}

class Rewriter {
  private readonly factory: ts.NodeFactory;
  private readonly context: ts.TransformationContext;
  private readonly stepping: ReadonlySet<string>;
  private readonly declared: ReadonlySet<string>;

  constructor(context: ts.TransformationContext, stepping: ReadonlySet<string>, declared: ReadonlySet<string>) {
    this.context = context;
    this.factory = context.factory;
    this.stepping = stepping;
    this.declared = declared;
  }

  /** Code that is no coroutine: only the functions in it change. */
  readonly plain = (node: ts.Node): ts.VisitResult<ts.Node> => {
    if (ts.isClassLike(node)) return this.classLike(node);
    if (ts.isFunctionDeclaration(node)) return this.declaration(node);
    if ((ts.isArrowFunction(node) || ts.isFunctionExpression(node)) && isOrdinary(node)) return this.expression(node);
    return ts.visitEachChild(node, this.plain, this.context);
  };

  /** The body of a coroutine. */
  private readonly coroutine = (node: ts.Node): ts.VisitResult<ts.Node> => {
    if (isFunction(node) || ts.isClassLike(node)) return this.plain(node);
    if (ts.isCallExpression(node)) return this.call(node);
    return ts.visitEachChild(node, this.coroutine, this.context);
  };

  private call(node: ts.CallExpression): ts.Node {
    const { factory } = this;
    const visited = ts.visitEachChild(node, this.coroutine, this.context);
    if (isWordCall(node)) {
      const due = factory.createCallExpression(factory.createIdentifier('$due'), undefined, []);
      const first = factory.createLogicalAnd(
        due,
        factory.createParenthesizedExpression(factory.createYieldExpression(undefined, undefined)),
      );
      return factory.createParenthesizedExpression(factory.createComma(first, visited));
    }
    const name = calleeName(node);
    if (name === 'giveTurn')
      return factory.createParenthesizedExpression(factory.createYieldExpression(undefined, undefined));
    const callee = visited.expression;
    if (node.questionDotToken !== undefined) return visited;
    if (ts.isIdentifier(callee) && ts.isIdentifier(node.expression)) return this.callOfFunction(node, visited, callee);
    if (ts.isElementAccessExpression(callee)) {
      const label = factory.createAdd(callee.argumentExpression, factory.createStringLiteral('$G'));
      return this.delegate(this.invoke('$there', [callee.expression, label, ...visited.arguments]));
    }
    if (name === undefined || !this.stepping.has(name) || !ts.isPropertyAccessExpression(callee)) return visited;
    if (callee.expression.kind === ts.SyntaxKind.SuperKeyword) return visited;
    if (callee.questionDotToken !== undefined) {
      const label = factory.createStringLiteral(`${name}$G`);
      return this.delegate(this.invoke('$there', [callee.expression, label, ...visited.arguments]));
    }
    if (ts.isOptionalChain(node)) return visited;
    const access = factory.createPropertyAccessExpression(callee.expression, `${name}$G`);
    return this.delegate(factory.createCallExpression(access, undefined, visited.arguments));
  }

  /** A function by its name: one declared somewhere is known to step or not, a parameter or variable is asked. */
  private callOfFunction(node: ts.CallExpression, visited: ts.CallExpression, callee: ts.Identifier): ts.Node {
    const isGlobal = /^[A-Z]|^(?:structuredClone|queueMicrotask|setTimeout|clearTimeout)$/.test(callee.text);
    if (isGlobal || (this.declared.has(callee.text) && !this.stepping.has(callee.text))) return visited;
    const found = this.invoke('$of', [callee]);
    return this.delegate(
      this.factory.createCallExpression(found, undefined, node === visited ? node.arguments : visited.arguments),
    );
  }

  private invoke(name: string, args: readonly ts.Expression[]): ts.CallExpression {
    return this.factory.createCallExpression(this.factory.createIdentifier(name), undefined, args);
  }

  private delegate(expression: ts.Expression): ts.Expression {
    const star = this.factory.createToken(ts.SyntaxKind.AsteriskToken);
    return this.factory.createParenthesizedExpression(this.factory.createYieldExpression(star, expression));
  }

  private bodyOf(node: FunctionNode): ts.Block {
    const body = node.body as ts.ConciseBody;
    if (ts.isBlock(body)) return ts.visitEachChild(body, this.coroutine, this.context);
    const value = ts.visitNode(body, this.coroutine) as ts.Expression;
    return this.factory.createBlock([this.factory.createReturnStatement(value)], true);
  }

  private generatorOf(node: FunctionNode): ts.FunctionExpression {
    const star = this.factory.createToken(ts.SyntaxKind.AsteriskToken);
    return this.factory.createFunctionExpression(
      undefined,
      star,
      undefined,
      undefined,
      node.parameters,
      undefined,
      this.bodyOf(node),
    );
  }

  private expression(node: ts.ArrowFunction | ts.FunctionExpression): ts.Node {
    const plain = ts.visitEachChild(node, this.plain, this.context);
    let generator: ts.Expression = this.generatorOf(node);
    if (ts.isArrowFunction(node)) {
      const bind = this.factory.createPropertyAccessExpression(
        this.factory.createParenthesizedExpression(generator),
        'bind',
      );
      generator = this.factory.createCallExpression(bind, undefined, [this.factory.createThis()]);
    }
    return this.invoke('$dual', [plain, generator]);
  }

  private declaration(node: ts.FunctionDeclaration): ts.VisitResult<ts.Node> {
    const plain = ts.visitEachChild(node, this.plain, this.context);
    const { name } = node;
    if (name === undefined || !isOrdinary(node) || !this.stepping.has(name.text)) return plain;
    return [plain, this.factory.createExpressionStatement(this.invoke('$dual', [name, this.generatorOf(node)]))];
  }

  private classLike(node: ts.ClassLikeDeclaration): ts.Node {
    const members = node.members.flatMap((member): ts.ClassElement[] => {
      const plain = ts.visitEachChild(member, this.plain, this.context) as ts.ClassElement;
      if (!ts.isMethodDeclaration(member) || !isOrdinary(member) || !ts.isIdentifier(member.name)) return [plain];
      if (!this.stepping.has(member.name.text)) return [plain];
      const star = this.factory.createToken(ts.SyntaxKind.AsteriskToken);
      const { modifiers, name, parameters } = member;
      const label = this.factory.createIdentifier(`${name.text}$G`);
      const body = this.bodyOf(member);
      return [
        plain,
        this.factory.createMethodDeclaration(modifiers, star, label, undefined, undefined, parameters, undefined, body),
      ];
    });
    const { factory } = this;
    return ts.isClassDeclaration(node)
      ? factory.updateClassDeclaration(node, node.modifiers, node.name, undefined, node.heritageClauses, members)
      : factory.updateClassExpression(
          node as ts.ClassExpression,
          node.modifiers,
          node.name,
          undefined,
          node.heritageClauses,
          members,
        );
  }
}

/** The file with its coroutines; `runtime` is where turn.js lies from it. */
export function transform(
  file: ts.SourceFile,
  names: { stepping: ReadonlySet<string>; declared: ReadonlySet<string> },
  runtime: string,
): string {
  const { transformed } = ts.transform(file, [
    (context) => (root) => {
      const rewriter = new Rewriter(context, names.stepping, names.declared);
      return ts.visitEachChild(root, rewriter.plain, context);
    },
  ]);
  const code = ts.createPrinter().printFile(transformed[0] as ts.SourceFile);
  return `import { due as $due, coroutineOf as $of, dual as $dual, callIfThere as $there } from '${runtime}';\n${code}`;
}
