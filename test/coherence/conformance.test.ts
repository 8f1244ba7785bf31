/**
 * The conformance cases once more, each of their pools a host of an emulated device that is not coherent. conformance.ts says which of them differ, and
 * how; none is left out without a word, and what it says is looked at.
 */
import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { loadIn, type Mode } from '../support/mode.js';
import { LONG, Pools } from '../support/pools.js';
import { FILES, type Rule } from './conformance.js';

const FOLDER = new URL('../conformance/', import.meta.url);
const HOW = 'on hosts that are not coherent';

type Work = (this: Mocha.Context) => unknown;

/** How many cases each rule was asked for, by file. */
const used = new Map<string, Map<Rule, number>>();

async function refused(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    const { message, cause } = error as Error;
    return cause === undefined ? message : `${message} ${(cause as Error).message}`;
  }
  return 'it passed';
}

/** The case as the rule has it; undefined where it is not run as one of this mode. */
function underRule(rule: Rule | undefined, work: Work): { what: string; work: Work } | undefined {
  if (rule === undefined || ('long' in rule && LONG)) return { what: '', work };
  if (!('says' in rule)) return undefined;
  const fails: Work = async function () {
    expect(await refused(() => work.call(this))).to.match(rule.says);
  };
  return { what: ` (${rule.why})`, work: fails };
}

async function check(rule: Rule, mode: Mode): Promise<void> {
  if (!('instead' in rule)) return;
  const pools = new Pools(mode);
  try {
    await rule.instead(pools);
  } finally {
    await pools.disconnect();
    pools.remove();
  }
}

async function load(file: string): Promise<void> {
  const { describe: describePlain, it: itPlain } = globalThis;
  const { hosts, rules } = FILES[file] ?? { hosts: 2, rules: [] };
  const mode: Mode = `software of ${hosts}`;
  const asked = new Map<Rule, number>();
  used.set(file, asked);
  const named = (title: string, body: (this: Mocha.Suite) => void) => describePlain(`${title}, ${HOW}`, body);
  const claim = (title: string, work: Work) => {
    const entry = rules.find(([names]) => names.test(title));
    if (entry !== undefined) asked.set(entry[1], (asked.get(entry[1]) ?? 0) + 1);
    const ruled = underRule(entry?.[1], work);
    if (ruled !== undefined) itPlain(title + ruled.what, ruled.work as Mocha.AsyncFunc);
  };
  Object.assign(globalThis, { describe: named, it: claim });
  try {
    await loadIn(mode, () => import(new URL(`${file}.test.js?${mode}`, FOLDER).href));
  } finally {
    Object.assign(globalThis, { describe: describePlain, it: itPlain });
  }
}

const files = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.test.js'))
  .map((name) => name.replace('.test.js', ''));
for (const file of files) await load(file);
/** Each once, with the cases that it stands for. */
const instead = new Map<Rule, string[]>();
for (const [file, rules] of used) {
  for (const [rule, count] of rules)
    if ('instead' in rule) instead.set(rule, [...(instead.get(rule) ?? []), `${count} of ${file}`]);
}

describe('what the conformance cases do on hosts that are not coherent', () => {
  it('is said of every file of cases, and of cases that are there', () => {
    expect(Object.keys(FILES).sort()).to.deep.equal(files.sort());
    for (const [file, { rules }] of Object.entries(FILES)) {
      for (const [names, rule] of rules) expect(used.get(file)?.has(rule), `${file}: ${names}`).to.equal(true);
    }
  });

  for (const [rule, cases] of instead) {
    it(`differs in ${cases.join(', ')}: ${rule.why}`, () => check(rule, 'software of 2'));
  }
});
