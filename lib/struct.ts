/**
 * How shared bytes are declared: once, in order, with who writes each line.
 *
 * (S1) a struct of lines is made of whole 64-byte lines, each with exactly one writer; padding is explicit.
 * (S2) a record (smaller than a line, used in arrays) divides a line, so that none straddles two lines.
 * (S3) the fingerprint covers names, kinds, offsets and writers: processes with another layout refuse each other.
 */
import { assert } from './assert.js';

/** u32, sync32 (goes through atomics): one word; u64: two words, low first; [kind, n]: an array of n. */
export type FieldKind = 'u32' | 'sync32' | 'u64' | readonly ['u32', number];
export type Fields = Readonly<Record<string, FieldKind>>;

export interface LineSpec<F extends Fields = Fields> {
  readonly writer: string;
  readonly fields: F;
}

interface PlacedField {
  readonly name: string;
  readonly kind: string;
  readonly word: number;
  readonly words: number;
  readonly writer: string;
}

export interface Struct<Name extends string = string> {
  readonly name: string;
  readonly words: number;
  readonly bytes: number;
  /** Offset of each field, in words from the start of the struct. */
  readonly word: Readonly<Record<Name, number>>;
  readonly fields: readonly PlacedField[];
}

export const LINE_BYTES = 64;
export const LINE_WORDS = 16;

function widthOf(kind: FieldKind): number {
  if (kind === 'u32' || kind === 'sync32') return 1;
  return kind === 'u64' ? 2 : kind[1];
}

function place(name: string, fields: Fields, start: number, writer: string, into: PlacedField[]): number {
  let word = start;
  for (const [field, kind] of Object.entries(fields)) {
    assert(!into.some((placed) => placed.name === field), `${name}.${field} is declared twice`);
    const words = widthOf(kind);
    assert(words > 0, `${name}.${field} has no width`);
    assert(kind !== 'u64' || word % 2 === 0, `${name}.${field} needs padding before it: declare it`);
    into.push({ name: field, kind: typeof kind === 'string' ? kind : `${kind[0]}[${kind[1]}]`, word, words, writer });
    word += words;
  }
  return word;
}

function finish<Name extends string>(name: string, fields: PlacedField[], words: number): Struct<Name> {
  const word = Object.fromEntries(fields.map((field) => [field.name, field.word])) as Record<Name, number>;
  return { name, words, bytes: words * 4, word: Object.freeze(word), fields: Object.freeze(fields) };
}

type NamesOf<L extends readonly LineSpec[]> = { [I in keyof L]: keyof L[I]['fields'] & string }[number];

/** A struct of whole lines, one writer each. Throws when a line is not exactly filled. */
export function struct<const L extends readonly LineSpec[]>(name: string, lines: L): Struct<NamesOf<L>> {
  const placed: PlacedField[] = [];
  lines.forEach((line, index) => {
    const start = index * LINE_WORDS;
    const end = place(name, line.fields, start, line.writer, placed);
    const filled = (end - start) * 4;
    // A field array may run over several lines of the same writer.
    assert(filled > 0 && filled % LINE_BYTES === 0, `${name} line ${index} holds ${filled} bytes, not a whole line`);
    assert(
      filled === LINE_BYTES || index === lines.length - 1,
      `${name} line ${index} is longer than a line and not the last`,
    );
  });
  const last = placed[placed.length - 1];
  assert(last !== undefined, `${name} has no fields`);
  return finish(name, placed, last.word + last.words);
}

/** A record smaller than a line, for arrays whose whole line has one writer. */
export function record<const F extends Fields>(name: string, writer: string, fields: F): Struct<keyof F & string> {
  const placed: PlacedField[] = [];
  const words = place(name, fields, 0, writer, placed);
  assert(words < LINE_WORDS && LINE_WORDS % words === 0, `${name} has ${words} words, which do not divide a line`);
  return finish(name, placed, words);
}

/** 32 bits over names, kinds, offsets and writers of the structs and the extra constants. Never zero. */
export function fingerprint(structs: readonly Struct[], constants: Readonly<Record<string, number>>): number {
  let hash = 0x811c9dc5;
  const mix = (text: string) => {
    for (const character of `${text}\n`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
  };
  for (const one of structs) {
    mix(`${one.name}:${one.words}`);
    for (const field of one.fields) mix(`${field.name}:${field.kind}:${field.word}:${field.writer}`);
  }
  for (const [name, value] of Object.entries(constants)) mix(`${name}=${value}`);
  return hash === 0 ? 1 : hash;
}

/** The byte map of one struct as a Markdown table. */
export function render(one: Struct): string {
  const rows = one.fields.map(
    (field) => `| ${field.word * 4} | ${field.words * 4} | ${field.name} | ${field.kind} | ${field.writer} |`,
  );
  return [
    `### ${one.name} (${one.bytes} bytes)`,
    '',
    '| byte | size | field | kind | written by |',
    '|--:|--:|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
