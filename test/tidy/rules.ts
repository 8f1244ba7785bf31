/**
 * The rules of the house. Each carries bad sources that its checker must catch and good ones that it must let pass:
 * a rule that cannot fail holds nothing.
 */
import { checkClaimsRun, checkHooks, checkOrderTags, checkUnfinished } from './marks.js';
import { checkCycles, checkEntrances, checkRanks, checkRooms } from './ranks.js';
import * as reach from './reach.js';
import { checkFileSizes, checkFunctionSizes } from './sizes.js';
import type { Checker } from './sources.js';

/** Path to text. */
export type Files = Readonly<Record<string, string>>;

export interface Rule {
  readonly claim: string;
  readonly check: Checker;
  readonly bad: readonly Files[];
  readonly good: readonly Files[];
}

const lines = (count: number) => '  step();\n'.repeat(count);

const structure: Rule[] = [
  {
    claim: 'a file imports only lower ranks and its own folder',
    check: checkRanks,
    bad: [
      { 'src/pool/a.ts': "import { b } from '../cache/index.js';" },
      { 'src/pool/a.ts': "import type { B } from '../coherence/index.js';" },
      { 'src/coherence/a.ts': "export * from '../cache/index.js';" },
      { 'src/cache/a.ts': "import { connect } from 'sealpool';" },
      { 'src/cache/a.ts': "type Row = import('../../adapters/cli/row.js').Row;" },
      { 'lib/a.ts': "const { b } = await import('../src/pool/index.js');" },
      { 'lib/a.ts': 'const { b } = await import(name);' },
      { 'adapters/cli/a.ts': "import { b } from '../../benchmarks/b.js';" },
      { 'benchmarks/a.ts': "import { b } from '../examples/b.js';" },
      { 'src/elsewhere/a.ts': 'export {};' },
    ],
    good: [
      { 'src/pool/policy/a.ts': "import { b } from '../layout.js'; import { c } from '../../../lib/words.js';" },
      { 'src/index.ts': "export * from './cache/index.js';", 'adapters/cli/a.ts': "import 'sealpool';" },
      { 'test/a.test.ts': "import { run } from '../benchmarks/hit.js'; import { expect } from 'chai';" },
    ],
  },
  {
    claim: 'another folder of src is entered only by its index.ts',
    check: checkEntrances,
    bad: [
      { 'src/cache/a.ts': "import { b } from '../pool/layout.js';" },
      { 'src/index.ts': "export { b } from './pool/types.js';" },
      { 'adapters/cli/a.ts': "import { b } from '../../src/pool/policy/index.js';" },
    ],
    good: [
      { 'src/cache/a.ts': "import { b } from '../pool/index.js'; import { c } from '../../lib/struct.js';" },
      { 'src/pool/policy/a.ts': "import { b } from '../layout.js';" },
      { 'test/pool/a.test.ts': "import { b } from '../../src/pool/layout/layout.js';" },
    ],
  },
  {
    claim: 'a room of src/pool imports lower rooms only, and by their index.ts',
    check: checkRooms,
    bad: [
      { 'src/pool/nodes/a.ts': "import { b } from '../space/index.js';", 'src/pool/space/index.ts': '' },
      { 'src/pool/space/a.ts': "import type { B } from '../nodes/locks.js';", 'src/pool/nodes/locks.ts': '' },
      { 'src/pool/access/a.ts': "import { pool } from '../pool.js';", 'src/pool/pool.ts': '' },
      { 'src/pool/open.ts': "import { locks } from './nodes/locks.js';", 'src/pool/nodes/locks.ts': '' },
      { 'src/pool/attic/a.ts': 'export {};' },
    ],
    good: [
      { 'src/pool/space/a.ts': "import { b } from '../nodes/index.js';", 'src/pool/nodes/index.ts': '' },
      { 'src/pool/open.ts': "import { b } from './nodes/index.js';", 'src/pool/nodes/index.ts': '' },
    ],
  },
  {
    claim: 'no file reaches itself through its imports',
    check: checkCycles,
    bad: [
      { 'lib/a.ts': "import { b } from './b.js';", 'lib/b.ts': "import { a } from './a.js';" },
      {
        'src/pool/a.ts': "import type { B } from './b.js';",
        'src/pool/b.ts': "export * from './policy/c.js';",
        'src/pool/policy/c.ts': "import { a } from '../a.js';",
      },
    ],
    good: [
      {
        'lib/a.ts': "import { b } from './b.js'; import { c } from './c.js';",
        'lib/b.ts': "import { c } from './c.js';",
        'lib/c.ts': 'export {};',
      },
    ],
  },
  {
    claim: 'no file is longer than 400 lines',
    check: checkFileSizes,
    bad: [{ 'lib/a.ts': lines(401) }],
    good: [{ 'lib/a.ts': lines(400) }],
  },
  {
    claim: 'no function is longer than 70 lines',
    check: checkFunctionSizes,
    bad: [
      { 'lib/a.ts': `function long() {\n${lines(69)}}` },
      { 'lib/a.ts': `class Fine {\n  long() {\n${lines(69)}}\n}` },
      { 'test/a.test.ts': `describe('a', () => {\n  it('long', () => {\n${lines(69)}});\n});` },
      { 'src/pool/a.ts': `describe('a', () => {\n${lines(69)}});` },
    ],
    good: [
      { 'lib/a.ts': `function exact() {\n${lines(68)}}` },
      { 'lib/a.ts': `class Long {\n${'  short() {}\n'.repeat(80)}}` },
      { 'test/a.test.ts': `describe('a', () => {\n${lines(90)}});` },
    ],
  },
];

const machine: Rule[] = [
  {
    claim: 'only lib/words.ts touches Atomics',
    check: reach.checkAtomics,
    bad: [
      { 'lib/linux/futex.ts': 'Atomics.load(words, 0);' },
      { 'src/pool/a.ts': 'const { load } = Atomics;' },
      { 'adapters/cli/a.ts': 'globalThis.Atomics.store(words, 0, 1);' },
    ],
    good: [{ 'lib/words.ts': 'Atomics.load(words, 0);' }, { 'src/pool/a.ts': '// Atomics are left to Words' }],
  },
  {
    claim: 'koffi is imported only in lib',
    check: reach.checkKoffi,
    bad: [{ 'src/pool/a.ts': "import koffi from 'koffi';" }, { 'test/a.test.ts': "await import('koffi');" }],
    good: [{ 'lib/linux/libc.ts': "import koffi from 'koffi';" }],
  },
  {
    claim: 'src imports no module of Node that looks at the machine',
    check: reach.checkMachineModules,
    bad: [
      { 'src/pool/a.ts': "import { openSync } from 'node:fs';" },
      { 'src/pool/a.ts': "import { open } from 'node:fs/promises';" },
      { 'src/cache/a.ts': "import fs from 'fs';" },
      { 'src/cache/a.ts': "import process from 'node:process';" },
      { 'src/cache/a.ts': "import { setTimeout } from 'node:timers/promises';" },
    ],
    good: [
      { 'lib/machine.ts': "import { openSync } from 'node:fs';" },
      { 'src/pool/a.ts': "import { Buffer } from 'node:buffer';" },
      { 'adapters/cli/a.ts': "import { readFileSync } from 'node:fs';" },
    ],
  },
  {
    claim: 'src takes no time, timer, chance or process from outside lib',
    check: reach.checkMachineNames,
    bad: [
      ...['Date.now()', 'new Date()', 'Date()', 'Math.random()', 'process.pid', 'performance.now()'],
      ...['setTimeout(step, 1)', 'setInterval(step, 1)', 'queueMicrotask(step)', 'globalThis.setTimeout(step)'],
      ...[
        'setImmediate(step)',
        'AbortSignal.timeout(5)',
        '({ setTimeout })',
        'crypto.randomUUID()',
        'const p = process',
      ],
    ].map((text) => ({ 'src/cache/a.ts': `${text};` })),
    good: [
      { 'src/cache/a.ts': 'const at = new Date(milliseconds); Math.floor(1.5); machine.clock.setTimeout(step, 1);' },
      { 'src/cache/a.ts': 'interface Host { process: string; performance(): number }\nconst host = { process: 1 };' },
      { 'lib/clock.ts': 'Date.now();' },
      { 'adapters/cli/a.ts': 'process.exit(setTimeout(step, Date.now()));' },
    ],
  },
  {
    claim: 'zod is imported only by an options.ts of src',
    check: reach.checkZod,
    bad: [
      { 'src/pool/pool.ts': "import { z } from 'zod';" },
      { 'src/options.ts': "import { z } from 'zod';" },
      { 'adapters/cli/options.ts': "import * as z from 'zod/mini';" },
    ],
    good: [
      { 'src/pool/layout/options.ts': "import { z } from 'zod';" },
      { 'src/cache/options.ts': "import { z } from 'zod';" },
    ],
  },
  {
    claim: 'lru-cache is imported in src only by src/pool/near/near.ts',
    check: reach.checkNearIndex,
    bad: [{ 'src/cache/near.ts': "import { LRUCache } from 'lru-cache';" }],
    good: [
      { 'src/pool/near/near.ts': "import { LRUCache } from 'lru-cache';" },
      { 'adapters/compare/a.ts': "import { LRUCache } from 'lru-cache';" },
    ],
  },
];

const marks: Rule[] = [
  {
    claim: 'every ORDER tag of lib and src stands at both ends',
    check: checkOrderTags,
    bad: [
      { 'src/pool/a.ts': '// ORDER seal-2: payload before state; pairs with find' },
      { 'src/pool/a.ts': '// ORDER seal-2: one; pairs with ORDER seal-2' },
      { 'src/pool/a.ts': '// ORDER seal-2: one\n// ORDER seal-3: other' },
      { 'src/pool/a.ts': '// ORDER: payload before state\n// ORDER: the other end' },
    ],
    good: [{ 'src/pool/a.ts': '// ORDER seal-2: one', 'lib/b.ts': 'step(); // ORDER seal-2: other' }],
  },
  {
    claim: 'nothing in lib and src is marked as unfinished',
    check: checkUnfinished,
    bad: [{ 'src/pool/a.ts': '// TODO later' }, { 'lib/a.ts': '/* FIXME: wrong */' }],
    good: [{ 'src/pool/a.ts': 'const todo = [];' }],
  },
  {
    claim: 'every test runs: none is singled out, skipped or empty',
    check: checkClaimsRun,
    bad: [
      ...["describe.only('a', f)", "it.only('a', f)", "describe.skip('a', f)", "it.skip('a', f)"],
      ...["xit('a', f)", "it('a')", "it('a', function () { this.skip(); })"],
    ].map((text) => ({ 'test/a.test.ts': `${text};` })),
    good: [{ 'test/a.test.ts': "describe('a', () => { it('b', () => cursor.skip(1)); });" }],
  },
  {
    claim: 'what tests import has no hook of its own at its top',
    check: checkHooks,
    bad: [{ 'test/support/a.ts': 'afterEach(async () => {});' }, { 'test/cache/a.ts': 'before(start);' }],
    good: [
      { 'test/support/a.ts': 'export function useIt() { after(stop); }' },
      { 'test/a.test.ts': 'afterEach(async () => {});' },
    ],
  },
];

export const rules: readonly Rule[] = [...structure, ...machine, ...marks];
