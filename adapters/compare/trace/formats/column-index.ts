import { plainName, type Table } from './table.js';

/** The indexes of the columns of these plain names, undefined where the header lacks one of them. */
export function columnsIndex({ names = [] }: Table, wanted: readonly string[]): number[] | undefined {
  const plain = names.map(plainName);
  const indexes = wanted.map((name) => plain.indexOf(name));
  return indexes.includes(-1) ? undefined : indexes;
}
