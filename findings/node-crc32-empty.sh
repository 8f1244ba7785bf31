#!/bin/sh
# zlib.crc32 of Node, of no bytes, gives 0 in place of the value that it is to go on from, where the empty array's buffer is empty, too.
#
# Version: Node 20.20 (crc32 is there since 20.15), 22, 24; no package.
# Expected: doc/api/zlib.md: "value: An optional starting value ... Computes a 32-bit Cyclic Redundancy Check checksum of data. If value is specified, it is used as
#   the starting value of the checksum". Of no bytes that value stays, as it does for an empty Buffer.
# Seen: the buffer of length 0 has no address, and zlib's crc32 without an address gives the value that a checksum begins with.
#   Output seen:
#     empty Buffer 5, empty view 5, empty buffer 0
# Exits 0 while that is so, 1 when it changed, 2 when it could not be run.
set -eu
command -v node >/dev/null || exit 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/finding.mjs" <<'PROGRAM'
import zlib from 'node:zlib';
if (zlib.crc32 === undefined) process.exit(2);
const seen = [Buffer.alloc(0), new Uint8Array(new ArrayBuffer(8), 0, 0), new Uint8Array(new ArrayBuffer(0))].map((bytes) => zlib.crc32(bytes, 5));
console.log(`empty Buffer ${seen[0]}, empty view ${seen[1]}, empty buffer ${seen[2]}`);
process.exit(seen[0] === 5 && seen[1] === 5 && seen[2] === 0 ? 0 : 1);
PROGRAM
node "$folder/finding.mjs"
