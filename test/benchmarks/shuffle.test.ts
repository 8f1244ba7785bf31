import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Random } from '../../benchmarks/random.js';
import {
  makeRecords,
  measurePartitions,
  PARTITIONS,
  partitionRecords,
  RECORD_BYTES,
  RECORD_WORDS,
  Sorter,
  sharesOf,
  verifySorted,
} from '../../benchmarks/shuffle.records.js';
import { ObjectStore } from '../../benchmarks/shuffle.store.js';
import { ownFolder } from '../../lib/linux/index.js';

function recordsOf(count: number, exponent = 0) {
  const words = new Int32Array(count * RECORD_WORDS);
  return { words, totals: makeRecords(words, new Random(5), sharesOf(exponent)) };
}

function piecesOf(words: Int32Array): Int32Array[] {
  const pieces = measurePartitions(words).map((bytes) => new Int32Array(bytes / 4));
  partitionRecords(words, pieces);
  return pieces;
}

function sort(pieces: readonly Int32Array[]): Int32Array {
  const sorted = new Int32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  new Sorter().sort(pieces, sorted);
  return sorted;
}

/** The records as bytes in text form, in the order of their keys as bytes: sorted another way. */
function texts(words: Int32Array): string[] {
  const bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
  return Array.from({ length: bytes.length / RECORD_BYTES }, (_, i) =>
    bytes.toString('latin1', i * RECORD_BYTES, (i + 1) * RECORD_BYTES),
  );
}

describe('the records of the benchmark shuffle', () => {
  it('partitioned, sorted and put together again are the input in the order of its keys', () => {
    const { words, totals } = recordsOf(20_000);
    const halves = [words.subarray(0, words.length / 2), words.subarray(words.length / 2)].map(piecesOf);
    const sorted = Array.from({ length: PARTITIONS }, (_, partition) =>
      sort(halves.map((pieces) => pieces[partition] as Int32Array)),
    );
    const expected = texts(words).sort((a, b) => (a < b ? -1 : 1));
    expect(sorted.flatMap(texts).join()).to.equal(expected.join());
    const found = sorted.map((part, partition) => verifySorted(part, partition));
    expect(found.reduce((sum, { count }) => sum + count, 0)).to.equal(totals.count);
    expect(found.reduce((sum, part) => (sum + part.sum) | 0, 0)).to.equal(totals.sum);
  });

  it('are sorted by the whole key where its first word does not decide', () => {
    const { words } = recordsOf(3000);
    for (let start = 0; start < words.length; start += RECORD_WORDS) {
      words[start] = 7;
      words[start + 1] = (words[start + 1] as number) & 0x03000000;
    }
    const sorted = sort([words.subarray(0, 25_000), words.subarray(25_000)]);
    const keys = texts(words).map((text) => text.slice(0, 10));
    expect(texts(sorted).map((text) => text.slice(0, 10))).to.deep.equal(keys.sort((a, b) => (a < b ? -1 : 1)));
    expect(verifySorted(sorted, 7).count).to.equal(3000);
  });

  it('fail the verification when two are swapped, one is of another partition, or a byte is wrong', () => {
    const pieces = piecesOf(recordsOf(20_000).words);
    const sorted = sort([pieces[3] as Int32Array]);
    const { sum } = verifySorted(sorted, 3);
    const swapped = sorted.slice();
    swapped.set(sorted.subarray(RECORD_WORDS, 2 * RECORD_WORDS), 0);
    swapped.set(sorted.subarray(0, RECORD_WORDS), RECORD_WORDS);
    expect(() => verifySorted(swapped, 3)).to.throw('out of place');
    expect(() => verifySorted(sorted, 4)).to.throw('out of place');
    sorted[20] = (sorted[20] as number) ^ 1;
    expect(verifySorted(sorted, 3).sum).to.not.equal(sum);
  });

  it('fall to the partitions as the exponent says', () => {
    const counts = measurePartitions(recordsOf(50_000, 1.2).words).map((bytes) => bytes / RECORD_BYTES);
    const weights = counts.map((_, partition) => 1 / (partition + 1) ** 1.2);
    const total = weights.reduce((a, b) => a + b);
    for (const partition of [0, 1, 9]) {
      const share = (weights[partition] as number) / total;
      expect((counts[partition] as number) / 50_000).to.be.closeTo(share, 0.15 * share);
    }
  });
});

describe('the object store that the benchmark shuffle compares with', () => {
  let folder: string;
  let stores: ObjectStore[];
  const bytesOf = (id: number, size: number) => new Uint8Array(size).map((_, i) => (i * 31 + id * 7) & 0xff);

  async function openStore(capacity: number): Promise<ObjectStore> {
    const store = await ObjectStore.open(capacity, join(folder, `spill-${stores.length}`));
    stores.push(store);
    return store;
  }

  beforeEach(() => {
    folder = ownFolder(tmpdir(), 'test');
    stores = [];
  });

  afterEach(async () => {
    for (const store of stores) await store.close();
    rmSync(folder, { recursive: true });
  });

  it('keeps in memory what fits, and the rest on disk', async () => {
    const store = await openStore(250);
    for (const id of [1, 2, 3]) await store.put(id, bytesOf(id, 100));
    expect(store.spilledBytes).to.equal(100);
    expect(store.peak).to.equal(200);
    for (const id of [1, 2, 3]) expect([...(await store.read(id))]).to.deep.equal([...bytesOf(id, 100)]);
    store.drop(1);
    await store.put(4, bytesOf(4, 150));
    expect(store.spilledBytes).to.equal(100);
  });

  it('fetches from another store over TCP what that one has in memory or on disk, and spills what has no room', async () => {
    const sizes = [3_000_000, 5, 0, 1_000_000, 2_500_000, 2_000_000, 2_400_000, 2_100_000];
    const source = await openStore(4_000_000);
    const target = await openStore(4_500_000);
    for (const [id, size] of sizes.entries()) await source.put(id, bytesOf(id, size));
    expect(source.spilledBytes).to.be.above(0);
    await target.fetch(
      source.port,
      sizes.map((size, id) => ({ id, size })),
    );
    expect(target.spilledBytes).to.be.above(0);
    expect(target.peak).to.be.at.most(4_500_000);
    for (const [id, size] of sizes.entries()) {
      if (size === 0) continue;
      expect(Buffer.compare(await target.read(id), bytesOf(id, size)), `object ${id}`).to.equal(0);
    }
  });
});
