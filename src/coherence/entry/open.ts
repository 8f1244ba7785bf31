/**
 * Opening: format, connect and destroy, for pools of either kind. What asks for memory that is not coherent is opened here, all else by
 * `src/pool`. The beginning of a file tells which kind of pool it is, and each refuses the other by name.
 *
 * (O1) *one process a host*: who attaches as a host has, for as long as it is, the lock of that row's byte, as a node of any pool has ((V2) of
 *      residents.ts): the kernel keeps a second process out, and drops the lock when the first dies.
 * (O2) a process of *another kernel* has no lock that is seen here. Its row tells: it has another boot id, and a heartbeat. Who finds such a row looks at
 *      it for FOREIGN_MS, and is refused where the heartbeat moves. That a host's number is given to one machine is configuration; this notices most mistakes.
 * (O3) who formats has the membership lock, and looks at all rows as (O2) does. It is host 0: no other ever stores to superblock and deaths.
 * (O4) a process of *this kernel* that has ended has lost that lock: where a row has this boot id and nobody its byte, it is gone (`Surroundings.isGone`), and
 *      host 0 declares it dead at its next beat. The lock is taken before the row is written and given back after the row says that its host has left.
 */
import { PoolError } from '../../../lib/errors.js';
import {
  Deadline,
  LinuxMachine,
  libc,
  OS_PAGE_BYTES,
  PoolFile,
  WINDOW_BYTES_MAX,
  yieldProcessor,
} from '../../../lib/linux/index.js';
import type { Machine } from '../../../lib/machine.js';
import { LINE_BYTES } from '../../../lib/struct.js';
import {
  type ConnectOptions,
  connect as connectCoherent,
  describeResidents,
  destroy as destroyCoherent,
  EMULATED_VERSIONS,
  type FormatOptions,
  format as formatCoherent,
  MEMBERSHIP_BYTE,
  markInterrupted,
  openLocked,
  type Pool,
  type PoolInfo,
  refuseIfAttached,
  SOFTWARE_VERSIONS,
  stateOf,
} from '../../pool/index.js';
import { Arbiter } from '../arbiter.js';
import { formatDevice, Joining, planIn, readPlan, readSuperblock } from '../joining.js';
import { ARBITER, LAYOUT, type Plan, type PoolId, VERSION } from '../layout.js';
import { JOINED, JOINING, Members, type Tenant } from '../members.js';
import { beginningOf, emulatedBeginning, emulatedSize, HostDevice } from './device.js';
import { asksForSoftware, type CheckedConnect, type CheckedFormat, checkConnect, checkFormat } from './options.js';
import { SoftwarePool } from './pool.js';
import { byteLengthOf, HOSTS_MAX, nameOfId, objectsAtMost, shapeOf } from './shape.js';

const TIMEOUT_MS = 10_000;
/** How long an operation waits for other hosts at most, before BUSY. */
const WAIT_MS = 500;
const LEASE_MS = 10_000;
/** A host that lives shows it within this time, or is taken for gone by who comes. */
const FOREIGN_MS = 5000;
const LOOK_MS = 100;

function bootWord(machine: Machine): number {
  return machine.bootId.reduce((sum, word) => Math.imul(sum, 31) ^ word, 1);
}

function tenantOf(machine: Machine): Tenant {
  const sinceSeconds = Math.floor(machine.nowMs() / 1000);
  return { boot: bootWord(machine), process: machine.processId, sinceSeconds };
}

/** Whether any of the hosts that are there under another kernel shows a sign of life, as (O2) has it. */
async function livesElsewhere(
  { device, plan, pool }: Found,
  hosts: readonly number[],
  machine: Machine,
): Promise<boolean> {
  const members = new Members(device.lines, plan, pool, -1);
  const boot = bootWord(machine);
  const startedMs = machine.elapsedMs();
  const before = members.readRows();
  const suspects = hosts.filter((host) => {
    const row = before[host];
    return row !== undefined && (row.state === JOINING || row.state === JOINED) && row.boot !== boot;
  });
  while (suspects.length > 0 && machine.elapsedMs() - startedMs < FOREIGN_MS) {
    await machine.sleep(LOOK_MS);
    const rows = members.readRows();
    if (suspects.some((host) => rows[host]?.heartbeat !== before[host]?.heartbeat)) return true;
  }
  return false;
}

const ALL_HOSTS = [...Array(HOSTS_MAX).keys()];

/** Bytes of the file or device that belong to the pool; at least a page. Of a device that tells no size, as its superblock has it. */
function mappedLength(file: PoolFile): number {
  const { byteLength } = file.device ?? { byteLength: file.stats().size };
  if (byteLength !== undefined) return Math.min(byteLength, WINDOW_BYTES_MAX);
  const device = HostDevice.real(file, OS_PAGE_BYTES);
  try {
    return planIn(readSuperblock(device.lines)).plan.lineCount * LINE_BYTES;
  } finally {
    device.close();
  }
}

function openDevice(file: PoolFile, isEmulated: boolean, machine: Machine): HostDevice {
  if (isEmulated) return HostDevice.emulated(file, file.stats().size, machine);
  return HostDevice.real(file, mappedLength(file));
}

interface Found {
  readonly device: HostDevice;
  readonly plan: Plan;
  readonly pool: PoolId;
}

/** Throws FORMAT_MISMATCH where the file is a pool of another kind, or none. */
function checkKind(file: PoolFile, isEmulated: boolean): void {
  const { path } = file;
  const { isPool, version, isOurs } = beginningOf(file);
  const refuse = (what: string) => new PoolError('FORMAT_MISMATCH', `${path} ${what}.`, { path });
  if (!isPool) throw refuse('does not begin like a pool');
  if (version < SOFTWARE_VERSIONS) throw refuse('is a pool for coherent memory: connect without coherence and emulate');
  const isPlayed = version >= EMULATED_VERSIONS;
  if (isPlayed && !isEmulated) throw refuse("is a pool on an emulated device: connect with emulate: 'noncoherent'");
  if (!isPlayed && isEmulated) throw refuse('is a pool of real lines, no emulated device: connect without emulate');
  if (isPlayed && !isOurs) throw refuse('is an emulated device of another version');
}

/** The pool in the file; undefined where there is none, or one whose format is not through. Throws FORMAT_MISMATCH, POOL_CORRUPT. */
function tryFind(file: PoolFile, isEmulated: boolean, machine: Machine): Found | undefined {
  const state = stateOf(file);
  if (state === 'blank' || state === 'interrupted') return undefined;
  checkKind(file, isEmulated);
  // Cut off before its lines were made.
  if (file.device === undefined && file.stats().size < OS_PAGE_BYTES) return undefined;
  const device = openDevice(file, isEmulated, machine);
  try {
    return { device, ...readPlan(device.lines) };
  } catch (error) {
    device.close();
    // What an emulated device holds of another pool its own beginning would tell.
    const isUnready = (details?: { isUnready?: boolean }) => isEmulated || details?.isUnready === true;
    if (error instanceof PoolError && isUnready(error.details)) return undefined;
    throw error;
  }
}

/** Throws IN_USE where a host of the pool that is there lives under another kernel. Returns whether there is a pool of real lines. */
async function refuseForeignHosts(file: PoolFile, machine = new LinuxMachine()): Promise<boolean> {
  const { isPool, version } = beginningOf(file);
  if (!isPool || version < SOFTWARE_VERSIONS || version >= EMULATED_VERSIONS) return false;
  const found = tryFind(file, false, machine);
  if (found === undefined) return true;
  try {
    if (!(await livesElsewhere(found, ALL_HOSTS, machine))) return true;
    throw new PoolError('IN_USE', `${file.path}: a host under another kernel is attached.`, { path: file.path });
  } finally {
    found.device.close();
  }
}

/** What `use` makes of the device at the path; undefined where there is no device: a file has nobody under another kernel. */
async function withDevice<T>(path: string, use: (device: PoolFile) => Promise<T> | T): Promise<T | undefined> {
  let file: PoolFile;
  try {
    file = PoolFile.open(path, { writable: true, trustUids: 'all' });
  } catch {
    // Whoever opens it next says what is wrong.
    return undefined;
  }
  try {
    return file.device === undefined ? undefined : await use(file);
  } finally {
    file.close();
  }
}

/** Makes the file a pool. The caller has the membership lock, and nobody is attached. Throws NO_SPACE, OPTION_INVALID. */
async function formatFile(
  file: PoolFile,
  options: CheckedFormat,
  isEmulated: boolean,
  machine: Machine,
): Promise<void> {
  const shape = shapeOf(options);
  const byteLength = byteLengthOf(shape);
  if (!file.isMappable(byteLength)) {
    const what = `size: ${options.size}, but the device ${file.path} has not as many bytes.`;
    throw new PoolError('OPTION_INVALID', what, { option: 'size', path: file.path });
  }
  const length = isEmulated ? emulatedSize(byteLength) : byteLength;
  if (file.device === undefined) {
    file.truncate(0);
    file.writeStart(isEmulated ? emulatedBeginning() : markInterrupted());
    file.setMode(options.mode);
    try {
      await file.reserve(length);
    } catch (error) {
      file.unlink();
      throw error;
    }
  }
  const device = isEmulated ? HostDevice.emulated(file, length, machine) : HostDevice.real(file, length);
  try {
    const id = { low: machine.randomWord(), high: machine.randomWord(), createdAtMs: machine.nowMs() };
    formatDevice(device.lines, shape, id);
  } finally {
    device.close();
  }
}

function infoOf(path: string, { plan, pool, device }: Found): PoolInfo {
  const { shape } = plan;
  return {
    path,
    poolId: nameOfId(pool),
    size: plan.lineCount * LINE_BYTES,
    pageSize: shape.pageSize ?? 0,
    maxObjects: objectsAtMost(shape),
    maxNodes: shape.hosts,
    coherence: 'software',
    ...(device.isEmulated ? { emulation: 'noncoherent' as const } : {}),
    eviction: 'none',
    layout: `${VERSION}-${(LAYOUT >>> 0).toString(16).padStart(8, '0')}`,
    createdAt: new Date(pool.createdAtMs ?? 0),
  };
}

/** Takes the row of the host; of one that was not named the lowest that is free (O1). Throws OPTION_INVALID, IN_USE, TOO_MANY_NODES. */
function takeRow(file: PoolFile, host: number | undefined, hosts: number): number {
  const { path } = file;
  if (host === undefined) {
    const free = ALL_HOSTS.slice(0, hosts).find((one) => file.tryLock(one));
    if (free !== undefined) return free;
    throw new PoolError('TOO_MANY_NODES', `${path}: each of its ${hosts} hosts is there.`, { path });
  }
  if (host >= hosts) {
    throw new PoolError('OPTION_INVALID', `host: ${host} is none of the pool's ${hosts}.`, { option: 'host' });
  }
  if (file.tryLock(host)) return host;
  const what = `${path}: host ${host} is there already, and one process is a host: ${describeResidents(file)}.`;
  throw new PoolError('IN_USE', what, { path, host });
}

/** The pool in the file, formatted first where that is this host's to do; undefined where host 0 is waited for. */
async function findOrFormat(file: PoolFile, options: CheckedConnect, machine: Machine): Promise<Found | undefined> {
  const { create, isEmulated, host = ARBITER } = options;
  const found = tryFind(file, isEmulated, machine);
  if (found !== undefined) return found;
  if (create === undefined) {
    const what = `${file.path}: nothing is there, or a format that is not through.`;
    throw new PoolError(stateOf(file) === 'blank' ? 'FORMAT_MISMATCH' : 'POOL_CORRUPT', what, { path: file.path });
  }
  if (host !== ARBITER) return undefined;
  await refuseIfAttached(file);
  await formatFile(file, create, isEmulated, machine);
  return tryFind(file, isEmulated, machine);
}

/** Attaches as a host. On an error the caller closes the file, and with it the row is free. */
async function attach(file: PoolFile, found: Found, options: CheckedConnect, machine: Machine): Promise<Pool> {
  const { device, plan } = found;
  try {
    const host = takeRow(file, options.host, plan.shape.hosts);
    if (await livesElsewhere(found, [host], machine)) {
      const what = `${file.path}: host ${host} is there already, under another kernel. Each has a number of its own.`;
      throw new PoolError('IN_USE', what, { path: file.path, host });
    }
    const boot = bootWord(machine);
    const surroundings = {
      elapsedMs: () => machine.elapsedMs(),
      nowMs: () => machine.nowMs(),
      pause: yieldProcessor,
      // (O4)
      isGone: (row: number, tenant: Tenant) => tenant.boot === boot && !file.isLockedByOther(row),
    };
    const waitMs = options.syncWaitMs ?? WAIT_MS;
    const node = new Joining(device.lines, surroundings, { host, waitMs, tenant: tenantOf(machine) }).join();
    const leaseMs = options.leaseMs ?? LEASE_MS;
    const arbiter = host === ARBITER ? new Arbiter(node, { leaseMs }) : undefined;
    const info = infoOf(file.path, found);
    return new SoftwarePool({ file, device, host: node, arbiter, machine, info, waitMs });
  } catch (error) {
    device.close();
    throw error;
  }
}

async function connectSoftware(path: string, options: ConnectOptions): Promise<Pool> {
  libc();
  const checked = checkConnect(options);
  const { create, trustUids } = checked;
  const machine = new LinuxMachine();
  const deadline = new Deadline(`Opening ${path}`, checked.timeoutMs ?? TIMEOUT_MS, checked.signal);
  for (;;) {
    const opening = create === undefined ? { trustUids } : { trustUids, createMode: create.mode };
    const file = await openLocked(path, opening, deadline);
    try {
      const found = await findOrFormat(file, checked, machine);
      if (found !== undefined) {
        const pool = await attach(file, found, checked, machine);
        file.unlock(MEMBERSHIP_BYTE);
        return pool;
      }
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    await deadline.wait();
  }
}

/**
 * Attaches to a pool as a new node; with `create`, formats it first where there is none. With coherence 'software' or `emulate` as a host of a pool
 * for memory that is not coherent.
 */
export async function connect(path: string, options: ConnectOptions = {}): Promise<Pool> {
  if (asksForSoftware(options)) return connectSoftware(path, options);
  if (options?.replace !== undefined) await withDevice(path, (device) => refuseForeignHosts(device));
  return connectCoherent(path, options);
}

async function formatSoftware(path: string, options: FormatOptions): Promise<PoolInfo> {
  libc();
  const checked = checkFormat(options);
  shapeOf(checked);
  const machine = new LinuxMachine();
  const deadline = new Deadline(`Formatting ${path}`, TIMEOUT_MS, undefined);
  for (;;) {
    const file = await openLocked(path, { createMode: checked.mode, trustUids: [] }, deadline);
    try {
      const state = stateOf(file);
      const isThere = state !== 'blank' && state !== 'interrupted';
      if (isThere && !checked.force)
        throw new PoolError('POOL_EXISTS', `${path} is a pool or a file already.`, { path });
      await refuseIfAttached(file);
      await refuseForeignHosts(file, machine);
      if (isThere && file.device === undefined) {
        file.unlink();
        continue;
      }
      await formatFile(file, checked, false, machine);
      const found = tryFind(file, false, machine);
      if (found === undefined)
        throw new PoolError('POOL_CORRUPT', `${path}: what was formatted is not there.`, { path });
      found.device.close();
      return infoOf(path, found);
    } finally {
      file.close();
    }
  }
}

/** Makes a pool file. Throws POOL_EXISTS (unless force), IN_USE, NO_SPACE, OPTION_INVALID, ACCESS_DENIED, UNSUPPORTED. */
export async function format(path: string, options: FormatOptions): Promise<PoolInfo> {
  if (asksForSoftware(options)) return formatSoftware(path, options);
  if (options?.force === true) await withDevice(path, (device) => refuseForeignHosts(device));
  return formatCoherent(path, options);
}

/** What a device began with was zeroed in this host's cache: it leaves that for others to see it. */
function writeBackBeginning(file: PoolFile): void {
  const device = HostDevice.real(file, OS_PAGE_BYTES);
  device.lines.writeback(0, OS_PAGE_BYTES / LINE_BYTES);
  device.lines.order();
  device.close();
}

/** Removes a pool file of either kind. `trustUids` as of connect. Throws POOL_NOT_FOUND, FORMAT_MISMATCH, and IN_USE while a live node is attached. */
export async function destroy(
  path: string,
  options: { force?: boolean; trustUids?: readonly number[] } = {},
): Promise<void> {
  const isSoftware =
    options.force !== true && (await withDevice(path, (device) => refuseForeignHosts(device))) === true;
  await destroyCoherent(path, options);
  if (isSoftware) await withDevice(path, writeBackBeginning);
}
