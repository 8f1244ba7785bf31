#!/bin/sh
# SQLite's WASM build takes a Uint8Array for bytes to copy into its heap, and refuses a Node Buffer, which is one.
#
# Versions: @sqlite.org/sqlite-wasm 3.54.1-build1, Node 20.20 (the machine's).
# Expected: wasm.allocFromTypedArray takes what readFileSync gives: a Buffer is an instance of Uint8Array with elements of one byte.
# Seen: it goes by the constructor, so it throws for a Buffer and any other subclass, with a message about the size of a heap that
#   names neither. A Uint8Array over the same memory is taken. Output seen:
#     Uint8Array: taken
#     Buffer: Error: Invalid heapForSize() size: expecting 8, 16, 32, or (if BigInt is enabled) 64.
#     a subclass of Uint8Array: Error: Invalid heapForSize() size: expecting 8, 16, 32, or (if BigInt is enabled) 64.
#     Uint8Array over the Buffer: taken
# Exits 0 while that is so, 1 when it changed, 2 when it could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund @sqlite.org/sqlite-wasm@3.54.1-build1 >&2 || exit 2
cat > finding.mjs <<'PROGRAM'
import init from '@sqlite.org/sqlite-wasm';
const { wasm } = await init();
const buffer = Buffer.from([1, 2, 3]);
const values = {
  Uint8Array: new Uint8Array([1, 2, 3]),
  Buffer: buffer,
  'a subclass of Uint8Array': new (class extends Uint8Array {})(3).fill(3),
  'Uint8Array over the Buffer': new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length),
};
const seen = Object.entries(values).map(([name, value]) => {
  try {
    const at = wasm.allocFromTypedArray(value);
    return `${name}: ${wasm.peek8(at + 2) === 3 ? 'taken' : 'taken, with other bytes'}`;
  } catch (error) {
    return `${name}: ${error.name}: ${error.message}`;
  }
});
console.log(seen.join('\n'));
const expected = [
  'Uint8Array: taken',
  'Buffer: Error: Invalid heapForSize() size: expecting 8, 16, 32, or (if BigInt is enabled) 64.',
  'a subclass of Uint8Array: Error: Invalid heapForSize() size: expecting 8, 16, 32, or (if BigInt is enabled) 64.',
  'Uint8Array over the Buffer: taken',
];
process.exit(seen.join() === expected.join() ? 0 : 1);
PROGRAM
node finding.mjs
