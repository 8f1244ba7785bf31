/**
 * Names of objects on the command line: what `ls` shows is what `cat` and `rm` take. An object is named by its key; an entry of a
 * cache by its key in the namespace; a page as SPACE#NUMBER in the namespace of its space. The namespace of a cache that was
 * given none needs no word. What cannot be shown as text is named by all bytes of its key, in base64url.
 */
import type { Command } from 'commander';
import { PoolError } from '../../lib/errors.js';
import { entryPrefix, type Key, nameOfKey, type ObjectInfo, pagePrefix } from '../../src/pool/index.js';
import { visible } from '../compare/index.js';
import { parseKey } from './flags.js';

export interface NameFlags {
  readonly base64url?: boolean;
  readonly namespace?: string;
  readonly space?: string;
}

/** Adds the flags by which a key is named. */
export function addNameFlags(command: Command): Command {
  return command
    .option('--base64url', 'KEY is base64url, as ls shows keys that are no text')
    .option('--namespace <name>', 'of the cache that KEY is in')
    .option('--space <name>', 'KEY is the number of a page in this page space');
}

function pageKey(namespace: string, space: string, number: string): Uint8Array {
  const pageNo = /^\d+$/.test(number) ? Number(number) : Number.NaN;
  if (!Number.isSafeInteger(pageNo)) {
    const message = `KEY ${JSON.stringify(number)}: with --space it is the number of a page, from 0 to 2^53 - 1.`;
    throw new PoolError('OPTION_INVALID', message, { value: number });
  }
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(pageNo));
  return Uint8Array.of(...pagePrefix(namespace, space), ...bytes);
}

/** The keys that the words may mean, in the order in which they are looked for. Throws OPTION_INVALID. */
export function keysNamed(text: string, { base64url = false, namespace, space }: NameFlags): Key[] {
  if (base64url) return [parseKey(text, true)];
  const name = namespace ?? '';
  if (space !== undefined) return [pageKey(name, space, text)];
  const keys: Key[] = namespace === undefined ? [text] : [];
  keys.push(Uint8Array.of(...entryPrefix(name), ...new TextEncoder().encode(text)));
  const [, spaceNamed, number] = /^(.+)#(\d+)$/s.exec(text) ?? [];
  if (spaceNamed !== undefined && number !== undefined) keys.push(pageKey(name, spaceNamed, number));
  return keys;
}

/** What the keys that ls is to show begin with; none for all. */
export function prefixesNamed(prefix: string | undefined, { namespace, space }: NameFlags): (Key | undefined)[] {
  if (space !== undefined) return [pagePrefix(namespace ?? '', space)];
  if (namespace === undefined) return [prefix];
  const entries = Uint8Array.of(...entryPrefix(namespace), ...new TextEncoder().encode(prefix ?? ''));
  return prefix === undefined ? [entries, pagePrefix(namespace)] : [entries];
}

function isPlain(text: string): boolean {
  return text !== '' && visible(text) === text && !text.startsWith('-');
}

/** The words by which cat and rm find the object. */
export function wordsFor({ keyBytes }: ObjectInfo): string {
  const name = nameOfKey(keyBytes);
  const key = name.kind === 'page' ? `${name.space}#${name.pageNo}` : name.key;
  const namespace = name.kind === 'object' ? '' : name.namespace;
  const flags = namespace === '' ? [] : ['--namespace', namespace];
  const isBack = keysNamed(key, namespace === '' ? {} : { namespace }).some((one) =>
    Buffer.from(one as Uint8Array).equals(keyBytes),
  );
  if (isPlain(key) && (namespace === '' || isPlain(namespace)) && isBack) return [key, ...flags].join(' ');
  return `${Buffer.from(keyBytes).toString('base64url')} --base64url`;
}
