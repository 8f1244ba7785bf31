/**
 * Installs a file system of ours in an instance of the engine: the structs that its C side reads, and the methods that are the same
 * whatever it serves.
 *
 * (I1) time, sleep and randomness are those of the engine's own file system.
 * (I2) files have the first version of methods: no shared memory, so no WAL.
 */
import type { Sqlite3Static, WasmPointer } from '@sqlite.org/sqlite-wasm';

const PATH_SIZE_MAX = 1024;

// The engine binds struct members under a `$` prefix; its published types leave most of them out.
interface VfsStruct {
  $iVersion: number;
  $szOsFile: number;
  $mxPathname: number;
  $xRandomness: WasmPointer;
  $xSleep: WasmPointer;
  $xCurrentTime: WasmPointer;
  $xCurrentTimeInt64: WasmPointer;
}
interface IoStruct {
  $iVersion: number;
  readonly pointer: WasmPointer;
}

type Method = (...values: never[]) => unknown;

export interface FileSystemMethods {
  /** Of an open file. */
  readonly io: Readonly<Record<string, Method>>;
  /** xOpen calls `adopt` with the file that it was given once that is open: from then on `io` is asked of it. */
  readonly vfs: (adopt: (file: WasmPointer) => void) => Readonly<Record<string, Method>>;
}

export function installFileSystem(sqlite3: Sqlite3Static, name: string, methods: FileSystemMethods): void {
  const { capi, wasm } = sqlite3;
  const vfs = new capi.sqlite3_vfs() as unknown as VfsStruct;
  const io = new capi.sqlite3_io_methods() as unknown as IoStruct;
  const parent = new capi.sqlite3_vfs(capi.sqlite3_vfs_find(null as never)) as unknown as VfsStruct;
  vfs.$iVersion = 2;
  vfs.$szOsFile = (capi.sqlite3_file as unknown as { structInfo: { sizeof: number } }).structInfo.sizeof;
  vfs.$mxPathname = PATH_SIZE_MAX;
  // (I1)
  vfs.$xRandomness = parent.$xRandomness;
  vfs.$xSleep = parent.$xSleep;
  vfs.$xCurrentTime = parent.$xCurrentTime;
  vfs.$xCurrentTimeInt64 = parent.$xCurrentTimeInt64;
  // (I2)
  io.$iVersion = 1;
  const adopt = (file: WasmPointer): void => {
    const struct = new capi.sqlite3_file(file);
    struct.$pMethods = io.pointer;
    struct.dispose();
  };
  const common = {
    xFullPathname: (_vfs: WasmPointer, namePointer: WasmPointer, size: number, target: WasmPointer) =>
      wasm.cstrncpy(target, namePointer, size) < size ? 0 : capi.SQLITE_CANTOPEN,
    xGetLastError: () => 0,
  };
  sqlite3.vfs.installVfs({
    io: { struct: io as never, methods: methods.io as never },
    vfs: { struct: vfs as never, methods: { ...methods.vfs(adopt), ...common } as never, name },
  });
}
