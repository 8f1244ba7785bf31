#!/bin/sh
# Asked for a range, F_OFD_GETLK tells of a lock in it that need not be the first by its place.
#
# Versions: Linux 6.18 (x64), glibc 2.36; koffi 3.3.4 from npm makes the calls.
# Expected: POSIX says of F_GETLK "the first lock which blocks", so that who looks for all holders may go on behind the byte
#   that was told, as with SEEK_DATA.
# Seen: the kernel keeps its list by holder, and tells the first of the holder that locked first: byte 30, while 10 is locked as
#   well, by a descriptor that came later. Who goes on behind 30 never meets 10. The manual of Linux promises "one of those
#   locks", no more. The pid is -1 as it says, since no process owns such a lock. Output seen:
#     one holder, 70 locked before 30: start 30, pid -1
#     another holds 10 as well: start 30, pid -1
#     what is left of the range before that: start 10, pid -1
# Exits 0 while that is so, 1 when it changed, 2 when it could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund koffi@3.3.4 >&2 || exit 2
cat > finding.mjs <<'PROGRAM'
import { openSync } from 'node:fs';
import koffi from 'koffi';
const fcntl = koffi.load('libc.so.6').func('int fcntl(int descriptor, int command, _Inout_ void *lock)');
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_WRLCK = 1;
/** struct flock: short type, short whence, int64 start, int64 length, int32 pid. */
function flock(start, length) {
  const lock = Buffer.alloc(32);
  lock.writeInt16LE(F_WRLCK, 0);
  lock.writeBigInt64LE(BigInt(start), 8);
  lock.writeBigInt64LE(BigInt(length), 16);
  return lock;
}
const [first, second, asking] = ['w+', 'r+', 'r+'].map((flags) => openSync('locked', flags));
function told(what, start, length) {
  const lock = flock(start, length);
  if (fcntl(asking, F_OFD_GETLK, lock) !== 0) process.exit(2);
  return `${what}: start ${lock.readBigInt64LE(8)}, pid ${lock.readInt32LE(24)}`;
}
const hold = (descriptor, byte) => fcntl(descriptor, F_OFD_SETLK, flock(byte, 1)) === 0 || process.exit(2);
hold(first, 70);
hold(first, 30);
const seen = [told('one holder, 70 locked before 30', 0, 100)];
hold(second, 10);
seen.push(told('another holds 10 as well', 0, 100), told('what is left of the range before that', 0, 30));
console.log(seen.join('\n'));
const expected = [
  'one holder, 70 locked before 30: start 30, pid -1',
  'another holds 10 as well: start 30, pid -1',
  'what is left of the range before that: start 10, pid -1',
];
process.exit(seen.join() === expected.join() ? 0 : 1);
PROGRAM
node finding.mjs
