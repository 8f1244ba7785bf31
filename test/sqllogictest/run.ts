/** A script's records asked and judged: by what the script expects, and by what the engine alone answers. */
import { hashOf, sorted } from './answers.js';
import type { Answers, Arms } from './arms.js';
import { type LogicRecord, type Query, recordsOf, type Skipped } from './script.js';

export interface Failure {
  readonly name: string;
  readonly line: number;
  readonly what: string;
}

export interface Report {
  readonly name: string;
  records: number;
  /** Of them, asked of the reader too. */
  byReader: number;
  skipped: number;
  readonly failures: Failure[];
}

const SHOWN_MAX = 20;
const HASHED = /^(\d+) values hashing to ([0-9a-f]{32})$/;

const shown = (values: readonly string[]) =>
  `[${values.slice(0, SHOWN_MAX).join(' ')}${values.length > SHOWN_MAX ? ' ...' : ''}]`;

/** `name` is told with each failure. */
export function runScript(name: string, text: string, arms: Arms): Report {
  return runRecords(name, recordsOf(text), arms);
}

export function runRecords(name: string, records: Iterable<LogicRecord | Skipped>, arms: Arms): Report {
  const report: Report = { name, records: 0, byReader: 0, skipped: 0, failures: [] };
  const labels = new Map<string, string>();
  let line = 0;
  const fail = (what: string) => void report.failures.push({ name, line, what });
  try {
    for (const record of records) {
      line = record.line;
      runRecord(record, { report, labels, arms, fail });
    }
    for (const what of arms.compareAll()) fail(`at the end: ${what}`);
  } catch (error) {
    // Of what is asked beside the records.
    fail(`the run ended here: ${String(error)}`);
  }
  return report;
}

interface Run {
  readonly report: Report;
  readonly labels: Map<string, string>;
  readonly arms: Arms;
  readonly fail: (what: string) => void;
}

function runRecord(record: LogicRecord | Skipped, { report, labels, arms, fail }: Run): void {
  if (record.kind === 'unread') fail(record.why);
  else if (record.kind === 'skipped') report.skipped++;
  else if (record.kind === 'statement') {
    const { plain } = asked(report, record, arms, fail);
    if (plain.error !== undefined && record.expects === 'ok') fail(`it failed: ${plain.error}`);
    else if (plain.error === undefined && record.expects === 'error') fail('it was to fail, and did not');
  } else if (record.kind === 'query') {
    const { plain } = asked(report, record, arms, fail);
    if (plain.error !== undefined) fail(`it failed: ${plain.error}`);
    else judge(record, plain.values, labels, fail);
  }
}

function asked(report: Report, record: LogicRecord, arms: Arms, fail: (what: string) => void): Answers {
  const answers = arms.ask(record);
  report.records++;
  if (answers.isReaderAsked) report.byReader++;
  for (const difference of answers.differences) fail(difference);
  return answers;
}

function judge(query: Query, values: readonly string[], labels: Map<string, string>, fail: (what: string) => void) {
  const { types, sort, label, expected, hashThreshold } = query;
  const found = sorted(values, types.length, sort);
  const hash = hashOf(found);
  if (label !== undefined) {
    const before = labels.get(label) ?? hash;
    labels.set(label, before);
    if (before !== hash) fail(`the result differs from that of an earlier query of the label ${label}`);
  }
  if (expected === undefined) return;
  const [, count, wanted] = HASHED.exec(expected.length === 1 ? (expected[0] as string) : '') ?? [];
  if (wanted !== undefined) {
    if (Number(count) === found.length && wanted === hash) return;
    fail(`expected ${expected[0]}, got ${found.length} values hashing to ${hash}`);
  } else if (hashThreshold > 0 && found.length > hashThreshold) {
    fail(`${found.length} values, more than the hash-threshold of ${hashThreshold}, but the script lists values`);
  } else if (expected.length !== found.length || expected.some((value, index) => value !== found[index])) {
    fail(`expected ${shown(expected)}, got ${shown(found)}`);
  }
}

export function linesOf({ name, records, byReader, skipped, failures }: Report): string[] {
  const count = `${records} records run, ${byReader} of them by the reader too, ${skipped} skipped, ${failures.length} failed`;
  return [...failures.map(({ line, what }) => `${name}:${line}: ${what}`), `${name}: ${count}`];
}
