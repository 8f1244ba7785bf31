/**
 * columns: rows of fields of no known format. Read where the user says which columns are the id, or where the header
 * leaves no choice; else refused, with the columns and an example.
 */
import { type ColumnSpec, parseColumns } from './column-spec.js';
import type { Separator } from './fields.js';
import type { ReadingContext, TextFormat } from './format.js';
import { RowReader } from './rows.js';
import { isNumber, type TextSample } from './sample.js';
import { isIdName, onlyIdName, plainName, type Table, tableOf } from './table.js';

const separated: Readonly<Record<Separator, { name: string; by: string }>> = {
  ',': { name: 'csv', by: 'commas' },
  ';': { name: 'csv-semicolon', by: 'semicolons' },
  '\t': { name: 'tsv', by: 'tabs' },
  '|': { name: 'csv-pipe', by: 'bars' },
  ' ': { name: 'columns', by: 'blanks' },
};

const FIELD_TEXT_MAX = 28;
const FIELDS_MAX = 16;

function shown(text: string): string {
  return text.length > FIELD_TEXT_MAX ? `${text.slice(0, FIELD_TEXT_MAX - 1)}…` : text;
}

/** The likeliest column, for the example alone. */
function likelyColumn({ names, rows, columns }: Table): string {
  const named = names?.find(isIdName);
  if (named !== undefined) return named;
  const distinct = Array.from({ length: columns }, (_, column) => {
    const values = rows.map((row) => row[column]!);
    const isCounter = values.every((value, row) => row === 0 || Number(value) >= Number(values[row - 1]));
    const kinds = new Set(values).size;
    return isCounter ? 0 : kinds + (values.every(isNumber) ? 0.5 : 0);
  });
  const best = distinct.indexOf(Math.max(...distinct));
  return names?.[best] ?? String(best + 1);
}

function refuseToGuess(context: ReadingContext, table: Table): never {
  const { separator, names, rows } = table;
  const first = names ?? (rows[0] ?? []).map((field, index) => `${index + 1}: ${field}`);
  const more = first.length > FIELDS_MAX ? `, … (${first.length} in all)` : '';
  const fields = `${names === undefined ? 'fields' : 'columns'} ${first.slice(0, FIELDS_MAX).map(shown).join(', ')}${more}`;
  const { file } = context;
  const several = names === undefined ? '1,2' : names.slice(0, 2).join(',');
  return context.refuse(
    `has the ${fields}, separated by ${separated[separator].by}, and nothing says which of them is the page id: name its column, as in: sealpool compare ${file}:${likelyColumn(table)} (several columns as one id: :${several}; a byte offset and a size, to be made pages: :OFFSET+SIZE; a count of repetitions: :ID*COUNT)`,
  );
}

/** What nobody has to say: a header with one name that can be the id and no other that could. */
function obviousColumns({ names, columns }: Table): ColumnSpec | undefined {
  if (columns === 1) return { ids: [0] };
  const only = names === undefined ? undefined : onlyIdName(names);
  return only === undefined ? undefined : { ids: [names!.indexOf(only)] };
}

/** Counts of requests of one line, as this column of cache traces always has them. */
export function countColumn({ names }: Table): number | undefined {
  const index = names?.findIndex((name) => plainName(name) === 'opcount') ?? -1;
  return index < 0 ? undefined : index;
}

function wordsOf({ ids, size, times }: ColumnSpec, { names }: Table): string {
  const name = (column: number) => names?.[column] ?? String(column + 1);
  const words = `${ids.length > 1 ? 'columns' : 'column'} ${ids.map(name).join(',')}`;
  return `${words}${size === undefined ? '' : `+${name(size)}`}${times === undefined ? '' : `*${name(times)}`}`;
}

function columnsOf(separator: Separator): TextFormat {
  const tableOfSample = (sample: TextSample): Table | undefined => {
    const table = tableOf(sample, sample.columns === undefined ? 2 : 1);
    return table?.separator === separator ? table : undefined;
  };
  return {
    kind: 'text',
    name: separated[separator].name,

    score(sample) {
      const table = tableOfSample(sample);
      if (table === undefined) return 0;
      if (sample.columns !== undefined) return 0.9;
      // Refused by its reader, unless some format is surer.
      return obviousColumns(table) === undefined ? 0.5 : 0.9;
    },

    reader(context, sample) {
      const table = tableOfSample(sample) ?? tableOf(sample, 1)!;
      const { columns: text } = sample;
      const said = text === undefined ? obviousColumns(table) : parseColumns(text, table, context.refuseTrace);
      const spec = said ?? refuseToGuess(context, table);
      const times = spec.times ?? (spec.size === undefined ? countColumn(table) : undefined);
      const whole = { ...spec, times };
      context.tell(wordsOf(whole, table));
      if (!table.headerIsRow && table.names === undefined) context.tell('no header');
      return new RowReader(context, table, whole);
    },
  };
}

export const columns: readonly TextFormat[] = ([',', '\t', ';', '|', ' '] as const).map(columnsOf);
