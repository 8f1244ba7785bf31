/** The commands about the objects of a pool: ls, spaces, cat, put, rm. Each joins the pool as a node for as long as it runs. */
import { type FileHandle, open } from 'node:fs/promises';
import type { Command } from 'commander';
import type { ConnectOptions, CreateOptions, Key, ObjectInfo, Pool, SpaceInfo } from '../../src/pool/index.js';
import { alignRows, countText, visible } from '../compare/index.js';
import { type Context, printJson } from './context.js';
import { CommandFailed, UsageError } from './failure.js';
import { parseKey, TRUST_FLAG, TRUST_HELP, type TrustFlag, trusting, trustOf } from './flags.js';
import { addNameFlags, keysNamed, type NameFlags, prefixesNamed, wordsFor } from './names.js';

type KeyFlags = NameFlags & TrustFlag;
type PutFlags = TrustFlag & { readonly base64url?: boolean; readonly retain?: boolean };
type RemoveFlags = KeyFlags & { readonly all?: boolean };
type SpacesFlags = TrustFlag & { readonly namespace?: string; readonly json?: boolean };
type ListFlags = KeyFlags & { readonly prefix?: string; readonly json?: boolean };

const KEY_HELP = 'as ls shows it';
/** What is found of the first key of which something is. */
function firstOf<T>(keys: readonly Key[], find: (key: Key) => T | undefined): T | undefined {
  for (const key of keys) {
    const found = find(key);
    if (found !== undefined) return found;
  }
  return undefined;
}

const SIZE_WIDTH = 12;
const PIECE_BYTES = 16 * 1024 * 1024;

/** Disconnects whatever happens, so that no dead node is left for others to clean up after. */
async function withPool<T>(
  context: Context,
  path: string,
  options: ConnectOptions,
  work: (pool: Pool) => Promise<T> | T,
): Promise<T> {
  const api = await context.loadApi();
  const pool = await api.connect(path, { name: `sealpool cli:${process.pid}`, ...options });
  try {
    return await work(pool);
  } finally {
    await pool.disconnect();
  }
}

function objectJson({ keyBytes, ...object }: ObjectInfo): object {
  return { ...object, keyBase64url: Buffer.from(keyBytes).toString('base64url') };
}

function objectLine(object: ObjectInfo): string {
  const marks = [
    ...(object.retained ? ['retained'] : []),
    ...(object.expiresAt === undefined ? [] : [`expires ${object.expiresAt.toISOString()}`]),
  ];
  const tail = marks.length === 0 ? '' : `  (${marks.join(', ')})`;
  return `${String(object.size).padStart(SIZE_WIDTH)}  ${object.state.padEnd(6)}  ${wordsFor(object)}${tail}\n`;
}

/** Line by line: a pool may hold more objects than fit a string, and a reader such as head may leave early. */
async function printObjects(context: Context, objects: Iterable<ObjectInfo>): Promise<void> {
  context.stdout.write(`${'bytes'.padStart(SIZE_WIDTH)}  ${'state'.padEnd(6)}  key\n`);
  let count = 0;
  for (const object of objects) {
    context.stdout.write(objectLine(object));
    if (++count % 256 === 0) await new Promise(setImmediate);
    if (!context.stdout.writable) return;
  }
}

function* listed(pool: Pool, prefixes: readonly (Key | undefined)[]): Iterable<ObjectInfo> {
  for (const prefix of prefixes) yield* pool.list(prefix === undefined ? {} : { prefix });
}

function addList(program: Command, context: Context): void {
  program
    .command('ls')
    .description('the objects of a pool: bytes, state and key')
    .argument('<path>')
    .option('--prefix <key>', 'only keys that begin so')
    .option('--namespace <name>', 'only what is in caches of this namespace')
    .option('--space <name>', 'only pages of this page space')
    .option(TRUST_FLAG, TRUST_HELP, trusting)
    .option('--json', 'print JSON')
    .action((path: string, flags: ListFlags) =>
      withPool(context, path, { readOnly: true, ...trustOf(flags) }, async (pool) => {
        const prefixes = prefixesNamed(flags.prefix, flags);
        const objects = listed(pool, prefixes);
        if (flags.json) printJson(context, [...objects].map(objectJson));
        else await printObjects(context, objects);
      }),
    );
}

function addCat(program: Command, context: Context): void {
  addNameFlags(
    program
      .command('cat')
      .description('write the bytes of an object to standard output')
      .argument('<path>')
      .argument('<key>', KEY_HELP),
  )
    .option(TRUST_FLAG, TRUST_HELP, trusting)
    .action((path: string, key: string, flags: KeyFlags) =>
      withPool(context, path, { readOnly: true, ...trustOf(flags) }, (pool) => {
        const page = firstOf(keysNamed(key, flags), (named) => pool.get(named));
        if (page === undefined) throw new CommandFailed(`${path} has no sealed object ${JSON.stringify(key)}`);
        // A copy, since a stream may keep what it is given beyond the release.
        const bytes = page.copy();
        page.release();
        context.stdout.write(bytes);
      }),
    );
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function addPut(program: Command, context: Context): void {
  program
    .command('put')
    .description('store a file, or standard input, as an object')
    .argument('<path>')
    .argument('<key>')
    .argument('[file]', 'default: standard input')
    .option('--base64url', 'KEY is base64url')
    .option('--retain', 'never evict the object')
    .option(TRUST_FLAG, TRUST_HELP, trusting)
    .action(async (path: string, key: string, file: string | undefined, flags: PutFlags) => {
      const named = parseKey(key, flags.base64url ?? false);
      const options = { retain: flags.retain ?? false };
      const handle = file === undefined ? undefined : await open(file);
      const store = async (pool: Pool): Promise<boolean> => {
        const status = await handle?.stat();
        if (handle !== undefined && status?.isFile() === true)
          return putFile(pool, named, handle, status.size, options);
        return pool.put(named, await (handle === undefined ? readAll(context.stdin) : handle.readFile()), options);
      };
      try {
        const isStored = await withPool(context, path, trustOf(flags), store);
        if (!isStored) throw new CommandFailed(`${path} has an object ${JSON.stringify(key)} already; rm it first`);
      } finally {
        await handle?.close();
      }
    });
}

/** Piece by piece, as the runtime reads no file of over 2 GiB in one. False where the key is taken. */
async function putFile(
  pool: Pool,
  key: Key,
  handle: FileHandle,
  size: number,
  options: CreateOptions,
): Promise<boolean> {
  if (pool.has(key)) return false;
  using draft = pool.create(key, size, options);
  await draft.fill(async (target) => {
    let done = 0;
    while (done < size) {
      const { bytesRead } = await handle.read(target, done, Math.min(PIECE_BYTES, size - done), done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  });
  draft.seal();
  return true;
}

/** Those of the flags: one page space, or a namespace's own keys and all of its page spaces. Throws CommandFailed. */
async function removeAll(pool: Pool, { namespace = '', space }: NameFlags): Promise<void> {
  const named =
    space === undefined
      ? (await pool.spacesAsync()).filter((one) => one.namespace === namespace)
      : [{ kind: 'pages' as const, name: space, namespace }];
  const isRemoved = named.map((one) => pool.removeSpace(one)).includes(true);
  const what = space === undefined ? 'namespace' : 'page space';
  if (!isRemoved) throw new CommandFailed(`${pool.path} has no ${what} ${JSON.stringify(space ?? namespace)}`);
}

function checkRemove(key: string | undefined, { all, base64url, namespace, space }: RemoveFlags): void {
  if (all !== true && key === undefined) throw new UsageError('rm takes a KEY, or --all with --space or --namespace');
  if (all === true && (key !== undefined || base64url)) throw new UsageError('rm takes a KEY or --all, not both');
  if (all === true && namespace === undefined && space === undefined) {
    throw new UsageError('--all is of a --space or a --namespace ("" for caches that were given none)');
  }
}

function addRemove(program: Command, context: Context): void {
  addNameFlags(
    program
      .command('rm')
      .description('delete an object, or all of a page space or a namespace')
      .argument('<path>')
      .argument('[key]', KEY_HELP),
  )
    .option('--all', 'in place of KEY: all pages of --space, or all of --namespace, its page spaces included')
    .option(TRUST_FLAG, TRUST_HELP, trusting)
    .action((path: string, key: string | undefined, flags: RemoveFlags) => {
      checkRemove(key, flags);
      return withPool(context, path, trustOf(flags), (pool) => {
        if (key === undefined) return removeAll(pool, flags);
        if (keysNamed(key, flags).some((named) => pool.delete(named))) return;
        throw new CommandFailed(`${path} has no object ${JSON.stringify(key)}`);
      });
    });
}

function spaceRow({ kind, name, namespace, pageSize, objects, bytes, hits }: SpaceInfo): string[] {
  const shown = (text: string) => (text === '' ? "''" : visible(text));
  const page = pageSize === undefined ? '' : String(pageSize);
  return [
    kind,
    shown(namespace),
    kind === 'cache' ? '' : shown(name),
    page,
    countText(objects),
    String(bytes),
    countText(hits),
  ];
}

function byName(one: SpaceInfo, other: SpaceInfo): number {
  const [a, b] = [one, other].map(({ kind, namespace, name }) => [namespace, kind, name].join('\u0000'));
  return (a as string) < (b as string) ? -1 : 1;
}

function addSpaces(program: Command, context: Context): void {
  program
    .command('spaces')
    .description('the namespaces and page spaces of a pool: their objects, the bytes that these take, and hits')
    .argument('<path>')
    .option('--namespace <name>', 'only what is of this namespace')
    .option(TRUST_FLAG, TRUST_HELP, trusting)
    .option('--json', 'print JSON')
    .action((path: string, flags: SpacesFlags) =>
      withPool(context, path, { readOnly: true, ...trustOf(flags) }, async (pool) => {
        const { namespace } = flags;
        const all = await pool.spacesAsync();
        const spaces = all.filter((one) => namespace === undefined || one.namespace === namespace).sort(byName);
        if (flags.json) return printJson(context, spaces);
        const heads = ['kind', 'namespace', 'space', 'page bytes', 'objects', 'bytes', 'hits'];
        const lines = alignRows([heads, ...spaces.map(spaceRow)]).map((row) => row.join('  '));
        context.stdout.write(`${lines.join('\n')}\n`);
      }),
    );
}

export function addObjectCommands(program: Command, context: Context): void {
  for (const add of [addList, addSpaces, addCat, addPut, addRemove]) add(program, context);
}
