import { expect } from 'chai';
import { AccessSpool } from '../../../../adapters/compare/trace/access-spool.js';
import { CHUNK_ACCESSES, FileAccesses } from '../../../../adapters/compare/trace/accesses.js';
import { IdTable } from '../../../../adapters/compare/trace/id-table.js';
import { PageKey } from '../../../../adapters/compare/trace/page-key.js';
import { TemporaryFolder } from './traces.js';

describe('the ids of a trace', () => {
  it('are numbered in order of first appearance, whatever 64-bit numbers they are', () => {
    const table = new IdTable();
    const key = new PageKey();
    const ids = Array.from({ length: 30_000 }, (_, index) => (BigInt(index % 7) << 61n) | BigInt(index * 4096));
    for (const round of [0, 1]) {
      for (const [number, id] of ids.entries()) {
        key.setBigint(id);
        expect(table.numberOf(key), `round ${round}`).to.equal(number);
      }
    }
    expect(table.count).to.equal(30_000);
  });

  it('of several parts are told apart by each part and by their order', () => {
    const table = new IdTable();
    const [outer, inner] = [new PageKey(), new PageKey()];
    for (let volume = 0; volume < 100; volume += 1) {
      for (let block = 0; block < 300; block += 1) {
        outer.setNumber(volume);
        inner.setNumber(block);
        inner.within(outer);
        expect(table.numberOf(inner)).to.equal(volume * 300 + block);
      }
    }
  });

  it('that are texts are told apart where they differ in a byte, a length or a place', () => {
    const table = new IdTable();
    const key = new PageKey();
    const texts = new Set<string>();
    for (let length = 1; length < 40; length += 1) {
      for (let place = 0; place < length; place += 1) {
        for (const byte of ['a', 'b', 'A', '\u0000', '\u0001', '\u007f']) {
          texts.add(`${'a'.repeat(place)}${byte}${'a'.repeat(length - place - 1)}`);
        }
      }
    }
    for (const text of texts) {
      const bytes = Buffer.from(text);
      key.setText(bytes, 0, bytes.length);
      table.numberOf(key);
    }
    expect(table.count).to.equal(texts.size);
  });

  it('take less than 60 bytes each of memory, at whatever moment', () => {
    const table = new IdTable();
    const key = new PageKey();
    globalThis.gc?.();
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let id = 0; id < 3_300_000; id += 1) {
      key.setNumber(id * 8);
      table.numberOf(key);
      if (id % 100_000 === 0) most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(most / table.count).to.be.lessThan(60);
  });
});

describe('the files of a trace', () => {
  const folder = new TemporaryFolder();
  after(() => folder.remove());

  /** Accesses and the numbers of those that begin a request, read back. */
  function readBack(fill: (spool: AccessSpool) => void): { accesses: number; begins: number[] } {
    const spool = new AccessSpool(folder.path);
    fill(spool);
    const begins: number[] = [];
    let accesses = 0;
    for (const { ids, starts } of new FileAccesses(spool.finish()).chunks()) {
      for (let index = 0; index < ids.length; index += 1) {
        const begin = starts === undefined || ((starts[index >>> 3]! >>> (index & 7)) & 1) === 1;
        if (begin) begins.push(accesses + index);
      }
      accesses += ids.length;
    }
    return { accesses, begins };
  }

  it('hold what was put, and which accesses begin a request, where the first long one comes late', () => {
    const key = new PageKey();
    const late = 2 * CHUNK_ACCESSES + 17;
    const { accesses, begins } = readBack((spool) => {
      for (let index = 0; index < late; index += 1) {
        key.setNumber(index % 100);
        spool.add(key);
      }
      key.setNumber(7);
      spool.run(key, 70_000);
      spool.add(key);
    });
    expect(accesses).to.equal(late + 70_001);
    expect(begins).to.have.length(late + 2);
    expect(begins.slice(-2)).to.deep.equal([late, late + 70_000]);
  });

  it('have no request starts where every access is one', () => {
    const spool = new AccessSpool(folder.path);
    spool.repeat(new PageKey(), 1000);
    expect(spool.finish()).to.not.have.property('starts');
  });
});
