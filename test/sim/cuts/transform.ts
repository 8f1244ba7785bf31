/**
 * Makes code that can be cut anywhere: a probe at the entry of each function and at each turn of a loop, and handlers
 * that let a termination pass as the engine does, which runs none of them.
 */
import ts from 'typescript';

type WithBody = ts.FunctionLikeDeclaration & { body?: ts.ConciseBody };

class Prober {
  private readonly factory: ts.NodeFactory;
  private readonly context: ts.TransformationContext;

  constructor(context: ts.TransformationContext) {
    this.context = context;
    this.factory = context.factory;
  }

  readonly visit = (node: ts.Node): ts.Node => {
    const visited = ts.visitEachChild(node, this.visit, this.context);
    if (ts.isIterationStatement(visited, false)) return this.loop(visited);
    if (ts.isCatchClause(visited)) return this.handler(visited);
    if (ts.isTryStatement(visited) && visited.finallyBlock !== undefined) return this.cleaner(visited);
    return ts.isFunctionLike(visited) && (visited as WithBody).body !== undefined
      ? this.entered(visited as WithBody)
      : visited;
  };

  private call(name: string): ts.CallExpression {
    return this.factory.createCallExpression(this.factory.createIdentifier(name), undefined, []);
  }

  private probed(statements: readonly ts.Statement[]): ts.Block {
    return this.factory.createBlock([this.factory.createExpressionStatement(this.call('$probe')), ...statements], true);
  }

  private entered(node: WithBody): ts.Node {
    const { factory } = this;
    const body = node.body as ts.ConciseBody;
    if (ts.isArrowFunction(node)) {
      const { modifiers, parameters, equalsGreaterThanToken } = node;
      const inner = ts.isBlock(body) ? body.statements : [factory.createReturnStatement(body)];
      return factory.updateArrowFunction(
        node,
        modifiers,
        undefined,
        parameters,
        undefined,
        equalsGreaterThanToken,
        this.probed(inner),
      );
    }
    const block = this.probed((body as ts.Block).statements);
    if (ts.isConstructorDeclaration(node))
      return factory.updateConstructorDeclaration(node, node.modifiers, node.parameters, block);
    if (ts.isGetAccessor(node))
      return factory.updateGetAccessorDeclaration(node, node.modifiers, node.name, node.parameters, undefined, block);
    if (ts.isSetAccessor(node))
      return factory.updateSetAccessorDeclaration(node, node.modifiers, node.name, node.parameters, block);
    if (ts.isMethodDeclaration(node)) {
      const { modifiers, asteriskToken, name, parameters } = node;
      return factory.updateMethodDeclaration(
        node,
        modifiers,
        asteriskToken,
        name,
        undefined,
        undefined,
        parameters,
        undefined,
        block,
      );
    }
    if (ts.isFunctionDeclaration(node)) {
      const { modifiers, asteriskToken, name, parameters } = node;
      return factory.updateFunctionDeclaration(
        node,
        modifiers,
        asteriskToken,
        name,
        undefined,
        parameters,
        undefined,
        block,
      );
    }
    const { modifiers, asteriskToken, name, parameters } = node as ts.FunctionExpression;
    return factory.updateFunctionExpression(
      node as ts.FunctionExpression,
      modifiers,
      asteriskToken,
      name,
      undefined,
      parameters,
      undefined,
      block,
    );
  }

  private loop(node: ts.IterationStatement): ts.Node {
    const { factory } = this;
    const { statement } = node;
    const body = this.probed(ts.isBlock(statement) ? statement.statements : [statement]);
    if (ts.isForStatement(node))
      return factory.updateForStatement(node, node.initializer, node.condition, node.incrementor, body);
    if (ts.isForOfStatement(node))
      return factory.updateForOfStatement(node, node.awaitModifier, node.initializer, node.expression, body);
    if (ts.isForInStatement(node)) return factory.updateForInStatement(node, node.initializer, node.expression, body);
    if (ts.isWhileStatement(node)) return factory.updateWhileStatement(node, node.expression, body);
    return factory.updateDoStatement(node as ts.DoStatement, body, (node as ts.DoStatement).expression);
  }

  /** catch (error) { if ($ended()) throw error; … } */
  private handler(node: ts.CatchClause): ts.Node {
    const { factory } = this;
    const named = node.variableDeclaration?.name;
    const name = named !== undefined && ts.isIdentifier(named) ? named : factory.createIdentifier('$error');
    const passing = factory.createIfStatement(this.call('$ended'), factory.createThrowStatement(name));
    const block = factory.createBlock([passing, ...node.block.statements], true);
    return factory.updateCatchClause(node, factory.createVariableDeclaration(name), block);
  }

  /** finally { if (!$ended()) … } */
  private cleaner(node: ts.TryStatement): ts.Node {
    const { factory } = this;
    const last = factory.createIfStatement(
      factory.createLogicalNot(this.call('$ended')),
      node.finallyBlock as ts.Block,
    );
    return factory.updateTryStatement(node, node.tryBlock, node.catchClause, factory.createBlock([last], true));
  }
}

/** The code with its probes; `runtime` is where probe.js lies from it. */
export function withProbes(path: string, text: string, runtime: string): string {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS);
  const { transformed } = ts.transform(file, [
    (context) => (root) => ts.visitEachChild(root, new Prober(context).visit, context),
  ]);
  const code = ts.createPrinter().printFile(transformed[0] as ts.SourceFile);
  return `import { probe as $probe, ended as $ended } from '${runtime}';\n${code}`;
}
