/**
 * binary: numbers of fixed width. Which byte comes first does not matter, as only being equal matters.
 *
 *   u32, u64        ids of 32 or 64 bits
 *   oracle-general  libCacheSim's 24 bytes: time u32, id u64, size u32, number of the next record of the same id i64, or
 *                   -1 or the highest number; little-endian
 */
import { PageKey } from '../page-key.js';
import type { BinaryFormat } from './format.js';
import type { BinarySample } from './sample.js';

const RECORD_BYTES = 24;
const [ID, NEXT] = [4, 16];
const RECORDS_MAX = 4096;
const NEVER = 0x7fff_ffff_ffff_ffffn;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function fits({ size, bytes }: BinarySample, width: number): boolean {
  return bytes.length >= width && (size === undefined || size % width === 0);
}

/** The share of values at `offset` modulo `step` that are zero. */
function zeroShare(bytes: Uint8Array, step: number, offset: number): number {
  let zeros = 0;
  let count = 0;
  for (let at = offset; at < bytes.length; at += step) {
    if (bytes[at] === 0) zeros += 1;
    count += 1;
  }
  return count === 0 ? 0 : zeros / count;
}

const SMALL_SHARE = 0.99;
/** Fewer bytes than that say nothing against a name. */
const TELLING_BYTES = 64;

function upperHalvesAreZero(sample: BinarySample): boolean {
  return fits(sample, 8) && [4, 5, 6, 7].every((offset) => zeroShare(sample.bytes, 8, offset) === 1);
}

/** Small numbers: the highest byte is nearly always zero, whichever end it stands at. */
function areSmall({ bytes }: BinarySample, width: number): boolean {
  return [0, width - 1].some((offset) => zeroShare(bytes, width, offset) >= SMALL_SHARE);
}

/**
 * Whether every `period`-th word is of a kind of its own: few of them are met at another place, and they are of another
 * size. So are the fields of records; the places of ids alone are all alike, also while they only count up.
 */
function hasPeriod({ bytes }: BinarySample, period: number): boolean {
  const view = viewOf(bytes);
  const sums = new Array<number>(period).fill(0);
  const kinds = sums.map(() => new Set<number>());
  const words = Math.floor(bytes.length / 4 / period) * period;
  for (let index = 0; index < words; index += 1) {
    const word = view.getUint32(4 * index, true);
    sums[index % period]! += word;
    kinds[index % period]!.add(word);
  }
  for (let place = 1; place < period; place += 1) {
    const [first, other] = [kinds[0]!, kinds[place]!];
    let shared = 0;
    for (const word of other) if (first.has(word)) shared += 1;
    const isUnlike = Math.max(sums[0]!, sums[place]!) > 4 * Math.min(sums[0]!, sums[place]!);
    if (isUnlike && shared < 0.1 * Math.min(first.size, other.size)) return true;
  }
  return false;
}

const PERIODS_OF_RECORDS = [2, 3, 4, 5, 6, 7, 8];

/** All zeros: as many pages in one width as in the other, but not as many accesses. */
function isAllZero({ bytes }: BinarySample): boolean {
  return bytes.every((byte) => byte === 0);
}

const SURE = 0.95;
const LIKELY = 0.85;

export const u32: BinaryFormat = {
  kind: 'binary',
  name: 'u32',
  recordSize: 4,

  score(sample) {
    const isNamed = /\.u32$/i.test(sample.name);
    if (!fits(sample, 4)) return isNamed ? LIKELY : 0;
    if (isAllZero(sample)) return isNamed ? SURE : 0.5;
    const isTelling = sample.bytes.length >= TELLING_BYTES;
    if (isNamed) return isTelling && upperHalvesAreZero(sample) ? LIKELY : SURE;
    if (!isTelling || !areSmall(sample, 4) || upperHalvesAreZero(sample)) return 0;
    // Small numbers in records of several, such as a time and an id, are no ids alone.
    return PERIODS_OF_RECORDS.some((period) => hasPeriod(sample, period)) ? 0 : LIKELY;
  },

  reader({ spool }) {
    const key = new PageKey();
    return (record, offset) => {
      key.setHalves(0, record.getUint32(offset, true));
      spool.add(key);
    };
  },
};

export const u64: BinaryFormat = {
  kind: 'binary',
  name: 'u64',
  recordSize: 8,

  score(sample) {
    const isNamed = /\.u64$/i.test(sample.name);
    if (!fits(sample, 8)) return isNamed ? LIKELY : 0;
    if (isNamed) return SURE;
    if (isAllZero(sample)) return 0.5;
    if (sample.bytes.length < TELLING_BYTES) return 0;
    if (upperHalvesAreZero(sample)) return LIKELY;
    // In some the two halves of a word could as well be two fields of a record: only a name tells.
    return areSmall(sample, 8) && !areSmall(sample, 4) ? LIKELY : 0;
  },

  reader({ spool }) {
    const key = new PageKey();
    return (record, offset) => {
      key.setHalves(record.getUint32(offset + 4, true), record.getUint32(offset, true));
      spool.add(key);
    };
  },
};

/** Whether the numbers of next records are what they say, counted from 0 or from 1. */
function linksHold(bytes: Uint8Array): { hold: boolean; claimed: number } {
  const view = viewOf(bytes);
  const records = Math.min(RECORDS_MAX, Math.floor(bytes.length / RECORD_BYTES));
  const idOf = (record: number) => view.getBigUint64(record * RECORD_BYTES + ID, true);
  const holding = [0, 0];
  let claimed = 0;
  for (let record = 0; record < records; record += 1) {
    const next = view.getBigInt64(record * RECORD_BYTES + NEXT, true);
    if (next === -1n || next === NEVER) continue;
    if (next <= BigInt(record)) return { hold: false, claimed };
    if (next > 0xffff_ffff_ffffn) return { hold: false, claimed };
    if (next >= BigInt(records)) continue;
    claimed += 1;
    for (const base of [0, 1]) if (idOf(Number(next) - base) === idOf(record)) holding[base]! += 1;
  }
  return { hold: Math.max(...holding) === claimed, claimed };
}

export const oracleGeneral: BinaryFormat = {
  kind: 'binary',
  name: 'oracle-general',
  recordSize: RECORD_BYTES,

  score(sample) {
    if (!fits(sample, RECORD_BYTES)) return 0;
    const { hold, claimed } = linksHold(sample.bytes);
    if (!hold) return 0;
    // Without a page that comes again among the first records only the form of the numbers speaks for it.
    return claimed > 0 ? 0.98 : 0.9;
  },

  reader({ spool }) {
    const key = new PageKey();
    return (record, offset) => {
      key.setHalves(record.getUint32(offset + ID + 4, true), record.getUint32(offset + ID, true));
      spool.add(key);
    };
  },
};
