/** Holds a byte's lock of a file, as a node of any version does, with numbers of its own: FILE BYTE. Says 'held', and stays. */
import { openSync } from 'node:fs';
import { libc } from '../../lib/linux/index.js';

const [, , path = '', byte = ''] = process.argv;
const flock = Buffer.alloc(32);
flock.writeInt16LE(1, 0);
flock.writeBigInt64LE(BigInt(byte), 8);
flock.writeBigInt64LE(1n, 16);
const taken = libc().fcntl(openSync(path, 'r+'), 37, flock) === 0;
process.stdout.write(taken ? 'held\n' : 'refused\n');
setInterval(() => {}, 1000);
