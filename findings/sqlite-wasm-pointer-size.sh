#!/bin/sh
# The types of the SQLite WASM package name a pointer size that is not there at run time, and a pointer read by it is no error.
#
# Versions: @sqlite.org/sqlite-wasm 3.54.1-build1, Node 20.20 (the machine's).
# Expected: what index.d.mts declares as `ptrSizeof: number` is a number: the second of two pointers that a hook is handed (the
#   arguments of SQLITE_FCNTL_PRAGMA, say) lies at `first + wasm.ptrSizeof`, which type-checks.
# Seen: wasm.ptrSizeof is undefined; the size is at wasm.ptr.size. The sum is NaN, and peekPtr(NaN) reads address 0 and says 0
#   where the pointer behind the first is another: a hook finds no argument, and takes another way without a word. Output seen:
#     declared: ptrSizeof: number
#     at run time: ptrSizeof undefined, ptr.size 4
#     second pointer: by ptrSizeof 0, by ptr.size 4660
# Exits 0 while that is so, 1 when it changed, 2 when it could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund @sqlite.org/sqlite-wasm@3.54.1-build1 >&2 || exit 2
cat > finding.mjs <<'PROGRAM'
import { readFileSync } from 'node:fs';
import init from '@sqlite.org/sqlite-wasm';
const types = readFileSync('node_modules/@sqlite.org/sqlite-wasm/dist/index.d.mts', 'utf8');
const { wasm } = await init();
const [, declared] = /^\s+(ptrSizeof: \w+);$/m.exec(types) ?? [];
const pointers = wasm.alloc(2 * 8);
wasm.pokePtr(pointers, 0x1233);
wasm.pokePtr(pointers + wasm.ptr.size, 0x1234);
const seen = [
  `declared: ${declared}`,
  `at run time: ptrSizeof ${wasm.ptrSizeof}, ptr.size ${wasm.ptr.size}`,
  `second pointer: by ptrSizeof ${wasm.peekPtr(pointers + wasm.ptrSizeof)}, by ptr.size ${wasm.peekPtr(pointers + wasm.ptr.size)}`,
];
console.log(seen.join('\n'));
const expected = [
  'declared: ptrSizeof: number',
  'at run time: ptrSizeof undefined, ptr.size 4',
  'second pointer: by ptrSizeof 0, by ptr.size 4660',
];
process.exit(seen.join() === expected.join() ? 0 : 1);
PROGRAM
node finding.mjs
