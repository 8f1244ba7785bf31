/** What one attached host is made of. */
import type { PoolFile } from '../../../lib/linux/index.js';
import type { Machine } from '../../../lib/machine.js';
import type { PoolInfo } from '../../pool/index.js';
import type { Arbiter } from '../arbiter.js';
import type { CoherenceHost } from '../host.js';
import type { HostDevice } from './device.js';

export interface SoftwarePoolParts {
  /** Has the lock of the row, and no mapping. */
  readonly file: PoolFile;
  readonly device: HostDevice;
  readonly host: CoherenceHost;
  /** Of host 0. */
  readonly arbiter: Arbiter | undefined;
  readonly machine: Machine;
  readonly info: PoolInfo;
  /** How long a call waits for other hosts. */
  readonly waitMs: number;
}
