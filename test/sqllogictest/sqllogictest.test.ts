/** Scripts of sqllogictest and records by chance: what the adapter answers is what the engine alone answers. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ownFolder } from '../../lib/linux/index.js';
import { theEngine } from '../adapters/sqlite/world.js';
import { root } from '../tidy/sources.js';
import { Arms } from './arms.js';
import { generatedRecords } from './generated.js';
import { linesOf, type Report, runRecords, runScript } from './run.js';

const OWN = join(root, 'test/sqllogictest/own');
const PROGRAM = join(root, 'dist/test/sqllogictest/main.js');

/** `change` may make the three arms differ. */
async function within(run: (arms: Arms) => Report, change: (arms: Arms) => void = () => {}): Promise<Report> {
  const arms = await Arms.open(await theEngine());
  try {
    change(arms);
    return run(arms);
  } finally {
    await arms.close();
  }
}

const failuresOf = ({ failures }: Report) => failures.map(({ line, what }) => `${line}: ${what}`);

describe('the live adapter under sqllogictest', () => {
  for (const name of readdirSync(OWN)) {
    it(`answers ${name} as the engine alone does, and as it says there`, async () => {
      const text = readFileSync(join(OWN, name), 'utf8');
      const report = await within((arms) => runScript(name, text, arms));
      expect(failuresOf(report)).to.deep.equal([]);
      expect(report.byReader).to.be.greaterThan(5);
    });
  }

  for (const seed of [1, 2, 3]) {
    it(`answers a thousand records of seed ${seed} as the engine alone does, by the writer and by a reader`, async () => {
      const report = await within((arms) => runRecords(`seed ${seed}`, generatedRecords(seed, 1000), arms));
      expect(linesOf(report).slice(0, -1)).to.deep.equal([]);
      expect(report.records).to.equal(1000);
      expect(report.byReader).to.be.greaterThan(300);
    });
  }
});

const SCRIPT = `statement ok
CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)

query I rowsort
SELECT a FROM t
----
1
2
`;

describe('the runner of sqllogictest', () => {
  it('tells each record that is not as its script says, by its line, and goes on', async () => {
    const text = `${SCRIPT}
query I
SELECT a FROM t WHERE a = 2
----
1

# a comment
query I
SELECT a FROM t
----
2 values hashing to 00000000000000000000000000000000

query II
SELECT a FROM t
----

statement ok
INSERT INTO missing VALUES (1)

statement error
INSERT INTO t VALUES (3)

query I nosort one
SELECT count(*) FROM t

query I nosort one
SELECT count(*) + 1 FROM t

hash-threshold 2

query I rowsort
SELECT a FROM t
----
1
2
3

query X
SELECT 1

wish granted
`;
    const report = await within((arms) => runScript('s', text, arms));
    const patterns = [
      /^10: expected \[1\], got \[2\]$/,
      /^16: expected 2 values hashing to 0+, got 2 values hashing to [0-9a-f]{32}$/,
      /^21: it failed: .*1 columns, but 2 types$/,
      /^25: it failed: .*no such table: missing/,
      /^28: it was to fail, and did not$/,
      /^34: the result differs from that of an earlier query of the label one$/,
      /^39: 3 values, more than the hash-threshold of 2/,
      /^46: query X: types/,
      /^49: wish: no record/,
    ];
    const failures = failuresOf(report);
    expect(failures).to.have.length(patterns.length);
    for (const [index, pattern] of patterns.entries()) expect(failures[index]).to.match(pattern);
    expect(report.records).to.equal(10);
  });

  it('tells an engine alone that has other rows than the writer and the reader', async () => {
    const report = await within(
      (arms) => runScript('s', SCRIPT, arms),
      ({ plain }) => plain.exec('CREATE TABLE t(a); INSERT INTO t VALUES (3)'),
    );
    const failures = failuresOf(report).join('\n');
    expect(failures).to.match(/1: the writer: .*but the engine alone: .*table t already exists/);
    expect(failures).to.match(/4: the writer: \[1 2\], but the engine alone: \[3\]/);
    expect(failures).to.match(/4: the reader: \[1 2\], but the engine alone: \[3\]/);
    expect(failures).to.match(/at the end: t of the reader has other rows/);
  });

  it('tells a reader that stays behind', async () => {
    const report = await within(
      (arms) => runScript('s', SCRIPT, arms),
      ({ reader }) => {
        reader.refresh = () => false;
      },
    );
    const failures = failuresOf(report).join('\n');
    expect(failures).to.match(/4: the reader is at \d+ after a refresh, the writer at \d+/);
    expect(failures).to.match(/4: the reader: .*no such table: t, but the engine alone: \[1 2\]/);
  });

  it('exits 0 where all is right, 1 where a record failed, 2 where a file cannot be read, and says which', () => {
    const folder = ownFolder(tmpdir(), 'scripts');
    const [right, wrong, missing] = ['right', 'wrong', 'missing'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(right, SCRIPT);
    writeFileSync(wrong, SCRIPT.replace('----\n1', '----\n7'));
    const run = (...files: string[]) => spawnSync(process.execPath, [PROGRAM, ...files], { encoding: 'utf8' });
    const good = run(right);
    expect([good.status, good.stdout]).to.deep.equal([
      0,
      `${right}: 2 records run, 1 of them by the reader too, 0 skipped, 0 failed\n`,
    ]);
    const bad = run(right, wrong);
    expect(bad.status).to.equal(1);
    expect(bad.stdout).to.include(`${wrong}:4: expected [7 2], got [1 2]\n${wrong}: 2 records run`);
    const none = run(missing);
    expect([none.status, none.stdout]).to.deep.equal([2, '']);
    expect(none.stderr).to.include(missing);
    rmSync(folder, { recursive: true });
  });
});
