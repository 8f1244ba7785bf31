#!/bin/sh
# xz-decompress refuses files that xz made with a check of SHA-256, or with a filter such as delta.
#
# Version: xz-decompress 0.2.3, on any Node.
# Expected: .xz file format 1.2.1, sections 2.1.1.2 and 5.3: check 0x0A is SHA-256 and 0x03 the delta filter; a decoder that
#   does not know a check may still decode, and `xz -dc` gives both files below.
# Seen: error code 6 (XZ_OPTIONS_ERROR) for both, before any byte of data. The same text with CRC32 or CRC64 is read.
#   Output seen:
#     crc64: "first\nsecond\n"
#     sha256: get_next_output failed with error code 6
#     delta: get_next_output failed with error code 6
# Exits 0 while that is so, 1 when it changed, 2 when it could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund xz-decompress@0.2.3 >&2 || exit 2
cat > finding.mjs <<'PROGRAM'
import xz from 'xz-decompress';
// printf 'first\nsecond\n' | xz, with --check=crc64, --check=sha256, and --delta --lzma2
const files = {
  crc64: '/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAMZmlyc3QKc2Vjb25kCgAAAABsPc58h/0pFgABJQ1xGcS2H7bzfQEAAAAABFla',
  sha256: '/Td6WFoAAArh+wyhAgAhARYAAAB0L+WjAQAMZmlyc3QKc2Vjb25kCgAAAADb6pMlF57+Ruoq3ZT3trdFypg/q7II3G00qgZGI9fuIwABPQ0ogd80GJtLmgEAAAAAClla',
  delta: '/Td6WFoAAATm1rRGAgEDAQAhARZ5IMTuAQAMZgMJAQGWafL+DP/2pgAAAABsPc58h/0pFgABJQ1xGcS2H7bzfQEAAAAABFla',
};
const seen = [];
for (const [name, data] of Object.entries(files)) {
  const source = new Blob([Buffer.from(data, 'base64')]).stream();
  const text = await new Response(new xz.XzReadableStream(source)).text().then(
    (read) => JSON.stringify(read),
    (error) => String(error.message ?? error),
  );
  seen.push(`${name}: ${text}`);
}
console.log(seen.join('\n'));
const failed = 'get_next_output failed with error code 6';
process.exit(seen.join() === [`crc64: "first\\nsecond\\n"`, `sha256: ${failed}`, `delta: ${failed}`].join() ? 0 : 1);
PROGRAM
node finding.mjs
