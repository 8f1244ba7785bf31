/**
 * The superblock: what kind of pool this file is. Written by the formatter only.
 *
 * (K1) magic is written first with ready = 0, everything else after it, ready last: an interrupted format is told from a
 *      pool, and from a file that is none.
 * (K2) nothing in it is believed before magic, layout fingerprint, its own check and the file's size agree.
 */
import { PoolError } from '../../../lib/errors.js';
import { checkOfWords } from '../../../lib/hash.js';
import type { PoolFile } from '../../../lib/linux/index.js';
import { Words } from '../../../lib/words.js';
import { type Geometry, geometryOf, type Plan } from './geometry.js';
import { LAYOUT_FINGERPRINT, LAYOUT_VERSION, MAGIC_HIGH, MAGIC_LOW, Superblock } from './layout.js';
import { EVICTIONS, isPlan } from './options.js';
import { describeResidents, EMULATED_VERSIONS, SOFTWARE_VERSIONS } from './residents.js';
import type { PoolInfo } from './types.js';
import { readUnsigned64, writeUnsigned64 } from './wide.js';

const at = Superblock.word;
const READY = 0x79646572;
const HARDWARE = 1;

/** 'other': a pool of another layout; 'foreign': no pool. */
export type SuperblockState = 'blank' | 'interrupted' | 'ready' | 'other' | 'foreign';

function wordsOf(file: PoolFile): Words {
  const bytes = new Uint8Array(Superblock.bytes);
  bytes.set(file.readStart(Superblock.bytes));
  return new Words(bytes.buffer);
}

function nameOf(version: number, print: number): string {
  return `${version >>> 0}-${(print >>> 0).toString(16).padStart(8, '0')}`;
}

function layoutName(words: Words): string {
  return nameOf(words.read(at.version), words.read(at.fingerprint));
}

/**
 * The layout of this version's pools, as in `info.layout`, such as '2-1a2b3c4d': versions that have the same one share pools, all
 * others refuse them. In the name of a pool's file it keeps releases apart.
 */
export const LAYOUT: string = nameOf(LAYOUT_VERSION, LAYOUT_FINGERPRINT);

/** What the file looks like, without believing it. */
export function stateOf(file: PoolFile): SuperblockState {
  if (file.device === undefined && file.stats().size === 0) return 'blank';
  const words = wordsOf(file);
  if (file.device !== undefined && isZero(words)) return 'blank';
  if (words.read(at.magicLow) !== (MAGIC_LOW | 0) || words.read(at.magicHigh) !== (MAGIC_HIGH | 0)) return 'foreign';
  // Of another layout nothing is known but (V1).
  if (words.read(at.version) === 0) return 'interrupted';
  if (!isOurs(words)) return 'other';
  return words.read(at.ready) === 0 ? 'interrupted' : 'ready';
}

/** As a device is that holds nothing, or from which a pool was taken away. */
function isZero(words: Words): boolean {
  for (let word = 0; word < Superblock.words; word++) if (words.read(word) !== 0) return false;
  return true;
}

function isOurs(words: Words): boolean {
  return words.read(at.version) === LAYOUT_VERSION && words.read(at.fingerprint) === (LAYOUT_FINGERPRINT | 0);
}

/** What a pool of another kind is, by its version. */
function kindOf(version: number): string | undefined {
  if (version >= EMULATED_VERSIONS) return "a pool on an emulated device: connect with emulate: 'noncoherent'";
  if (version >= SOFTWARE_VERSIONS) return "a pool for memory that is not coherent: connect with coherence: 'software'";
  return undefined;
}

function checkOf(words: Words): number {
  return checkOfWords(words, 0, at.check, MAGIC_LOW);
}

export interface Identity {
  readonly plan: Plan;
  readonly seed: number;
  readonly poolId: readonly number[];
  readonly createdAtMs: number;
}

/** The bytes of a superblock, as yet without its ready word. */
export function superblockOf(identity: Identity): Uint8Array {
  const bytes = new Uint8Array(Superblock.bytes);
  const words = new Words(bytes.buffer);
  const { plan } = identity;
  words.write(at.magicLow, MAGIC_LOW);
  words.write(at.magicHigh, MAGIC_HIGH);
  words.write(at.version, LAYOUT_VERSION);
  words.write(at.fingerprint, LAYOUT_FINGERPRINT);
  identity.poolId.forEach((word, i) => {
    words.write(at.poolId + i, word);
  });
  writeUnsigned64(words, at.size, plan.size);
  writeUnsigned64(words, at.createdAt, identity.createdAtMs);
  words.write(at.pageSize, plan.pageSize);
  words.write(at.maxObjects, plan.maxObjects);
  words.write(at.maxNodes, plan.maxNodes);
  words.write(at.eviction, EVICTIONS.indexOf(plan.eviction) + 1);
  words.write(at.seed, identity.seed);
  words.write(at.coherence, HARDWARE);
  words.write(at.check, checkOf(words));
  return bytes;
}

/** What a file begins with while it is being formatted. */
export function markInterrupted(): Uint8Array {
  const bytes = new Uint8Array(Superblock.bytes);
  const words = new Words(bytes.buffer);
  words.write(at.magicLow, MAGIC_LOW);
  words.write(at.magicHigh, MAGIC_HIGH);
  return bytes;
}

/** What a device begins with from which a pool was taken away. */
export function emptySuperblock(): Uint8Array {
  return new Uint8Array(Superblock.bytes);
}

/** Stores the ready word, last of all. */
export function makeReady(words: Words): void {
  words.store(at.ready, READY);
}

/** Reads a superblock that is ready. Throws FORMAT_MISMATCH, POOL_CORRUPT. */
export function readIdentity(file: PoolFile): Identity {
  const words = wordsOf(file);
  const { path } = file;
  const corrupt = (why: string) => new PoolError('POOL_CORRUPT', `${path}: ${why}.`, { path });
  if (stateOf(file) === 'foreign')
    throw new PoolError('FORMAT_MISMATCH', `${path} does not begin like a pool.`, { path });
  if (!isOurs(words)) {
    const layout = layoutName(words);
    const kind = kindOf(words.read(at.version));
    if (kind !== undefined) throw new PoolError('FORMAT_MISMATCH', `${path} is ${kind}.`, { path, layout });
    const what = `${path} is a pool of layout ${layout}, not ${LAYOUT}; ${describeResidents(file)}.`;
    throw new PoolError('FORMAT_MISMATCH', what, { path, layout });
  }
  if (words.read(at.check) !== checkOf(words) || words.read(at.ready) !== READY)
    throw corrupt('its superblock is damaged');
  const eviction = EVICTIONS[words.read(at.eviction) - 1];
  if (eviction === undefined || words.read(at.coherence) !== HARDWARE)
    throw corrupt('its superblock names no known mode');
  const plan: Plan = {
    size: readUnsigned64(words, at.size),
    pageSize: words.read(at.pageSize),
    maxObjects: words.read(at.maxObjects),
    maxNodes: words.read(at.maxNodes),
    eviction,
  };
  if (!isPlan(plan)) throw corrupt('its superblock describes no possible pool');
  const byteLength = file.device === undefined ? file.stats().size : file.device.byteLength;
  if (byteLength !== undefined && byteLength < plan.size)
    throw corrupt(`it is cut off at ${byteLength} of ${plan.size} bytes`);
  const poolId = [0, 1, 2, 3].map((i) => words.read(at.poolId + i));
  return { plan, seed: words.read(at.seed), poolId, createdAtMs: readUnsigned64(words, at.createdAt) };
}

/** The geometry a ready superblock means. Throws POOL_CORRUPT. */
export function geometryOfIdentity(file: PoolFile, identity: Identity): Geometry {
  try {
    return geometryOf(identity.plan);
  } catch (cause) {
    throw new PoolError('POOL_CORRUPT', `${file.path}: its superblock describes no possible pool.`, undefined, cause);
  }
}

export function infoOf(path: string, identity: Identity): PoolInfo {
  const { plan } = identity;
  return {
    path,
    poolId: identity.poolId.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join(''),
    size: plan.size,
    pageSize: plan.pageSize,
    maxObjects: plan.maxObjects,
    maxNodes: plan.maxNodes,
    coherence: 'hardware',
    eviction: plan.eviction,
    layout: LAYOUT,
    createdAt: new Date(identity.createdAtMs),
  };
}
