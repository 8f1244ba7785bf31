/** The commands about a pool as a whole: format, info, nodes, verify, destroy. All but format and destroy only look. */
import type { Command } from 'commander';
import { PoolError } from '../../lib/errors.js';
import type { FormatOptions, NodeInfo, PoolInfo, PoolReport } from '../../src/pool/index.js';
import { alignRows, bytesText, countText, visible } from '../compare/index.js';
import { type Context, printJson } from './context.js';
import { CommandFailed, UsageError } from './failure.js';
import { integerBetween, oneOf, TRUST_FLAG, TRUST_HELP, type TrustFlag, trusting, trustOf } from './flags.js';
import { parseSize } from './size.js';

interface JsonFlag {
  readonly json?: boolean;
}

const JSON_HELP = 'print JSON';
const UINT32_MAX = 0xffff_ffff;

function printFields(context: Context, fields: readonly (readonly [string, string])[]): void {
  const width = Math.max(...fields.map(([name]) => name.length));
  context.stdout.write(fields.map(([name, value]) => `${name.padEnd(width)}  ${visible(value)}\n`).join(''));
}

function infoFields(info: PoolInfo): [string, string][] {
  return [
    ['path', info.path],
    ['pool', info.poolId],
    ['size', bytesText(info.size)],
    ['page size', bytesText(info.pageSize)],
    ['objects, at most', countText(info.maxObjects)],
    ['nodes, at most', countText(info.maxNodes)],
    ['coherence', info.coherence],
    ['eviction', info.eviction],
    ['layout', info.layout],
    ['created', info.createdAt.toISOString()],
  ];
}

const LIMITS = {
  slots: 'slots: it has as many objects as it may; small ones want a smaller page size, or more objects at most',
  extents: 'bytes: the next object takes the place of others',
  pins: 'pins: most objects are pinned',
} as const;

function statsFields({ stats, nodes }: PoolReport): [string, string][] {
  const requests = stats.hits + stats.misses;
  const ratio = requests === 0 ? 'no requests yet' : `${((stats.hits / requests) * 100).toFixed(2)} % hits`;
  return [
    ['nodes', `${nodes.filter((node) => node.state === 'alive').length} alive, ${nodes.length} known`],
    [
      'objects',
      `${countText(stats.objects)} sealed, ${countText(stats.drafts)} drafts, ${countText(stats.limbo)} retired but held`,
    ],
    ['checkpoints', countText(stats.checkpoints)],
    ['pins', countText(stats.pins)],
    ['data', `${bytesText(stats.bytesUsed)} used, ${bytesText(stats.bytesFree)} free of ${bytesText(stats.bytesData)}`],
    ['metadata', bytesText(stats.bytesMetadata)],
    ['requests', `${countText(requests)} (${ratio})`],
    ['evictions', countText(stats.evictions)],
    ...(stats.limitedBy === undefined ? [] : [['limited by', LIMITS[stats.limitedBy]] as [string, string]]),
  ];
}

function nodeRow(node: NodeInfo): string[] {
  const since = node.connectedAt.toISOString();
  const mode = node.readOnly ? 'read only' : 'read and write';
  return [visible(node.name), String(node.id), String(node.pid), node.state, mode, String(node.pins), since];
}

function printProblems(context: Context, report: PoolReport): void {
  const lines = report.problems.map((problem) => {
    const kind = problem.repairable ? 'repairable' : 'CORRUPT';
    return visible(`${kind}  ${problem.code} at ${problem.where}: ${problem.message}`);
  });
  const count = report.problems.length;
  const outcome = report.ok
    ? `ok: ${countText(report.stats.objects)} objects, ${countText(report.stats.pins)} pins, no corruption`
    : 'NOT ok: the pool is corrupt';
  const found = count === 0 ? '' : `, ${count} ${count === 1 ? 'problem' : 'problems'} above`;
  context.stdout.write(`${[...lines, `${outcome}${found}`].join('\n')}\n`);
}

function octal(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  throw new PoolError('OPTION_INVALID', `--mode ${JSON.stringify(text)}: it is three octal digits, such as 660.`);
}

function addFormat(program: Command, context: Context): void {
  program
    .command('format')
    .description('create a pool')
    .argument('<path>', 'file of the pool, best below /dev/shm')
    .requiredOption('--size <size>', 'of the whole file, such as 512MiB', (text) => parseSize(text, '--size'))
    .option('--page-size <size>', 'typical object size (default 8KiB)', (text) => parseSize(text, '--page-size'))
    .option('--max-objects <count>', 'hard capacity in objects', integerBetween('--max-objects', 1, UINT32_MAX))
    .option(
      '--max-nodes <count>',
      'nodes at a time (default: four to a processor, at least 64)',
      integerBetween('--max-nodes', 1, UINT32_MAX),
    )
    .option(
      '--eviction <policy>',
      'adaptive-2q (default), s3-fifo, sieve, lru or none',
      oneOf('--eviction', ['adaptive-2q', 's3-fifo', 'sieve', 'lru', 'none']),
    )
    .option('--mode <octal>', 'of the file, such as 660 (default 600)', octal)
    .option('--force', 'discard the pool that is there')
    .option('--json', JSON_HELP)
    .action(async (path: string, { json, ...options }: FormatOptions & JsonFlag) => {
      const info = await (await context.loadApi()).format(path, options);
      if (json) printJson(context, info);
      else printFields(context, infoFields(info));
    });
}

function addInfo(program: Command, context: Context): void {
  program
    .command('info')
    .description('what a pool is and how full it is')
    .argument('<path>')
    .option(TRUST_FLAG, TRUST_HELP, trusting)
    .option('--json', JSON_HELP)
    .action(async (path: string, { json, ...flags }: JsonFlag & TrustFlag) => {
      const report = await (await context.loadApi()).inspect(path, trustOf(flags));
      if (json) printJson(context, { ...report.info, stats: report.stats });
      else printFields(context, [...infoFields(report.info), ...statsFields(report)]);
    });
}

function addNodes(program: Command, context: Context): void {
  program
    .command('nodes')
    .description('the processes attached to a pool')
    .argument('<path>')
    .option(TRUST_FLAG, TRUST_HELP, trusting)
    .option('--json', JSON_HELP)
    .action(async (path: string, { json, ...flags }: JsonFlag & TrustFlag) => {
      const { nodes } = await (await context.loadApi()).inspect(path, trustOf(flags));
      if (json) return printJson(context, nodes);
      if (nodes.length === 0) return void context.stdout.write('no nodes are attached\n');
      const heads = ['name', 'node', 'pid', 'state', 'mode', 'pins', 'connected'];
      const lines = alignRows([heads, ...nodes.map(nodeRow)]).map((row) => row.join('  '));
      context.stdout.write(`${lines.join('\n')}\n`);
    });
}

function addVerify(program: Command, context: Context): void {
  program
    .command('verify')
    .description('count every object and check every invariant; exits 1 when the pool is corrupt')
    .argument('<path>')
    .option(TRUST_FLAG, TRUST_HELP, trusting)
    .option('--json', JSON_HELP)
    .action(async (path: string, { json, ...flags }: JsonFlag & TrustFlag) => {
      const report = await (await context.loadApi()).inspect(path, trustOf(flags));
      if (json) printJson(context, report);
      else printProblems(context, report);
      if (!report.ok) throw new CommandFailed(`${path} is corrupt`);
    });
}

interface DestroyFlags extends JsonFlag, TrustFlag {
  readonly force?: boolean;
  readonly stale?: boolean;
}

function printStale(context: Context, found: { removed: string[]; kept: string[] }, isJson: boolean): void {
  if (isJson) {
    printJson(context, found);
    return;
  }
  const lines = [
    ...found.removed.map((path) => `removed  ${visible(path)}`),
    ...found.kept.map((path) => `kept     ${visible(path)}: somebody is in it, or it is another user's`),
  ];
  context.stdout.write(`${lines.length === 0 ? 'nothing is left of killed commands' : lines.join('\n')}\n`);
}

function addDestroy(program: Command, context: Context): void {
  program
    .command('destroy')
    .description('remove a pool; refused while a live node is attached')
    .argument('[path]', 'of the pool; with --stale, of a folder to look in (default: /dev/shm and the temporary one)')
    .option('--force', 'even while nodes are attached')
    .option(TRUST_FLAG, TRUST_HELP, trusting)
    .option('--stale', 'what compare, benchmarks and tests left that were killed, and no other file')
    .option('--json', JSON_HELP)
    .action(async (path: string | undefined, { stale, json, trustUid, ...options }: DestroyFlags) => {
      const api = await context.loadApi();
      if (stale === true) {
        if (options.force === true)
          throw new UsageError('--stale takes nothing from under a node: it goes without --force');
        printStale(context, api.destroyStale(path === undefined ? undefined : [path]), json === true);
      } else if (path === undefined) throw new UsageError('destroy needs the path of a pool, or --stale');
      else await api.destroy(path, { ...options, ...trustOf(trustUid === undefined ? {} : { trustUid }) });
    });
}

export function addPoolCommands(program: Command, context: Context): void {
  for (const add of [addFormat, addInfo, addNodes, addVerify, addDestroy]) add(program, context);
}
