#!/bin/sh
# The `timeout` of a command of node-redis does not limit how long its answer is waited for.
#
# Version: @redis/client 6.3.1, Node 20 or later; any redis-server from 7.0 on, which has to be installed.
# Expected: lib/client/commands-queue.d.ts: `timeout` is the "Timeout for the command in milliseconds". A command to a server that
#   does not answer rejects after it.
# Seen: the time runs until the command is written. With a server that is stopped (SIGSTOP) nothing rejects, nor does the connection end;
#   so it is with one that only one end knows to be gone.
#   Output seen:
#     still waiting after 3 s
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
import { createClient } from '@redis/client';
const server = spawn('redis-server', ['--port', '0', '--unixsocket', `${process.cwd()}/socket`, '--save', ''], { stdio: 'ignore' });
process.on('exit', () => server.kill('SIGKILL'));
const wait = (ms, value) => new Promise((resolve) => setTimeout(resolve, ms, value));
await wait(1000);
const client = createClient({ socket: { path: `${process.cwd()}/socket`, tls: false }, disableOfflineQueue: true });
client.on('error', () => {});
await client.connect();
await client.sendCommand(['PING']);
server.kill('SIGSTOP');
const asked = client.sendCommand(['GET', 'key'], { timeout: 200 }).then(() => 'answered', (error) => error.constructor.name);
const seen = await Promise.race([asked, wait(3000, 'still waiting after 3 s')]);
console.log(seen);
process.exit(seen === 'still waiting after 3 s' ? 0 : 1);
PROGRAM
node finding.mjs
