/** How a device is divided, by its size. */
import { PoolError } from '../../../lib/errors.js';
import { LINE_BYTES } from '../../../lib/struct.js';
import { HOSTS_MAX, linesOf, PINS_PER_LINE, Plan, type PoolId, RECORD_LINES, type Shape } from '../layout.js';

/** Objects that a host may have pinned at a time: whoever frees room reads the pins of all. */
const PINS_MAX = 4096;
/** Of a log, beyond what its objects take: for what goes on at the same time. */
const RECORDS_MORE = 64;

export interface SizedOptions {
  /** In bytes, of the whole device. */
  readonly size: number;
  readonly pageSize: number;
  /** Of all hosts. By default enough for objects of half of pageSize. */
  readonly maxObjects?: number | undefined;
  readonly hosts: number;
}

function divide(linesPerHost: number, objects: number, hosts: number) {
  const logRecords = 2 * objects + RECORDS_MORE;
  const pinLines = Math.ceil(Math.min(objects * hosts, PINS_MAX) / PINS_PER_LINE);
  return { logRecords, pinLines, dataLines: linesPerHost - 1 - pinLines - RECORD_LINES * logRecords };
}

/** Throws OPTION_INVALID where there is no room for a page of each host. */
export function shapeOf({ size, pageSize, maxObjects, hosts }: SizedOptions): Shape {
  const linesPerHost = Math.floor((Math.floor(size / LINE_BYTES) - 2) / hosts);
  const usual = Math.floor(linesPerHost / (linesOf(pageSize / 2) + 2 * RECORD_LINES));
  const objects = Math.max(1, maxObjects === undefined ? usual : Math.ceil(maxObjects / hosts));
  const shape = { hosts, pageSize, ...divide(linesPerHost, objects, hosts) };
  if (shape.dataLines >= linesOf(pageSize)) return shape;
  throw new PoolError(
    'OPTION_INVALID',
    `size: ${size} bytes have no room for a page of ${pageSize} bytes on each of ${hosts} hosts.`,
    {
      option: 'size',
    },
  );
}

/** Objects that all hosts together have room to tell of. */
export function objectsAtMost({ hosts, logRecords }: Shape): number {
  return hosts * Math.floor((logRecords * 3) / 4 - 5);
}

export function byteLengthOf(shape: Shape): number {
  return new Plan(shape).lineCount * LINE_BYTES;
}

export function nameOfId({ low, high }: PoolId): string {
  return [high, low].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

export { HOSTS_MAX };
