#!/bin/sh
# With its client-side cache node-redis answers reads of bytes with a Uint8Array that is no Buffer.
#
# Version: @redis/client 6.3.1, Node 20 or later; any redis-server from 7.0 on, which has to be installed.
# Expected: the type mapping `[RESP_TYPES.BLOB_STRING]: Buffer` gives Buffers: without the cache it does, the types say so, and the
#   documentation of `clientSideCache` names no difference. `toString()` of what was read is the text.
# Seen: with the cache each read, also the first, gives a structured clone: a Uint8Array, whose `toString()` is the numbers of its bytes. So it is where
#   the mapping is among the options of the client; with a mapping of the call (`withTypeMapping`) all reads are Buffers, and go
#   past the cache.
#   Output seen:
#     without Buffer text
#     with Uint8Array 116,101,120,116
# Exits 0 while that is so, 1 when it changed, 2 when it could not be run.
set -eu
command -v redis-server >/dev/null || exit 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund @redis/client@6.3.1 >&2 || exit 2
cat > finding.mjs <<'PROGRAM'
import { spawn } from 'node:child_process';
import { createClient, RESP_TYPES } from '@redis/client';
const server = spawn('redis-server', ['--port', '0', '--unixsocket', `${process.cwd()}/socket`, '--save', ''], { stdio: 'ignore' });
process.on('exit', () => server.kill('SIGKILL'));
await new Promise((resolve) => setTimeout(resolve, 1000));
const options = {
  socket: { path: `${process.cwd()}/socket`, tls: false },
  RESP: 3,
  commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
};
async function read(more) {
  const client = createClient({ ...options, ...more });
  client.on('error', () => {});
  await client.connect();
  await client.set('key', 'text');
  await client.get('key');
  return client.get('key');
}
const [plain, cached] = [await read({}), await read({ clientSideCache: { ttl: 0, maxEntries: 10, evictPolicy: 'LRU' } })];
console.log('without', plain.constructor.name, plain.toString());
console.log('with', cached.constructor.name, cached.toString());
process.exit(Buffer.isBuffer(plain) && !Buffer.isBuffer(cached) && cached instanceof Uint8Array ? 0 : 1);
PROGRAM
node finding.mjs
