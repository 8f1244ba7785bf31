/**
 * Opening: format, connect (attach, else format), destroy. Whoever formats, joins or destroys holds the file's
 * membership lock, so of racing openers exactly one formats, and nobody joins a pool that is going away.
 */

import { msBetween } from '../../lib/clock.js';
import { PoolError } from '../../lib/errors.js';
import {
  Deadline,
  FifoDoorbells,
  LinuxMachine,
  libc,
  PoolFile,
  RobustLiveness,
  removeBells,
  shortageAtPrefault,
  wantedCopies,
} from '../../lib/linux/index.js';
import { Pace, type Steps } from '../../lib/steps.js';
import { attachInSteps, partsFor } from './attach.js';
import { identityIn, refuseIfAttached, refuseStrangers, viewOnly } from './attached.js';
import { checkPlan, formatFile, warnOfShortage } from './formatter.js';
import {
  type CheckedConnect,
  type CheckedFormat,
  type ConnectOptions,
  checkConnect,
  checkFormat,
  checkPath,
  emptySuperblock,
  type FormatOptions,
  geometryOfIdentity,
  infoOf,
  lockCount,
  MEMBERSHIP_BYTE,
  mapInSteps,
  type Pool,
  type PoolInfo,
  readIdentity,
  type Segment,
  stateOf,
} from './layout/index.js';
import { isToBeReplaced } from './mismatch.js';
import { Nodes } from './nodes/index.js';
import { AttachedPool } from './pool.js';
import { ReadOnlyPool } from './readonly.js';
import { isWhole, markWhole, Restore, rehearse } from './recovery/index.js';
import { type Attached, NodeSession } from './session/index.js';

const TIMEOUT_MS = 10_000;
const NEAR_ENTRIES_MAX = 1_048_576;
const NAME_CHARACTERS_MAX = 47;
/** Of the pool's bytes, that one node may pin: one that forgets its releases leaves the rest to the others. */
const PIN_SHARE = 0.5;
/** A restore lets the event loop turn so often. */
const RESTORE_TURN_MS = 8;

/**
 * What follows is no part of the caller's run. Cut there (see calls.ts), whoever opens a pool would leave a file that nobody
 * closes, and with it the membership lock, for which all others wait.
 */
async function ownRun(): Promise<void> {}

/** The file with its membership lock held, and still the one the path leads to. */
export async function openLocked(
  path: string,
  options: { createMode?: number; trustUids: readonly number[] },
  deadline: Deadline,
): Promise<PoolFile> {
  checkPath(path);
  await ownRun();
  for (;;) {
    const file = PoolFile.open(path, { writable: true, ...options });
    if (file.tryLock(MEMBERSHIP_BYTE) && file.isCurrent()) return file;
    file.close();
    await deadline.wait();
  }
}

/**
 * The file, opened for reading, once something is in it that is no pool in the making. Throws POOL_NOT_FOUND, ACCESS_DENIED,
 * FORMAT_MISMATCH for an empty file, POOL_CORRUPT for an interrupted format, TIMEOUT, ABORTED.
 */
export async function openFormatted(path: string, trustUids: readonly number[], deadline: Deadline): Promise<PoolFile> {
  checkPath(path);
  await ownRun();
  let abandoned = 0;
  for (;;) {
    const file = PoolFile.open(path, { writable: false, trustUids });
    try {
      const state = stateOf(file);
      if (THERE[state] !== undefined) return file;
      // Twice: whoever formats may just have made the file, or finished since.
      if (!file.isLockedByOther(MEMBERSHIP_BYTE) && ++abandoned > 1) throw unformatted(path, state);
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    await deadline.wait();
  }
}

/** What to throw where no pool is, and nobody is making one. */
function unformatted(path: string, state: ReturnType<typeof stateOf>): PoolError {
  return state === 'blank'
    ? new PoolError('FORMAT_MISMATCH', `${path} is empty.`, { path })
    : new PoolError('POOL_CORRUPT', `${path}: its format was interrupted.`, { path });
}

/** What there is to lose. */
const THERE: { readonly [state in ReturnType<typeof stateOf>]?: string } = {
  ready: 'is a pool already',
  other: 'is a pool of another layout',
  foreign: 'is a file of another kind',
};

/** Removes the file, in which nobody lives, with its bells; false for a device, which stays. */
function takeAway(file: PoolFile): boolean {
  if (file.device !== undefined) return false;
  file.unlink();
  removeBells(file.path);
  return true;
}

/** Makes a pool file. Throws POOL_EXISTS (unless force), IN_USE, NO_SPACE, OPTION_INVALID, ACCESS_DENIED. */
export async function format(path: string, options: FormatOptions): Promise<PoolInfo> {
  libc();
  const checked = checkFormat(options);
  checkPlan(checked);
  const deadline = new Deadline(`Formatting ${path}`, TIMEOUT_MS, undefined);
  for (;;) {
    const file = await openLocked(path, { createMode: checked.mode, trustUids: [] }, deadline);
    try {
      const state = stateOf(file);
      const what = THERE[state];
      if (what !== undefined && !checked.force) throw new PoolError('POOL_EXISTS', `${path} ${what}.`, { path });
      await refuseIfAttached(file);
      if (what !== undefined && takeAway(file)) continue;
      await formatFile(file, checked, new Pace(new LinuxMachine()));
      return infoOf(path, readIdentity(file));
    } finally {
      file.close();
    }
  }
}

/** Removes a pool file. `trustUids` as of connect. Throws POOL_NOT_FOUND, FORMAT_MISMATCH, and IN_USE while a live node is attached. */
export async function destroy(
  path: string,
  options: { force?: boolean; trustUids?: readonly number[] } = {},
): Promise<void> {
  libc();
  const deadline = new Deadline(`Destroying ${path}`, TIMEOUT_MS, undefined);
  const file = await openLocked(path, { trustUids: options.trustUids ?? [] }, deadline);
  try {
    if (stateOf(file) === 'foreign') throw new PoolError('FORMAT_MISMATCH', `${path} is no pool.`, { path });
    if (options.force !== true) await refuseIfAttached(file);
    // A device stays, and is as if nothing had been there.
    if (!takeAway(file)) file.writeStart(emptySuperblock());
  } finally {
    file.close();
  }
}

/** Whether what is there is to be replaced, by the options. */
function isUnwanted(file: PoolFile, state: ReturnType<typeof stateOf>, options: CheckedConnect): boolean {
  if (state === 'other') return options.replace === 'mismatch';
  const identity = state === 'ready' ? identityIn(file) : undefined;
  return identity !== undefined && isToBeReplaced(file.path, identity, options);
}

/** The pool's file with a pool in it and the membership lock held. */
async function openPool(path: string, options: CheckedConnect, deadline: Deadline, pace: Pace): Promise<PoolFile> {
  const { create } = options;
  const trustUids = options.trustUids ?? [];
  const opening = create === undefined ? { trustUids } : { trustUids, createMode: create.mode };
  const file = await openLocked(path, opening, deadline);
  try {
    const state = stateOf(file);
    const isThere = THERE[state] !== undefined;
    if (isThere && !isUnwanted(file, state, options)) return file;
    if (create === undefined) throw unformatted(path, state);
    await refuseIfAttached(file);
    if (isThere && takeAway(file)) {
      file.close();
      return openPool(path, options, deadline, pace);
    }
    await formatFile(file, create, pace);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

async function connectReadOnly(path: string, options: CheckedConnect, deadline: Deadline): Promise<Pool> {
  const file = await openFormatted(path, options.trustUids ?? [], deadline);
  try {
    const identity = readIdentity(file);
    const { segment, nodes, machine } = viewOnly(file, identity);
    return new ReadOnlyPool({
      segment,
      nodes,
      machine,
      seed: identity.seed,
      info: infoOf(path, identity),
      name: nameOf(options, machine),
    });
  } catch (error) {
    file.close();
    throw error;
  }
}

function nameOf(options: CheckedConnect, machine: LinuxMachine): string {
  return (options.name ?? `${machine.hostName}:${machine.processId}`).slice(0, NAME_CHARACTERS_MAX);
}

/** The first of a process loads and compiles much of what it uses. */
function* prepare(options: ConnectOptions): Steps<CheckedConnect> {
  libc();
  yield;
  const checked = checkConnect(options);
  yield;
  if (checked.create !== undefined) checkPlan(checked.create as CheckedFormat);
  yield;
  return checked;
}

/** Attaches to a pool as a new node; with `create`, formats it first where there is none. */
export async function connect(path: string, options: ConnectOptions = {}): Promise<Pool> {
  const pace = new Pace(new LinuxMachine());
  const checked = await pace.run(prepare(options));
  const deadline = new Deadline(`Opening ${path}`, checked.timeoutMs ?? TIMEOUT_MS, checked.signal);
  if (checked.signal?.aborted === true) {
    throw new PoolError('ABORTED', `Opening ${path} was aborted.`, undefined, checked.signal.reason);
  }
  if (checked.readOnly === true) return connectReadOnly(path, checked, deadline);
  const file = await openPool(path, checked, deadline, pace);
  let session: NodeSession | undefined;
  try {
    session = await join(file, checked, pace);
    session.onMoved = typeof checked.onMoved === 'function' ? checked.onMoved : undefined;
    file.unlock(MEMBERSHIP_BYTE);
    await prefault(session.parts.segment, checked);
    const pool = new AttachedPool(session, infoOf(path, readIdentity(file)));
    // Nobody waits for it, and what fails there was practice.
    void pace.run(rehearse(session)).catch(() => {});
    return pool;
  } catch (error) {
    try {
      session?.close();
    } finally {
      file.close();
    }
    throw error;
  }
}

async function join(file: PoolFile, options: CheckedConnect, pace: Pace): Promise<NodeSession> {
  const identity = readIdentity(file);
  const geometry = geometryOfIdentity(file, identity);
  const segment = await pace.run(mapInSteps(file, geometry, true));
  const { address } = segment.metadata;
  const machine = new LinuxMachine(address);
  const liveness = new RobustLiveness(segment.words, file, address, geometry.regions.nodeMarks.word);
  const copies = wantedCopies();
  // A remembered copy would be handed out again, with whatever its last holder wrote into it.
  const nearEntries = copies !== 'none' ? 0 : (options.nearEntries ?? Math.min(geometry.maxObjects, NEAR_ENTRIES_MAX));
  const { syncWaitMs, maxPinShare = PIN_SHARE } = options;
  const how = { nearEntries, copies, maxPinShare, syncWaitMs };
  const nodes = new Nodes(segment.words, geometry, machine, liveness);
  const attaching = { name: nameOf(options, machine), ...how, ...doorbellsOf(file), strangers: nodes.strangers };
  const attachNode = () => pace.run(attachInSteps(segment, machine, liveness, attaching));
  try {
    await refuseStrangers(file.path, nodes, machine, options.signal);
    // With a node alive the kernel has every store: what looks like a copy is the file by another way.
    const isSound = isWhole(segment, machine) || nodes.list(true).some(({ state }) => state === 'alive');
    const attached = await (isSound ? attachNode() : restore({ segment, machine, nodes }, options, attachNode));
    return new NodeSession(file.path, identity.seed, attached, infoOf(file.path, identity).poolId);
  } catch (error) {
    segment.unmap();
    throw error;
  }
}

/** Makes the pool sound after a restart of the machine, and attaches to it. The caller holds the membership lock. */
async function restore(
  found: { segment: Segment; machine: LinuxMachine; nodes: Nodes },
  options: CheckedConnect,
  attachNode: () => Promise<Attached>,
): Promise<Attached> {
  const { segment, machine, nodes } = found;
  let pausedMs = machine.elapsedMs();
  const breathe = async () => {
    if (msBetween(pausedMs, machine.elapsedMs()) < RESTORE_TURN_MS) return;
    await machine.sleep(0);
    pausedMs = machine.elapsedMs();
    if (options.signal?.aborted !== true) return;
    throw new PoolError('ABORTED', `Restoring ${segment.file.path} was aborted.`, undefined, options.signal.reason);
  };
  await new Restore(
    partsFor(segment, machine, nodes, () => {}),
    breathe,
  ).run();
  // No process of before the restart hears them.
  removeBells(segment.file.path);
  const attached = await attachNode();
  try {
    for (let lock = 0; lock < lockCount(segment.geometry); lock++) {
      attached.parts.locks.recover(lock);
      await breathe();
    }
  } catch (error) {
    attached.parts.nodes.letGo();
    throw error;
  }
  markWhole(segment, machine);
  return attached;
}

/** Bells hang beside the file; beside a memory device there is no place for them. */
function doorbellsOf(file: PoolFile): { doorbells?: FifoDoorbells } {
  if (file.device !== undefined) return {};
  const stats = file.stats();
  return { doorbells: new FifoDoorbells(file.path, { mode: stats.mode, group: stats.gid, owner: stats.uid }) };
}

async function prefault(segment: Segment, options: CheckedConnect): Promise<void> {
  if ((options.prefault ?? 'none') !== 'none' && !segment.survivesRestart)
    warnOfShortage(shortageAtPrefault(segment.file.path, segment.geometry.size));
  if (options.prefault === 'sync') segment.prefault();
  if (options.prefault === 'background') void segment.prefaultInBackground();
}
