/**
 * Memory devices: `/dev/daxX.Y`, resource files of PCI devices (ivshmem's `resource2`), and other character devices that can be
 * mapped. They have no file system behind them: what they hold at first is garbage, and nothing is reserved, truncated, written
 * back or removed. `read` and `write` are refused by most, so their first bytes too are had by mapping.
 *
 * A device is mapped whole, from offset 0, in multiples of its alignment, and windows are cut out of that: device_dax
 * refuses any other offset and length, and also to split a mapping of it within its alignment.
 */
import { readFileSync, type Stats, statfsSync } from 'node:fs';
import { OS_PAGE_BYTES } from './mapping.js';

const SYSFS = 0x62656572;

export interface Device {
  /** In bytes; undefined where neither the file nor sysfs tells. */
  readonly byteLength: number | undefined;
  /** Of offset and length of a mapping, in bytes. */
  readonly alignment: number;
}

/** The number in a file of sysfs, decimal or 0x; undefined where there is none. */
function numberIn(path: string): number | undefined {
  try {
    const value = Number(readFileSync(path, 'utf8').trim());
    return Number.isSafeInteger(value) && value > 0 ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The major and minor number of a device file, as the C library's `major` and `minor` take them apart. */
export function numbersOf(rdev: number): readonly [major: number, minor: number] {
  const high = Math.floor(rdev / 2 ** 32);
  const low = rdev >>> 0;
  return [((low >>> 8) & 0xfff) + (high & ~0xfff), (low & 0xff) + ((low >>> 20) << 8)];
}

/** What the open file is, if it is a memory device. `sysfs` is where that is mounted. */
export function deviceOf(descriptor: number, stats: Stats, sysfs = '/sys'): Device | undefined {
  if (stats.isCharacterDevice()) {
    const folder = `${sysfs}/dev/char/${numbersOf(stats.rdev).join(':')}`;
    return { byteLength: numberIn(`${folder}/size`), alignment: numberIn(`${folder}/align`) ?? OS_PAGE_BYTES };
  }
  if (!stats.isFile() || statfsSync(`/proc/self/fd/${descriptor}`).type !== SYSFS) return undefined;
  return { byteLength: stats.size, alignment: OS_PAGE_BYTES };
}
