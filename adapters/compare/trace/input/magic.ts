/**
 * magic: what a file is by its first bytes, whatever its name.
 *
 * (M1) What is no trace, or needs a tool, is refused by its name and with the command that makes a trace of it.
 */

export type Compression = 'gzip' | 'zstd' | 'xz';

/** As many bytes as the tests here look at, and the frames before a first zstd frame with data that are looked past. */
export const MAGIC_BYTES = 4096;

interface Refusal {
  readonly name: string;
  readonly magic: readonly number[];
  readonly offset?: number;
  /** Where the first bytes alone could be a number. */
  readonly also?: { readonly magic: readonly number[]; readonly offset: number };
  /** With FILE for its name; a command, or what to do. */
  readonly remedy: string;
}

const ascii = (text: string): number[] => [...Buffer.from(text, 'latin1')];
const TO_FILE = '> trace.txt';

const refusals: readonly Refusal[] = [
  { name: 'bzip2', magic: ascii('BZh'), remedy: `bzip2 -dc FILE ${TO_FILE}` },
  { name: 'lz4', magic: [0x04, 0x22, 0x4d, 0x18], remedy: `lz4 -dc FILE ${TO_FILE}` },
  { name: 'lz4 (legacy)', magic: [0x02, 0x21, 0x4c, 0x18], remedy: `lz4 -dc FILE ${TO_FILE}` },
  { name: 'zip', magic: ascii('PK\u0003\u0004'), remedy: `unzip -p FILE ${TO_FILE}` },
  { name: '7z', magic: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], remedy: `7z x -so FILE ${TO_FILE}` },
  { name: 'lzip', magic: ascii('LZIP'), remedy: `lzip -dc FILE ${TO_FILE}` },
  {
    name: 'lzma',
    magic: [0x5d, 0, 0],
    also: { magic: new Array<number>(8).fill(255), offset: 5 },
    remedy: `xz --format=lzma -dc FILE ${TO_FILE}`,
  },
  { name: 'compress (.Z)', magic: [0x1f, 0x9d, 0x90], remedy: `uncompress -c FILE ${TO_FILE}` },
  { name: 'snappy', magic: [0xff, 0x06, 0, 0, 0x73, 0x4e], remedy: `snzip -dc FILE ${TO_FILE}` },
  { name: 'rar', magic: ascii('Rar!\u001a\u0007'), remedy: `unrar p -inul FILE ${TO_FILE}` },
  { name: 'tar', magic: ascii('ustar'), offset: 257, remedy: `tar -xOf FILE ${TO_FILE}` },
  { name: 'Parquet', magic: ascii('PAR1'), remedy: `duckdb -csv -c "select * from 'FILE'" > trace.csv` },
  { name: 'ORC', magic: ascii('ORC'), remedy: 'write its id column as CSV' },
  { name: 'Avro', magic: ascii('Obj\u0001'), remedy: 'write its id field as JSON lines' },
  { name: 'HDF5', magic: [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a], remedy: 'write its id column as CSV' },
  { name: 'NumPy', magic: [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59], remedy: 'write the array with tofile() as .u64' },
  {
    name: 'SQLite',
    magic: ascii('SQLite format 3\0'),
    remedy: `sqlite3 -csv FILE 'select id from accesses' > trace.csv`,
  },
  { name: 'ELF', magic: [0x7f, 0x45, 0x4c, 0x46], remedy: 'name the file that holds the accesses' },
  { name: 'PDF', magic: ascii('%PDF-'), remedy: 'name the file that holds the accesses' },
];

function begins(head: Uint8Array, magic: readonly number[], offset = 0): boolean {
  return magic.every((byte, index) => head[offset + index] === byte);
}

function isSkippable(head: Uint8Array, offset: number): boolean {
  return ((head[offset] ?? 0) & 0xf0) === 0x50 && begins(head, [0x2a, 0x4d, 0x18], offset + 1);
}

/** Offset of the first frame that holds data: zstd and lz4 share the frames to be skipped. */
function pastSkippable(head: Uint8Array): number {
  let offset = 0;
  while (isSkippable(head, offset) && offset + 8 <= head.length) {
    offset += 8 + new DataView(head.buffer, head.byteOffset).getUint32(offset + 4, true);
  }
  return offset;
}

/** Bytes that text does not have: an id may begin as one of the files below does. */
function hasControls(head: Uint8Array): boolean {
  return head.some((byte) => byte < 9 || (byte > 13 && byte < 32));
}

export function compressionOf(head: Uint8Array): Compression | undefined {
  if (begins(head, [0x1f, 0x8b, 0x08])) return 'gzip';
  if (begins(head, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0])) return 'xz';
  const frame = pastSkippable(head);
  if (begins(head, [0x28, 0xb5, 0x2f, 0xfd], frame)) return 'zstd';
  // Where the first frame with data lies further on, only zstd is known to put so much before it.
  return frame > 0 && frame >= head.length ? 'zstd' : undefined;
}

/** How to refuse what these bytes begin, or undefined. `file` is its name as the user gave it. */
export function refusalOf(head: Uint8Array, file: string): string | undefined {
  if (!hasControls(head)) return undefined;
  const frame = pastSkippable(head);
  const first = frame < head.length ? frame : 0;
  const found = refusals.find(
    ({ magic, offset = first, also }) =>
      begins(head, magic, offset) && (also === undefined || begins(head, also.magic, also.offset)),
  );
  if (found === undefined) return undefined;
  const remedy = found.remedy.replaceAll('FILE', file);
  return `it is ${found.name}, which compare does not read. Make a trace of it: ${remedy}`;
}
