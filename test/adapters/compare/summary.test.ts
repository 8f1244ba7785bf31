import { expect } from 'chai';
import {
  allNotes,
  failedChecks,
  readsOverShared,
  verdict,
  whatWasCompared,
} from '../../../adapters/compare/summary.js';
import { sampleArm, sampleResult } from './sample.js';

const reads = (privately: number, shared: number) =>
  sampleResult({
    arms: [
      sampleArm('private-lru', 1, { storageReads: privately, hitRatio: 0.25 }),
      sampleArm('shared', 1, { storageReads: shared, hitRatio: 0.5 }),
    ],
  });

describe('the sentences of a comparison', () => {
  it('say who did what, once per arm, and with how much', () => {
    expect(whatWasCompared(sampleResult({ workload: 'W' }))).to.match(
      /^4 nodes did the same 1,000,000 page requests of W once per arm, each time with 64 MiB of memory in total\. /,
    );
    expect(whatWasCompared(sampleResult({ nodes: 1 }))).to.match(/^One node did the same/);
    const arms = [sampleArm('private-lru', 1), sampleArm('shared', 1, { requests: 5 })];
    expect(whatWasCompared(sampleResult({ arms }))).to.match(/^4 nodes did the same work of /);
  });

  it('say what the arms did where that was not the same work, and who divides the memory', () => {
    const text = whatWasCompared(sampleResult({ done: 'They looped.', shares: 5 }));
    expect(text).to.match(/^They looped\. Each arm had 64 MiB of memory in total\. /);
    expect(text).to.contain('in a private arm every process keeps its own cache with one fifth of it');
  });

  it('say of each arm that ran, and of no other, how it spends the memory', () => {
    const parts = {
      'private-lru': 'in a private arm every node',
      shared: 'in the shared arm all nodes',
      'os-cache-limited': 'os-cache-limited leaves',
      'os-cache': 'os-cache leaves',
    } as const;
    for (const name of Object.keys(parts) as (keyof typeof parts)[]) {
      const text = whatWasCompared(sampleResult({ arms: [sampleArm(name, 1)] }));
      for (const other of Object.keys(parts) as (keyof typeof parts)[]) {
        expect(text.includes(parts[other]), `${name}: ${other}`).to.equal(name === other);
      }
    }
    expect(whatWasCompared(sampleResult({ arms: [] }))).to.not.contain('differ');
  });

  it('name the share of a private cache in words that a reader knows', () => {
    const shares: [number, string][] = [
      [1, 'the whole of it'],
      [2, 'half of it'],
      [3, 'one third of it'],
      [4, 'one quarter of it'],
      [7, 'one 7th of it'],
      [11, 'one 11th of it'],
      [21, 'one 21st of it'],
      [32, 'one 32nd of it'],
      [43, 'one 43rd of it'],
    ];
    for (const [nodes, text] of shares) {
      expect(whatWasCompared(sampleResult({ nodes }))).to.contain(`its own cache with ${text}`);
    }
  });

  it('give the verdict whichever way it went, and no ratio where there is none', () => {
    const ratios = '(50.00 % hits against 25.00 %)';
    const known: [number, number, string][] = [
      [
        300,
        200,
        `The shared pool read storage 1.50 times less often than private-lru, the best private arm ${ratios}.`,
      ],
      [
        101,
        100,
        `The shared pool read storage 1.01 times less often than private-lru, the best private arm ${ratios}.`,
      ],
      [1_001, 1_000, `The shared pool and private-lru, the best private arm, read storage equally often ${ratios}.`],
      [1_000, 1_001, `The shared pool and private-lru, the best private arm, read storage equally often ${ratios}.`],
      [
        200,
        300,
        `The shared pool lost here: it read 1.50 times as many pages from storage as private-lru, the best private arm ${ratios}.`,
      ],
      [
        0,
        1_500,
        `The shared pool lost here: it read 1,500 pages from storage, against none of private-lru, the best private arm ${ratios}.`,
      ],
      [1_500, 0, `The shared pool read no page from storage, private-lru read 1,500 ${ratios}.`],
      [0, 0, 'Neither the shared pool nor private-lru read storage at all.'],
    ];
    for (const [privately, shared, text] of known) expect(verdict(reads(privately, shared))).to.equal(text);
    expect(verdict(sampleResult({ arms: [sampleArm('shared', 1)] }))).to.equal(undefined);
  });

  it('count reads as multiples of those of the shared arm, where there is one', () => {
    const result = reads(300, 200);
    expect(result.arms.map((arm) => readsOverShared(result, arm))).to.deep.equal([1.5, 1]);
    const alone = sampleResult({ arms: [sampleArm('private-lru', 1)] });
    expect(alone.arms.map((arm) => readsOverShared(alone, arm))).to.deep.equal([undefined]);
  });

  it('have each note once, those of an arm led by its name, and count every failed check', () => {
    const arms = [sampleArm('shared', 1, { notes: ['x', 'x'] }), sampleArm('private-lru', 1, { notes: ['x'] })];
    expect(allNotes(sampleResult({ arms, notes: ['y', 'y'] }))).to.deep.equal(['shared: x', 'private-lru: x', 'y']);
    const checks = [true, false, false].map((ok) => ({ text: '', ok }));
    expect(failedChecks([sampleResult({ checks }), sampleResult({ checks }), sampleResult()])).to.equal(4);
  });
});
