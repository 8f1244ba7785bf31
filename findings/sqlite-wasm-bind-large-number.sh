#!/bin/sh
# The object API of the SQLite WASM package binds whole JavaScript numbers beyond 64 bits as integers, modulo 2^64.
#
# Versions: @sqlite.org/sqlite-wasm 3.54.1-build1, Node 20.20 (the machine's).
# Expected: a number that no 64-bit integer holds is bound as a real, as SQLite itself reads the literal 1e19; or refused.
# Seen: every number without a fraction is taken for an integer and converted: 2^63 becomes -2^63, 1e19 becomes
#   -8446744073709551616, 1e300 becomes 0, without an error; sqlite3_bind_double with the same number is right. Output seen:
#     9223372036854775808: integer -9223372036854775808, by bind_double real
#     1e19: integer -8446744073709551616, by bind_double real
#     1e300: integer 0, by bind_double real
#     1e19 as a literal: real
# Exits 0 while that is so, 1 when it changed, 2 when it could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund @sqlite.org/sqlite-wasm@3.54.1-build1 >&2 || exit 2
cat > finding.mjs <<'PROGRAM'
import init from '@sqlite.org/sqlite-wasm';
const { oo1, capi } = await init();
const db = new oo1.DB(':memory:');
const asDouble = (number) => {
  const statement = db.prepare('select typeof(?)');
  capi.sqlite3_bind_double(statement.pointer, 1, number);
  statement.step();
  const type = statement.getString(0);
  statement.finalize();
  return type;
};
const seen = [
  ['9223372036854775808', 2 ** 63],
  ['1e19', 1e19],
  ['1e300', 1e300],
].map(([name, number]) => {
  const [type, text] = db.selectArray('select typeof(?1), cast(?1 as text)', [number]);
  return `${name}: ${type} ${text}, by bind_double ${asDouble(number)}`;
});
seen.push(`1e19 as a literal: ${db.selectValue('select typeof(1e19)')}`);
console.log(seen.join('\n'));
const expected = [
  '9223372036854775808: integer -9223372036854775808, by bind_double real',
  '1e19: integer -8446744073709551616, by bind_double real',
  '1e300: integer 0, by bind_double real',
  '1e19 as a literal: real',
];
process.exit(seen.join() === expected.join() ? 0 : 1);
PROGRAM
node finding.mjs
