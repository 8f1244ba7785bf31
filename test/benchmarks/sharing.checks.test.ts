/** Of the benchmark `sharing`: that a wrong answer is noticed, and that the figures are those of what ran. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { Context } from '../../benchmarks/frame.js';
import { answersOf, benchmark, type Round, report, roundOf } from '../../benchmarks/sharing.js';
import { type Prepared, prepare, runArm } from '../../benchmarks/sharing.run.js';
import { ARMS, PAGE, WORKLOADS, type WorkloadName } from '../../benchmarks/sharing.world.js';

const settings = { source: 'direct' };

/** Other values under the same keys; of the trace, each page in another's place. */
function damage({ original, workload }: Prepared): void {
  const bytes = readFileSync(original);
  if (workload === 'trace') {
    writeFileSync(original, Buffer.concat([bytes.subarray(PAGE), bytes.subarray(0, PAGE)]));
    return;
  }
  const text = bytes.toString('latin1');
  const changed = workload === 'descents' ? text.replaceAll('3/', '4/') : text.replaceAll('/00000000 ', '/00000009 ');
  expect(changed).to.not.equal(text);
  writeFileSync(original, changed, 'latin1');
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => 'nothing failed',
    (error: Error) => error.message,
  );

describe('the checks of the benchmark of sharing', () => {
  for (const workload of WORKLOADS) {
    it(`let ${workload} pass with the same answers in both arms, and notice a wrong one in each`, async () => {
      const prepared = await prepare(new Context('smoke', 1, undefined, settings), workload as WorkloadName);
      try {
        const rounds = { private: [] as Round[], shared: [] as Round[] };
        for (const arm of ARMS) {
          const reports = await runArm(prepared, arm);
          for (const one of reports) {
            expect(one.requests).to.be.above(0);
            expect(one.busyMs).to.be.above(0);
          }
          rounds[arm].push(roundOf(reports));
          expect(rounds[arm][0]?.reads).to.be.above(0);
        }
        expect(answersOf(workload, rounds)).to.match(/^[0-9a-f]{64} [0-9a-f]{64}$/);
        damage(prepared);
        for (const arm of ARMS) {
          expect(await failureOf(runArm(prepared, arm)))
            .to.contain(`${workload}, ${arm}, process`)
            .and.match(/the answer is/);
        }
      } finally {
        rmSync(prepared.folder, { recursive: true, force: true });
      }
    }).timeout(120_000);
  }

  it('do not let answers pass that differ between the arms, or between two rounds of one', () => {
    const round = (hash: string): Round => ({ reads: 1, ms: 1, hash });
    expect(answersOf('x', { private: [round('a'), round('a')], shared: [round('a')] })).to.equal('a');
    for (const rounds of [
      { private: [round('a')], shared: [round('b')] },
      { private: [round('a'), round('b')], shared: [round('a')] },
      { private: [], shared: [] },
    ]) {
      expect(() => answersOf('x', rounds)).to.throw(/x: the answers of the arms differ/);
    }
  });

  it('sum the reads of all processes, and take the mean of their times', () => {
    const one = { busyMs: 10, requests: 1, storageReads: 3, hash: 'a' };
    expect(roundOf([one, { ...one, busyMs: 30, storageReads: 4, hash: 'b' }])).to.deep.equal({
      reads: 7,
      ms: 20,
      hash: 'a b',
    });
  });

  it('put the private arm over the shared one, and count who read nothing as one read', () => {
    const context = new Context('smoke', 1);
    const rounds = (reads: number, ms: number): Round[] => [{ reads, ms, hash: '' }];
    report(context, 'x', { private: rounds(300, 50), shared: rounds(100, 100) }, ['a note']);
    report(context, 'y', { private: rounds(12, 4), shared: rounds(0, 1) }, []);
    const figureOf = (name: string) => context.results.find((result) => result.name === name)?.value;
    expect(figureOf('x: times fewer storage reads')).to.equal(3);
    expect(figureOf('x: times less time')).to.equal(0.5);
    expect([figureOf('x: storage reads, private'), figureOf('x: time, shared')]).to.deep.equal([300, 100]);
    expect(figureOf('y: times fewer storage reads')).to.equal(12);
    expect(context.notes).to.deep.equal(['a note']);
    const figures = benchmark.summary?.(context.results) ?? [];
    expect(figures.map(({ name }) => name)).to.deep.equal([
      'geometric mean of 2: times fewer storage reads',
      'geometric mean of 2: times less time',
    ]);
    expect(figures[0]?.series[0]).to.be.closeTo(6, 1e-9);
    expect(figures[1]?.series[0]).to.be.closeTo(Math.sqrt(2), 1e-9);
  });
});
