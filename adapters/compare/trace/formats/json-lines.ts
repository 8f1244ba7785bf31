/**
 * json-lines: an object a line, of which a field is the id or a list of ids, as the hash_ids of Mooncake's traces; or a
 * list of ids a line. A list is one request.
 *
 * (J1) Whole numbers are exact to 64 bits: longer ones than a double holds are taken as they are written.
 */
import { PageKey } from '../page-key.js';
import type { LineReader, ReadingContext, TextFormat } from './format.js';
import type { TextSample } from './sample.js';
import { isIdName, isOtherName } from './table.js';

/** A string, or a whole number too long for a double. */
const STRING_OR_LONG = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;
const SAMPLE_LINES = 50;

type JsonObject = Readonly<Record<string, unknown>>;

function parse(text: string): unknown {
  const kept = text.replace(STRING_OR_LONG, (token) => (token.startsWith('"') ? token : `"${token}"`));
  return JSON.parse(kept);
}

function parsed(line: string): unknown {
  try {
    return parse(line);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'number' || typeof one === 'string');
}

function namesOf({ lines }: TextSample): string[] {
  const names = new Set<string>();
  for (const line of lines.slice(0, SAMPLE_LINES)) {
    const value = parsed(line);
    if (isObject(value)) for (const name of Object.keys(value)) names.add(name);
  }
  return [...names];
}

function obviousField(names: readonly string[]): string | undefined {
  if (names.includes('hash_ids')) return 'hash_ids';
  const candidates = names.filter((name) => !isOtherName(name));
  return candidates.length === 1 && isIdName(candidates[0]!) ? candidates[0] : undefined;
}

function refuseToGuess(context: ReadingContext, names: readonly string[]): never {
  const example = names.find(isIdName) ?? names.find((name) => !isOtherName(name)) ?? names[0];
  return context.refuse(
    `has the fields ${names.join(', ')}, and nothing says which of them is the page id or the list of ids: name its field like a column, as in: sealpool compare ${context.file}:${example}`,
  );
}

export const jsonLines: TextFormat = {
  kind: 'text',
  name: 'json-lines',

  score({ lines }) {
    const [first = ''] = lines;
    if (!first.startsWith('{') && !first.startsWith('[')) return 0;
    const values = lines.slice(0, SAMPLE_LINES).map(parsed);
    if (values.every((value) => isObject(value) || isList(value))) return 0.98;
    // A whole file of JSON: refused by the reader, which tells how to make lines of it.
    return 0.6;
  },

  reader(context, sample) {
    const values = sample.lines.slice(0, SAMPLE_LINES).map(parsed);
    if (!values.every((value) => isObject(value) || isList(value))) {
      context.refuse(
        `is JSON that is not an object or a list of ids on each line: make JSON lines of it, as with: jq -c .[] ${context.file} > trace.jsonl`,
      );
    }
    if (values.every(isList)) return new JsonReader(context, []);
    const names = namesOf(sample);
    const said = sample.columns ?? obviousField(names) ?? refuseToGuess(context, names);
    const fields = names.includes(said) ? [said] : said.split(',');
    const first = values.find(isObject)!;
    const unknown = fields.find((field) => !names.includes(field) && valueAt(first, field) === undefined);
    if (unknown !== undefined) context.refuseTrace(`no field ${unknown} in line 1, which has ${names.join(', ')}`);
    context.tell(`field ${said}`);
    return new JsonReader(context, fields);
  },
};

/** A field by its name, or through objects as in meta.page. */
function valueAt(object: JsonObject, field: string): unknown {
  if (Object.hasOwn(object, field)) return object[field];
  let value: unknown = object;
  for (const name of field.split('.')) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return value;
}

class JsonReader implements LineReader {
  private readonly context: ReadingContext;
  private readonly fields: readonly string[];
  private readonly key = new PageKey();
  private readonly part = new PageKey();

  /** `fields`: together one id, or a list of ids; none: the line is the list. */
  constructor(context: ReadingContext, fields: readonly string[]) {
    this.context = context;
    this.fields = fields;
  }

  line(bytes: Uint8Array, start: number, end: number): void {
    const value = parsed(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString());
    if (this.fields.length === 0) this.list(isList(value) ? value : this.context.refuse('is no list of ids'));
    else this.object(value);
  }

  private object(value: unknown): void {
    if (!isObject(value)) this.context.refuse('is no JSON object');
    const [first = '', ...rest] = this.fields;
    const id = valueAt(value, first);
    if (Array.isArray(id) && rest.length === 0) {
      this.list(isList(id) ? id : this.refuseField(first));
      return;
    }
    this.set(this.key, id, first);
    for (const field of rest) {
      this.set(this.part, valueAt(value, field), field);
      this.part.within(this.key);
      this.key.copy(this.part);
    }
    this.context.spool.add(this.key);
  }

  private list(ids: readonly unknown[]): void {
    if (ids.length === 0) this.context.leaveOut('without ids');
    for (const [index, id] of ids.entries()) {
      this.set(this.key, id, 'list');
      this.context.spool.add(this.key, index === 0);
    }
  }

  private set(key: PageKey, value: unknown, field: string): void {
    if (typeof value !== 'number' && typeof value !== 'string') this.refuseField(field);
    const bytes = Buffer.from(String(value));
    if (!key.setField(bytes, 0, bytes.length)) this.refuseField(field);
  }

  private refuseField(field: string): never {
    return this.context.refuse(`has no id and no list of ids in its field ${field}`);
  }
}
