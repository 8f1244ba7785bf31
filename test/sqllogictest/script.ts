/**
 * The scripts of sqllogictest, as SQLite's own runner reads them: records with empty lines between them, `#` at the start of a
 * line for a comment.
 *
 *     statement ok|error            query TYPES [nosort|rowsort|valuesort] [LABEL]        hash-threshold N
 *     SQL                           SQL                                                   skipif ENGINE
 *                                   ----                                                  onlyif ENGINE
 *                                   values, one a line, or `N values hashing to MD5`      halt
 */

/** Every script asks for this engine. */
const ENGINE = 'sqlite';

export type Sort = 'nosort' | 'rowsort' | 'valuesort';

export interface Statement {
  readonly kind: 'statement';
  /** Of its first line, counted from 1. */
  readonly line: number;
  readonly sql: string;
  /** 'either': whatever the engine alone does. */
  readonly expects: 'ok' | 'error' | 'either';
}

export interface Query {
  readonly kind: 'query';
  readonly line: number;
  readonly sql: string;
  /** A letter a column: T text, I integer, R real. */
  readonly types: string;
  readonly sort: Sort;
  /** Queries of one label have the same result. */
  readonly label: string | undefined;
  /** Lines after `----`; undefined where there are none, and any result is right. */
  readonly expected: readonly string[] | undefined;
  /** Results of more values are compared by their hash; 0 for never. */
  readonly hashThreshold: number;
}

export type LogicRecord = Statement | Query;

/** `unread` tells of what is no record: the script goes on after it. */
export interface Skipped {
  readonly kind: 'skipped' | 'unread';
  readonly line: number;
  readonly why: string;
}

/** Lines of one record, comments left out. */
class Block {
  readonly line: number;
  private readonly lines: string[] = [];

  constructor(line: number) {
    this.line = line;
  }

  add(line: string): void {
    this.lines.push(line);
  }

  /** The next line, in words. */
  words(): string[] {
    return (this.lines.shift() ?? '').trim().split(/\s+/);
  }

  /** The lines that are left, up to one that is `----`, and those after it. */
  rest(): { sql: string; expected: string[] | undefined } {
    const end = this.lines.indexOf('----');
    if (end < 0) return { sql: this.lines.join('\n'), expected: undefined };
    return { sql: this.lines.slice(0, end).join('\n'), expected: this.lines.slice(end + 1) };
  }
}

function* blocksOf(text: string): Generator<Block> {
  let block: Block | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r$/, '');
    if (line.startsWith('#')) continue;
    if (line.trim() === '') {
      if (block !== undefined) yield block;
      block = undefined;
    } else {
      block ??= new Block(index + 1);
      block.add(line);
    }
  }
  if (block !== undefined) yield block;
}

export function* recordsOf(text: string): Generator<LogicRecord | Skipped> {
  let hashThreshold = 0;
  for (const block of blocksOf(text)) {
    const { line } = block;
    let words = block.words();
    let isSkipped = false;
    while (words[0] === 'skipif' || words[0] === 'onlyif') {
      isSkipped ||= (words[0] === 'skipif') === (words[1]?.toLowerCase() === ENGINE);
      words = block.words();
    }
    if (isSkipped) yield { kind: 'skipped', line, why: 'for another engine' };
    else if (words[0] === 'halt') return;
    else if (words[0] === 'hash-threshold') hashThreshold = Number(words[1]) || 0;
    else yield recordOf(block, words, hashThreshold);
  }
}

function recordOf(block: Block, words: readonly string[], hashThreshold: number): LogicRecord | Skipped {
  const { line } = block;
  const unread = (why: string): Skipped => ({ kind: 'unread', line, why });
  const [kind, first = '', second = 'nosort', label] = words;
  const { sql, expected } = block.rest();
  if (kind === 'statement') {
    if (first !== 'ok' && first !== 'error') return unread(`statement ${first}: neither ok nor error`);
    return { kind, line, sql, expects: first };
  }
  if (kind !== 'query') return unread(`${kind}: no record that is known`);
  if (!/^[TIR]+$/.test(first)) return unread(`query ${first}: types are letters of T, I and R`);
  if (second !== 'nosort' && second !== 'rowsort' && second !== 'valuesort') return unread(`${second}: no order`);
  return { kind, line, sql, types: first, sort: second, label, expected, hashThreshold };
}
