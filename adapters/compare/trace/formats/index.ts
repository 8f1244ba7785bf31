/**
 * formats: every format of traces that compare reads, and which of them a sample is.
 *
 * (F3) The surest one wins. Two that are about equally sure are refused by their names: --format says which it is.
 */
import { arc } from './arc.js';
import { oracleGeneral, u32, u64 } from './binary.js';
import { blkparse } from './blkparse.js';
import { alibaba, msr, tencent } from './block-rows.js';
import { kvcache, libcachesim, twitter } from './cache-rows.js';
import { columns } from './columns.js';
import type { BinaryFormat, TextFormat, TraceFormat } from './format.js';
import { ids } from './ids.js';
import { jsonLines } from './json-lines.js';
import { lackey } from './lackey.js';
import { lirs } from './lirs.js';
import type { BinarySample, TextSample } from './sample.js';

export type { BinaryFormat, LineReader, ReadingContext, TextFormat, TraceFormat } from './format.js';
export { type BinarySample, type TextSample, textSample } from './sample.js';

const textFormats: readonly TextFormat[] = [
  ids,
  lirs,
  arc,
  lackey,
  blkparse,
  msr,
  alibaba,
  tencent,
  twitter,
  kvcache,
  libcachesim,
  jsonLines,
  ...columns,
];
const binaryFormats: readonly BinaryFormat[] = [u32, u64, oracleGeneral];

export const formats: readonly TraceFormat[] = [...textFormats, ...binaryFormats];

const TIE = 0.02;

/** Formats that are about as sure as the surest, which comes first. None where no format claims the sample. */
function surest<F extends TraceFormat>(scored: readonly { format: F; score: number }[]): F[] {
  const best = Math.max(0, ...scored.map(({ score }) => score));
  if (best === 0) return [];
  return scored.filter(({ score }) => score > best - TIE).map(({ format }) => format);
}

export function textFormatsOf(sample: TextSample): TextFormat[] {
  return surest(textFormats.map((format) => ({ format, score: format.score(sample) })));
}

export function binaryFormatsOf(sample: BinarySample): BinaryFormat[] {
  return surest(binaryFormats.map((format) => ({ format, score: format.score(sample) })));
}
