/**
 * The file system that the engine is given: one is installed per instance of it, under the name `sealpool`. It leads the names
 * of open databases to their mounts, and answers whatever is asked of another name with CANTOPEN.
 *
 * (V1) the heap is asked for afresh on every call: it moves when it grows.
 * (V2) no method throws through the engine: an error becomes a result code, and its cause is kept in the mount.
 */
import type { Sqlite3Static, WasmPointer } from '@sqlite.org/sqlite-wasm';
import { PoolError } from '../../lib/errors.js';
import { installFileSystem } from '../sqlite-wasm/install.js';
import { type FileHandle, MemoryFile, type Mount, SqliteFailure } from './handle.js';

export const VFS_NAME = 'sealpool';
const JOURNAL = '-journal';
const SECTOR_SIZE = 4096;
/** Of the engine's heap, which has 32 bits. The engine's types name a constant that it has not. */
const POINTER_SIZE = 4;

export interface FileSystem {
  readonly mounts: Map<string, Mount>;
  opened: number;
}

const fileSystems = new WeakMap<Sqlite3Static, FileSystem>();

export function fileSystemOf(sqlite3: Sqlite3Static): FileSystem {
  const known = fileSystems.get(sqlite3);
  if (known !== undefined) return known;
  const system = { mounts: new Map<string, Mount>(), opened: 0 };
  install(sqlite3, system);
  fileSystems.set(sqlite3, system);
  return system;
}

interface OpenFile {
  readonly mount: Mount | undefined;
  readonly handle: FileHandle;
}

function install(sqlite3: Sqlite3Static, system: FileSystem): void {
  const files = new Map<WasmPointer, OpenFile>();
  installFileSystem(sqlite3, VFS_NAME, {
    io: ioMethods(sqlite3, files),
    vfs: (adopt) => vfsMethods(sqlite3, system, files, adopt),
  });
}

/** Names of files: a database's own, with a suffix for what belongs to it. */
function split(system: FileSystem, name: string): { mount: Mount | undefined; suffix: string } {
  const suffix = /-(?:journal|wal)$/.exec(name)?.[0] ?? '';
  return { mount: system.mounts.get(name.slice(0, name.length - suffix.length)), suffix };
}

/** The result code of an error; `fallback` is the method's own. */
function codeOf(sqlite3: Sqlite3Static, error: unknown, fallback: number): number {
  const { capi } = sqlite3;
  if (error instanceof SqliteFailure) return error.resultCode;
  // Of snapshots that are gone: what SQLite says of its own.
  if (error instanceof PoolError) return error.code === 'SNAPSHOT_LOST' ? capi.SQLITE_BUSY_SNAPSHOT : fallback;
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG' ? capi.SQLITE_FULL : fallback;
}

function vfsMethods(
  sqlite3: Sqlite3Static,
  system: FileSystem,
  files: Map<WasmPointer, OpenFile>,
  adopt: (file: WasmPointer) => void,
) {
  const { capi, wasm } = sqlite3;
  const find = (pointer: WasmPointer) => split(system, wasm.cstrToJs(pointer) ?? '');
  const attempt = (mount: Mount | undefined, fallback: number, step: () => number): number => {
    try {
      return step();
    } catch (error) {
      if (mount !== undefined) mount.lastError = error;
      return codeOf(sqlite3, error, fallback);
    }
  };
  const openHandle = (mount: Mount | undefined, suffix: string, flags: number): FileHandle | undefined => {
    // By what it is to be, not by its name alone: ATTACH takes any name for a database.
    if (suffix === JOURNAL && (flags & capi.SQLITE_OPEN_MAIN_JOURNAL) !== 0) return mount?.openJournal();
    if (suffix === '' && (flags & capi.SQLITE_OPEN_MAIN_DB) !== 0) return mount?.openDatabase();
    return undefined;
  };
  return {
    xOpen(_vfs: WasmPointer, namePointer: WasmPointer, file: WasmPointer, flags: number, outFlags: WasmPointer) {
      const { mount, suffix } = namePointer ? find(namePointer) : { mount: undefined, suffix: '' };
      return attempt(mount, capi.SQLITE_CANTOPEN, () => {
        const handle = namePointer ? openHandle(mount, suffix, flags) : new MemoryFile();
        if (handle === undefined) return capi.SQLITE_CANTOPEN;
        adopt(file);
        files.set(file, { mount, handle });
        if (outFlags) wasm.poke32(outFlags, flags);
        return 0;
      });
    },
    xDelete(_vfs: WasmPointer, namePointer: WasmPointer, syncFolder: number) {
      const { mount, suffix } = find(namePointer);
      if (mount === undefined || suffix !== JOURNAL) return capi.SQLITE_IOERR_DELETE;
      return attempt(mount, capi.SQLITE_IOERR_DELETE, () => {
        mount.removeJournal(syncFolder !== 0);
        return 0;
      });
    },
    xAccess(_vfs: WasmPointer, namePointer: WasmPointer, _flags: number, result: WasmPointer) {
      const { mount, suffix } = find(namePointer);
      const exists = mount !== undefined && (suffix === '' || (suffix === JOURNAL && mount.hasJournal()));
      wasm.poke32(result, exists ? 1 : 0);
      return 0;
    },
  };
}

function ioMethods(sqlite3: Sqlite3Static, files: Map<WasmPointer, OpenFile>) {
  const { capi, wasm } = sqlite3;
  /** Calls the step with the open file; a number that it gives is the result code, nothing is 0. */
  const within = (file: WasmPointer, fallback: number, step: (open: FileHandle, mount?: Mount) => unknown) => {
    const opened = files.get(file);
    if (opened === undefined) return capi.SQLITE_MISUSE;
    try {
      return (step(opened.handle, opened.mount) as number | undefined) ?? 0;
    } catch (error) {
      if (opened.mount !== undefined) opened.mount.lastError = error;
      return codeOf(sqlite3, error, fallback);
    }
  };
  const bytesAt = (pointer: WasmPointer, count: number) =>
    wasm.heap8u().subarray(Number(pointer), Number(pointer) + count);
  return {
    xClose(file: WasmPointer) {
      const code = within(file, capi.SQLITE_IOERR_CLOSE, (open) => open.close());
      files.delete(file);
      return code;
    },
    xRead: (file: WasmPointer, target: WasmPointer, count: number, offset: bigint) =>
      within(file, capi.SQLITE_IOERR_READ, (open) =>
        open.read(bytesAt(target, count), Number(offset)) ? 0 : capi.SQLITE_IOERR_SHORT_READ,
      ),
    xWrite: (file: WasmPointer, source: WasmPointer, count: number, offset: bigint) =>
      within(file, capi.SQLITE_IOERR_WRITE, (open) => open.write(bytesAt(source, count).slice(), Number(offset))),
    xTruncate: (file: WasmPointer, size: bigint) =>
      within(file, capi.SQLITE_IOERR_TRUNCATE, (open) => open.truncate(Number(size))),
    xSync: (file: WasmPointer) => within(file, capi.SQLITE_IOERR_FSYNC, (open) => open.sync()),
    xFileSize: (file: WasmPointer, result: WasmPointer) =>
      within(file, capi.SQLITE_IOERR_FSTAT, (open) => void wasm.poke64(result, BigInt(open.size()))),
    xLock: (file: WasmPointer, level: number) => within(file, capi.SQLITE_IOERR_LOCK, (open) => open.lock(level)),
    xUnlock: (file: WasmPointer, level: number) => within(file, capi.SQLITE_IOERR_UNLOCK, (open) => open.unlock(level)),
    xCheckReservedLock(_file: WasmPointer, result: WasmPointer) {
      // A writer is alone, so a journal that is there when it begins is of one that died; a reader sees none.
      wasm.poke32(result, 0);
      return 0;
    },
    xFileControl: (file: WasmPointer, operation: number, argument: WasmPointer) =>
      within(file, capi.SQLITE_IOERR, (open, mount) => {
        if (operation === capi.SQLITE_FCNTL_SYNC) open.beforeSync();
        else if (operation === capi.SQLITE_FCNTL_HAS_MOVED) wasm.poke32(argument, open.hasMoved() ? 1 : 0);
        else if (operation === capi.SQLITE_FCNTL_PRAGMA) return askPragma(sqlite3, mount, argument);
        else return capi.SQLITE_NOTFOUND;
        return 0;
      }),
    xSectorSize: () => SECTOR_SIZE,
    xDeviceCharacteristics: () => capi.SQLITE_IOCAP_POWERSAFE_OVERWRITE,
  };
}

/** The argument is an array of strings: the answer, the pragma's name, its argument. */
function askPragma({ capi, wasm }: Sqlite3Static, mount: Mount | undefined, strings: WasmPointer): number {
  const at = (index: number) => wasm.peekPtr(Number(strings) + index * POINTER_SIZE) as WasmPointer;
  const refusal = mount?.refusalOf((wasm.cstrToJs(at(1)) ?? '').toLowerCase(), wasm.cstrToJs(at(2)) ?? undefined);
  if (refusal === undefined) return capi.SQLITE_NOTFOUND;
  const bytes = new TextEncoder().encode(`${refusal}\u0000`);
  // The engine frees it.
  const answer = capi.sqlite3_malloc(bytes.length);
  wasm.heap8u().set(bytes, Number(answer));
  wasm.pokePtr(strings, answer);
  return capi.SQLITE_ERROR;
}
