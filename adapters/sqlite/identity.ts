/**
 * Which database a file is, and which state of it: by its header, its inode and its times, never by its name.
 *
 * (D1) an epoch is one unbroken history of one file: a number, at which its page numbers in the pool begin. A file that was
 *      changed by anybody but the writer of its epoch has another.
 * (D2) what a file that nobody writes is at is derived from it, so that all who open it come to the same epoch. A state that was
 *      written within the last ticks of the file system's clock may be followed by another of the same times: it is waited for.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { PoolError } from '../../lib/errors.js';
import { yieldProcessor } from '../../lib/linux/index.js';
import type { FileStatus, Files } from './files.js';

const MAGIC = 'SQLite format 3\u0000';
export const HEADER_SIZE = 100;
/** Of a -wal: beyond its own header it has frames. */
const WAL_HEADER_SIZE = 32;
/** More than a tick of any kernel's clock for file times. */
const SETTLED_MS = 25;

export interface Header {
  /** Bytes of a page. */
  readonly pageSize: number;
  readonly isWal: boolean;
  /** Of its text. The engine is built without it, and would take the bytes for UTF-8. */
  readonly isUtf16: boolean;
}

/** Undefined for what is no database. */
export function parseHeader(bytes: Uint8Array): Header | undefined {
  if (bytes.length < HEADER_SIZE || Buffer.from(bytes.subarray(0, 16)).toString('latin1') !== MAGIC) return undefined;
  const stored = ((bytes[16] as number) << 8) | (bytes[17] as number);
  const pageSize = stored === 1 ? 65_536 : stored;
  if (pageSize < 512 || (pageSize & (pageSize - 1)) !== 0) return undefined;
  const isUtf16 = bytes[59] === 2 || bytes[59] === 3;
  return { pageSize, isWal: bytes[18] === 2 || bytes[19] === 2, isUtf16 };
}

/**
 * The first page of the file, empty for an empty file, and its header. Throws OPTION_INVALID for what is no database, UNSUPPORTED
 * for one in UTF-16.
 */
export function readFirstPage(files: Files, descriptor: number, path: string): { page1: Uint8Array; header?: Header } {
  const start = new Uint8Array(65_536);
  const count = files.read(descriptor, start, 0);
  if (count === 0) return { page1: new Uint8Array(0) };
  const header = parseHeader(start.subarray(0, count));
  if (header === undefined || count < header.pageSize) {
    throw new PoolError('OPTION_INVALID', `file: ${path} is no SQLite database.`, { file: path });
  }
  if (header.isUtf16) {
    throw new PoolError('UNSUPPORTED', `${path} has its text in UTF-16, which the engine cannot read.`, { file: path });
  }
  return { page1: start.slice(0, header.pageSize), header };
}

/** Of a journal's header: past its magic and its count of pages, a number by chance and the file's size before. */
const JOURNAL_HEADER_SIZE = 28;
const JOURNAL_NONCE_OFFSET = 12;
/** At its start, and at the end of one that names a super-journal. */
const JOURNAL_MAGIC = Buffer.from('d9d505f920a163d7', 'hex');

/**
 * Of the transaction that the journal takes back; undefined where it takes nothing back: SQLite removes, truncates or zeroes
 * one that is over. It stays the same while the journal grows, and while somebody plays it back.
 */
export function identityOfJournal(files: Files, journal: string): string | undefined {
  const status = files.statusOf(journal);
  if (status === undefined || status.size === 0) return undefined;
  const header = new Uint8Array(JOURNAL_HEADER_SIZE);
  const descriptor = files.open(journal, { writable: false, create: false });
  try {
    files.read(descriptor, header, 0);
  } finally {
    files.close(descriptor);
  }
  if (header[0] === 0) return undefined;
  return `${status.inode}.${Buffer.from(header.subarray(JOURNAL_NONCE_OFFSET)).toString('hex')}`;
}

/** Throws UNSUPPORTED where a -wal has rows that the file has not. */
export function refuseWal(files: Files, path: string): void {
  const wal = `${path}-wal`;
  if ((files.statusOf(wal)?.size ?? 0) > WAL_HEADER_SIZE) refuseLeftover(path, wal, 'rows that were committed');
}

/** Throws UNSUPPORTED where a journal has what the file has not, or takes back what it has. */
export function refuseHotJournal(files: Files, path: string): void {
  const journal = `${path}-journal`;
  if (identityOfJournal(files, journal) !== undefined)
    refuseLeftover(path, journal, 'a transaction that was not finished');
}

/**
 * Throws UNSUPPORTED where the journal is of a transaction over several databases: whether it was committed says another file,
 * which nobody finds here.
 */
export function refuseSuperJournal(files: Files, path: string): void {
  const journal = `${path}-journal`;
  if (identityOfJournal(files, journal) === undefined) return;
  const descriptor = files.open(journal, { writable: false, create: false });
  const end = new Uint8Array(JOURNAL_MAGIC.length);
  try {
    files.read(descriptor, end, Math.max(0, files.status(descriptor).size - end.length));
  } finally {
    files.close(descriptor);
  }
  if (Buffer.compare(end, JOURNAL_MAGIC) === 0) refuseLeftover(path, journal, 'a transaction over several databases');
}

function refuseLeftover(file: string, leftover: string, what: string): never {
  const message =
    `${leftover} has ${what}, which ${file} alone does not have, and only what is in the file is served. Open and close the ` +
    `database once with SQLite, so that it ends them, or copy it with VACUUM INTO.`;
  throw new PoolError('UNSUPPORTED', message, { file, leftover });
}

let boot: string | undefined;

/** Of the running system: what a pool on a disk had before a restart is no history of the file. */
export function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return boot;
}

/** (D2) The status once no other state can have the same. */
export function settledStatus(files: Files, descriptor: number): FileStatus {
  const started = performance.now();
  for (;;) {
    const status = files.status(descriptor);
    const ageMs = Date.now() - Number(BigInt(status.ctimeNs) / 1_000_000n);
    // A clock that was set back makes no file wait for ever.
    if (ageMs > SETTLED_MS || performance.now() - started > 2 * SETTLED_MS) return status;
    yieldProcessor();
  }
}

const EPOCH_BITS = 52n;

/** (D2) */
export function deriveEpoch(status: FileStatus, page1: Uint8Array): number {
  const { device, inode, size, mtimeNs, ctimeNs } = status;
  const hash = createHash('sha256').update([bootId(), device, inode, size, mtimeNs, ctimeNs].join('.'));
  return epochOf(hash.update(page1).digest());
}

export function randomEpoch(): number {
  return epochOf(randomBytes(8));
}

function epochOf(bytes: Buffer): number {
  return Number(bytes.readBigUInt64LE(0) & ((1n << EPOCH_BITS) - 1n));
}

/** Where the LSNs of an epoch begin: later than those of all earlier epochs of the file, in microseconds. */
export function firstLsn({ ctimeNs }: FileStatus): number {
  return Number(BigInt(ctimeNs) / 1000n);
}
