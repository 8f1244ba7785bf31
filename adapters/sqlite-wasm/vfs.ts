/**
 * Owns the file system that serves read-only databases to `@sqlite.org/sqlite-wasm` from page sources. One is installed
 * per engine instance, under the name `sealpool-readonly`; it holds the open names, each with its source.
 *
 * (V1) The files are immutable snapshots: locks are no-ops, no journal exists, nothing is ever written.
 * (V2) The heap is asked for afresh on every call: it moves when it grows.
 * (V3) No method throws through the engine: an error becomes a result code, and its cause is kept for `openReadOnly`.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Database, Sqlite3Static, WasmPointer } from '@sqlite.org/sqlite-wasm';
import { PoolError } from '../../lib/errors.js';
import { installFileSystem } from './install.js';
import type { PageSource } from './source.js';

export interface OpenReadOnlyOptions {
  /** Path of the database file; it must be as long as the source says. */
  readonly file: string;
  readonly pageSource: PageSource;
  /** Shown as the connection's file name. Default: the file's last path component. */
  readonly name?: string;
}

interface OpenFile {
  readonly source: PageSource;
  /** For reads that are not exactly one page. */
  readonly scratch: Uint8Array;
  lastError: unknown;
}

interface FileSystem {
  readonly names: Map<string, OpenFile>;
  opened: number;
}

const VFS_NAME = 'sealpool-readonly';
/** A journal with a header is hot; a -wal has frames, of a header each and a page, beyond its own header. */
const LEFTOVERS = [
  { suffix: '-wal', bytesMin: 33, what: 'rows that were committed' },
  { suffix: '-journal', bytesMin: 1, what: 'a transaction that was not finished' },
] as const;
const HEADER_SIZE = 512;
const fileSystems = new WeakMap<Sqlite3Static, FileSystem>();

/**
 * Opens the database read-only over the page source; close the returned connection to give its name back. Throws
 * OPTION_INVALID when the source does not serve that file, UNSUPPORTED when a -wal or a journal beside it has what the file has
 * not, and the source's own error when its first read fails.
 */
export function openReadOnly(sqlite3: Sqlite3Static, options: OpenReadOnlyOptions): Database {
  const { file, pageSource: source } = options;
  const { size } = statSync(file);
  if (size !== source.fileSize || !(source.pageSize >= HEADER_SIZE)) {
    const message = `The page source (${source.fileSize} bytes in pages of ${source.pageSize}) does not serve ${file} (${size} bytes).`;
    throw new PoolError('OPTION_INVALID', message, { file, size, fileSize: source.fileSize });
  }
  refuseLeftovers(file);
  let system = fileSystems.get(sqlite3);
  if (system === undefined) {
    system = { names: new Map(), opened: 0 };
    install(sqlite3, system);
    fileSystems.set(sqlite3, system);
  }
  system.opened += 1;
  const { names } = system;
  const name = `${system.opened}/${(options.name ?? basename(file)).replaceAll(/[?#%]/g, '_')}`;
  const opened: OpenFile = { source, scratch: new Uint8Array(source.pageSize), lastError: undefined };
  names.set(name, opened);
  try {
    const database = new sqlite3.oo1.DB({ filename: name, flags: 'r', vfs: VFS_NAME });
    database.onclose = { after: () => void names.delete(name) };
    database.selectValue('SELECT count(*) FROM sqlite_schema');
    return database;
  } catch (error) {
    names.delete(name);
    throw opened.lastError ?? error;
  }
}

/** (V1) A snapshot is all in its file. SQLite empties a journal that is over by zeros or truncates or removes it. */
function refuseLeftovers(file: string): void {
  for (const { suffix, bytesMin, what } of LEFTOVERS) {
    const path = `${file}${suffix}`;
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (size < bytesMin || (suffix === '-journal' && isOver(path))) continue;
    const message =
      `${path} has ${what}, which ${file} alone does not have, and only what is in the file is served. Open and close the ` +
      `database once with SQLite, so that it ends them, or copy it with VACUUM INTO.`;
    throw new PoolError('UNSUPPORTED', message, { file, leftover: path });
  }
}

function isOver(journal: string): boolean {
  const first = new Uint8Array(1);
  const descriptor = openSync(journal, 'r');
  try {
    readSync(descriptor, first, 0, 1, 0);
  } finally {
    closeSync(descriptor);
  }
  return first[0] === 0;
}

function install(sqlite3: Sqlite3Static, system: FileSystem): void {
  const files = new Map<WasmPointer, OpenFile>();
  installFileSystem(sqlite3, VFS_NAME, {
    io: ioMethods(sqlite3, files),
    vfs: (adopt) => vfsMethods(sqlite3, system, files, adopt),
  });
}

function vfsMethods(
  sqlite3: Sqlite3Static,
  system: FileSystem,
  files: Map<WasmPointer, OpenFile>,
  adopt: (file: WasmPointer) => void,
) {
  const { capi, wasm } = sqlite3;
  return {
    xOpen(_vfs: WasmPointer, namePointer: WasmPointer, file: WasmPointer, flags: number, outFlags: WasmPointer) {
      // Temporary files never come here: the engine is built to keep them in memory.
      const opened = namePointer ? system.names.get(wasm.cstrToJs(namePointer) ?? '') : undefined;
      if (opened === undefined) return capi.SQLITE_CANTOPEN;
      adopt(file);
      files.set(file, opened);
      if (outFlags) wasm.poke32(outFlags, (flags & ~capi.SQLITE_OPEN_READWRITE) | capi.SQLITE_OPEN_READONLY);
      return 0;
    },
    xDelete: () => capi.SQLITE_IOERR_DELETE,
    xAccess(_vfs: WasmPointer, namePointer: WasmPointer, _flags: number, result: WasmPointer) {
      wasm.poke32(result, system.names.has(wasm.cstrToJs(namePointer) ?? '') ? 1 : 0);
      return 0;
    },
  };
}

function ioMethods(sqlite3: Sqlite3Static, files: Map<WasmPointer, OpenFile>) {
  const { capi, wasm } = sqlite3;
  return {
    xClose(file: WasmPointer) {
      files.delete(file);
      return 0;
    },
    xRead(file: WasmPointer, target: WasmPointer, count: number, offset: bigint) {
      const opened = files.get(file)!;
      try {
        const start = Number(offset);
        const heap = wasm.heap8u();
        const { source } = opened;
        const address = Number(target);
        if (count === source.pageSize && start % count === 0 && start + count <= source.fileSize) {
          source.read(start / count, heap.subarray(address, address + count));
          return 0;
        }
        return readRange(opened, heap.subarray(address, address + count), start) ? 0 : capi.SQLITE_IOERR_SHORT_READ;
      } catch (error) {
        opened.lastError = error;
        return capi.SQLITE_IOERR_READ;
      }
    },
    xWrite: () => capi.SQLITE_READONLY,
    xTruncate: () => capi.SQLITE_READONLY,
    xSync: () => 0,
    xFileSize(file: WasmPointer, result: WasmPointer) {
      wasm.poke64(result, BigInt(files.get(file)!.source.fileSize));
      return 0;
    },
    xLock: () => 0,
    xUnlock: () => 0,
    xCheckReservedLock(_file: WasmPointer, result: WasmPointer) {
      wasm.poke32(result, 0);
      return 0;
    },
    xFileControl: () => capi.SQLITE_NOTFOUND,
    xSectorSize: () => 4096,
    xDeviceCharacteristics: () => capi.SQLITE_IOCAP_IMMUTABLE,
  };
}

/** Any range, page by page through the scratch; false when it runs past the end, and then the rest is zero. */
function readRange(opened: OpenFile, target: Uint8Array, start: number): boolean {
  const { source, scratch } = opened;
  const available = Math.max(0, Math.min(target.length, source.fileSize - start));
  for (let done = 0; done < available; ) {
    const pageNo = Math.floor((start + done) / source.pageSize);
    const skip = start + done - pageNo * source.pageSize;
    const count = Math.min(source.pageSize - skip, available - done);
    source.read(pageNo, scratch);
    target.set(scratch.subarray(skip, skip + count), done);
    done += count;
  }
  target.fill(0, available);
  return available === target.length;
}
