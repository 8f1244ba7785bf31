/**
 * A pool's file as one host has it: lines of the device itself, moved by the processor's instructions, or a private image of lines that
 * ordinary memory plays.
 *
 * The file of an emulated device begins with a line of its own, by which every version knows what it is ((V1), (V4) of residents.ts);
 * what (E1) of emulated.ts says lies behind it.
 */
import { CacheLines, type Mapping, type PoolFile } from '../../../lib/linux/index.js';
import type { Machine } from '../../../lib/machine.js';
import { fingerprint, LINE_BYTES, struct } from '../../../lib/struct.js';
import { Words } from '../../../lib/words.js';
import { EMULATED_VERSIONS, MAGIC_HIGH, MAGIC_LOW } from '../../pool/index.js';
import { EmulatedLines } from '../emulated.js';
import { LAYOUT } from '../layout.js';
import type { Lines } from '../lines.js';
import { MappedLines } from '../mapped.js';

const Beginning = struct('EmulatedBeginning', [
  {
    writer: 'the formatter',
    fields: { magicLow: 'u32', magicHigh: 'u32', version: 'u32', fingerprint: 'u32', reserved: ['u32', 12] },
  },
]);
const at = Beginning.word;
const EMULATED_VERSION = EMULATED_VERSIONS + 1;
const PRINT = fingerprint([Beginning], { LAYOUT });

/** Bytes of a file that plays a device of so many. */
export function emulatedSize(byteLength: number): number {
  return LINE_BYTES + EmulatedLines.sizeOf(Math.floor(byteLength / LINE_BYTES));
}

export function emulatedBeginning(): Uint8Array {
  const bytes = new Uint8Array(Beginning.bytes);
  const words = new Words(bytes.buffer);
  words.write(at.magicLow, MAGIC_LOW);
  words.write(at.magicHigh, MAGIC_HIGH);
  words.write(at.version, EMULATED_VERSION);
  words.write(at.fingerprint, PRINT);
  return bytes;
}

/** The first words of a pool's file of whatever kind. */
export function beginningOf(file: PoolFile): {
  readonly isPool: boolean;
  readonly version: number;
  readonly isOurs: boolean;
} {
  const bytes = new Uint8Array(Beginning.bytes);
  bytes.set(file.readStart(Beginning.bytes));
  const words = new Words(bytes.buffer);
  const version = words.read(at.version);
  return {
    isPool: words.read(at.magicLow) === (MAGIC_LOW | 0) && words.read(at.magicHigh) === (MAGIC_HIGH | 0),
    version,
    isOurs: version === EMULATED_VERSION && words.read(at.fingerprint) === (PRINT | 0),
  };
}

export class HostDevice {
  readonly lines: Lines;
  readonly isEmulated: boolean;
  private readonly mappings: readonly Mapping[];
  private readonly shown: Uint8Array | undefined;

  private constructor(lines: Lines, mappings: readonly Mapping[], shown: Uint8Array | undefined) {
    this.lines = lines;
    this.isEmulated = shown === undefined;
    this.mappings = mappings;
    this.shown = shown;
  }

  /** The first bytes of the file, a whole number of lines. Throws UNSUPPORTED, NO_SPACE, SYSTEM_LIMIT. */
  static real(file: PoolFile, byteLength: number): HostDevice {
    const map = file.mapper(byteLength);
    const mapping = map(0, byteLength, true);
    try {
      const lines = new MappedLines(mapping.buffer, new CacheLines(mapping));
      // Another mapping of the same lines, through which nobody can store.
      const shown = map(0, byteLength, false);
      return new HostDevice(lines, [mapping, shown], new Uint8Array(shown.buffer));
    } catch (error) {
      mapping.unmapUnshared();
      throw error;
    }
  }

  static emulated(file: PoolFile, byteLength: number, machine: Machine): HostDevice {
    const mapping = file.mapper(byteLength)(0, byteLength, true);
    const chance = () => (machine.randomWord() >>> 0) / 2 ** 32;
    const words = new Words(mapping.buffer, LINE_BYTES, byteLength - LINE_BYTES);
    return new HostDevice(new EmulatedLines(words, { chance }), [mapping], undefined);
  }

  /** In place, to be read only, for as long as the page is pinned; undefined where there is no such place: bytes have to be copied. */
  bytesAt(line: number, byteLength: number): Uint8Array | undefined {
    return this.shown?.subarray(line * LINE_BYTES, line * LINE_BYTES + byteLength);
  }

  close(): void {
    for (const mapping of this.mappings) mapping.unmap();
  }
}
