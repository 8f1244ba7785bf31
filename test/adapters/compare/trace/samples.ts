/** samples: a little trace of every format that compare reads, made up, and what reading it has to come to. */
import { madeUpIds } from './traces.js';

/** Made up: skewed, 400 accesses; small enough that every format can be written out below. */
export const ids = [...madeUpIds(400, 60, 5)];
export const rows = [...ids.entries()];

/** What any list of pages comes to when it is renumbered: the only thing that two readings have to agree on. */
export function renumbered(pages: readonly unknown[]): number[] {
  const numbers = new Map<unknown, number>();
  return pages.map((page) => {
    const number = numbers.get(page) ?? numbers.size;
    numbers.set(page, number);
    return number;
  });
}

function nextAccesses(base: number): number[] {
  return ids.map((id, index) => {
    const next = ids.indexOf(id, index + 1);
    return next < 0 ? -1 : next + base;
  });
}

function oracleRecords(base: number, never = -1n): Buffer {
  const next = nextAccesses(base);
  const bytes = Buffer.alloc(24 * ids.length);
  for (const [index, id] of rows) {
    bytes.writeUInt32LE(1_600_000_000 + index, 24 * index);
    bytes.writeBigUInt64LE(0xf000_0000_0000_0000n + BigInt(id), 24 * index + 4);
    bytes.writeUInt32LE(4096, 24 * index + 12);
    bytes.writeBigInt64LE(next[index]! < 0 ? never : BigInt(next[index]!), 24 * index + 16);
  }
  return bytes;
}

export function words64(value: (id: number) => bigint): Buffer {
  const bytes = Buffer.alloc(8 * ids.length);
  for (const [index, id] of rows) bytes.writeBigUInt64LE(value(id), 8 * index);
  return bytes;
}

export function words32(): Buffer {
  const bytes = Buffer.alloc(4 * ids.length);
  for (const [index, id] of rows) bytes.writeUInt32LE(id * 7, 4 * index);
  return bytes;
}

interface Sample {
  readonly format: string;
  readonly what: string;
  readonly data: readonly string[] | Buffer;
  /** After the file's name. */
  readonly columns?: string;
  /** Default: the ids, each once. */
  readonly pages?: readonly unknown[];
  /** How many requests there are; default: as many as accesses. */
  readonly requests?: number;
  readonly details?: RegExp;
}

const time = (index: number) => 1_577_808_000 + Math.floor(index / 10);
const alternating = (index: number) => (index % 3 === 0 ? 'Write' : 'Read');
/** Pages of 4096 bytes that 4096 or, each second time, 6144 bytes at a page's begin touch. */
const twoPages = rows.flatMap(([index, id]) => (index % 2 === 0 ? [id] : [id, id + 1]));

const blockFormats: readonly Sample[] = [
  {
    format: 'msr-cambridge',
    what: 'without a header',
    data: rows.map(
      ([index, id]) =>
        `${128166372003061629n + BigInt(index)},usr,${index % 2},${alternating(index)},${id * 4096},${index % 2 === 0 ? 4096 : 6144},12345`,
    ),
    pages: rows.flatMap(([index, id]) => (index % 2 === 0 ? [`0:${id}`] : [`1:${id}`, `1:${id + 1}`])),
    requests: 400,
    details: /pages of 4096 bytes/,
  },
  {
    format: 'msr-cambridge',
    what: 'with its header',
    data: [
      'Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime',
      ...rows.map(([index, id]) => `${128166372003061629n + BigInt(index)},usr,0,Read,${id * 4096},4096,12345`),
    ],
  },
  {
    format: 'alibaba-block',
    what: 'without a header',
    data: rows.map(
      ([index, id]) =>
        `419,${index % 4 === 0 ? 'W' : 'R'},${id * 4096},${index % 2 === 0 ? 4096 : 6144},${1_577_808_000_000_129 + index}`,
    ),
    pages: twoPages,
    requests: 400,
  },
  {
    format: 'tencent-block',
    what: 'in sectors',
    data: rows.map(([index, id]) => `${time(index)},${id * 8},${index % 2 === 0 ? 8 : 12},${index % 2},${1063}`),
    pages: twoPages,
    requests: 400,
  },
  {
    format: 'tencent-block',
    what: 'whose volumes have pages of their own',
    data: rows.map(([index, id]) => `${time(index)},${id * 8},8,0,${1063 + (index % 2)}`),
    pages: rows.map(([index, id]) => `${index % 2}:${id}`),
  },
  {
    format: 'blkparse',
    what: 'with several events of a request and a summary at its end',
    data: [
      ...rows.flatMap(([index, id]) => {
        const at = `  8,0    ${index % 4}   ${String(index).padStart(8)}   ${(index / 1000).toFixed(9).padStart(13)}  4162`;
        return [
          `${at}  Q   R ${id * 8} + 8 [reader]`,
          `${at}  G   R ${id * 8} + 8 [reader]`,
          `${at}  C   R ${id * 8} + 8 [0]`,
        ];
      }),
      '  8,0    1     9000     1.000000000  4162  Q   D 0 + 64 [fstrim]',
      '  8,0    1     9001     1.000000001  4162  Q FWS [jbd2/sda1-8]',
      'CPU0 (8,0):',
      ' Reads Queued:         400,     1600KiB\t Writes Queued:           0,        0KiB',
      'Total (8,0):',
    ],
    details: /queued requests.*803 lines of other events.*2 discards and flushes/,
  },
  {
    format: 'lackey',
    what: 'with the lines of valgrind around it',
    data: [
      '==4711== Lackey, an example Valgrind tool',
      ...rows.map(
        ([index, id]) =>
          `${['I ', ' L', ' S', ' M'][index % 4]} ${(0x1ffe_0000_0000 + id * 4096 + 8).toString(16).padStart(12, '0')},8`,
      ),
      '==4711== ',
    ],
    details: /2 other lines left out/,
  },
  {
    format: 'lackey',
    what: 'with an access that touches two pages, as one request',
    data: [' L 1ffff000,8', ' L 1ffffffc,8', 'I  20000000,4'],
    pages: [0x1ffff, 0x1ffff, 0x20000, 0x20000],
    requests: 3,
  },
];

const cacheFormats: readonly Sample[] = [
  {
    format: 'twitter',
    what: 'with deletes, which are no accesses',
    data: rows.flatMap(([index, id]) => [
      `${Math.floor(index / 10)},nz:${id.toString(16)}-Qq,10,${100 + id},${index % 7},${['get', 'gets', 'set', 'add'][index % 4]},0`,
      ...(index % 100 === 0 ? [`${Math.floor(index / 10)},other,5,0,1,delete,0`] : []),
    ]),
    details: /4 deletes left out/,
  },
  {
    format: 'cachelib-kvcache',
    what: 'whose lines stand for op_count accesses',
    data: [
      'key,op,size,op_count,key_size',
      ...rows.map(([index, id]) => `${id},${index % 2 === 0 ? 'GET' : 'SET'},0,${1 + (index % 3)},40`),
    ],
    pages: rows.flatMap(([index, id]) => new Array<number>(1 + (index % 3)).fill(id)),
    details: /op_count times/,
  },
  {
    format: 'cachelib-kvcache',
    what: 'of the later kind, with more columns in another order',
    data: [
      'op_time,key,key_size,op,op_count,size,cache_hits,ttl,usecase,sub_usecase',
      ...rows.map(([index, id]) => `${index},7f${id.toString(16)}a,40,GET,1,55,1,0,3,2`),
    ],
  },
  {
    format: 'libcachesim-csv',
    what: 'without a header, told by its next accesses',
    data: nextAccesses(0).map((next, index) => `${time(index)},${ids[index]},4096,${next}`),
  },
  {
    format: 'libcachesim-csv',
    what: 'with a header that is a comment',
    data: [
      '# time, obj_id, obj_size, next_access_vtime',
      ...nextAccesses(1).map((next, index) => `${time(index)},${ids[index]},4096,${next}`),
    ],
  },
  { format: 'oracle-general', what: 'counted from 0, with -1 for never', data: oracleRecords(0) },
  {
    format: 'oracle-general',
    what: 'counted from 1, with the highest number for never',
    data: oracleRecords(1, 2n ** 63n - 1n),
  },
  {
    format: 'json-lines',
    what: 'with Mooncake’s lists, each of which is one request',
    data: rows.map(([index, id]) =>
      JSON.stringify({ timestamp: index * 3, input_length: 6755, output_length: 500, hash_ids: [0, id, id + 1] }),
    ),
    pages: ids.flatMap((id) => [0, id, id + 1]),
    requests: 400,
    details: /field hash_ids/,
  },
  {
    format: 'json-lines',
    what: 'with one id a line, beyond 2^53',
    data: ids.map((id) => `{"ts": 1, "page_id": ${9_007_199_254_740_992n + BigInt(id)}, "size": 12}`),
  },
  {
    format: 'json-lines',
    what: 'of lists alone',
    data: ids.map((id) => `[${id}, "k${id}"]`),
    pages: ids.flatMap((id) => [id, `k${id}`]),
    requests: 400,
  },
  {
    format: 'json-lines',
    what: 'with a named field within an object',
    data: ids.map((id, index) => JSON.stringify({ meta: { page: `p${id}` }, other: index })),
    columns: 'meta.page',
  },
];

const plainFormats: readonly Sample[] = [
  { format: 'ids', what: 'of numbers', data: ids.map(String) },
  { format: 'ids', what: 'of paths', data: ids.map((id) => `users/${id}:avatar`) },
  {
    format: 'ids',
    what: 'with a header over numbers',
    data: ['page', ...ids.map(String)],
    details: /under the header page/,
  },
  {
    format: 'ids',
    what: 'with comments, blank lines and blanks around the ids',
    data: [
      '# ids of a monday',
      ...ids.flatMap((id, index) => [`  ${id}\t`, ...(index % 50 === 0 ? ['', '  ', '# then'] : [])]),
    ],
  },
  {
    format: 'lirs',
    what: 'with its marks',
    data: ids.flatMap((id, index) => (index % 100 === 99 ? [String(id), '*'] : [String(id)])),
    details: /4 \* marks left out/,
  },
  {
    format: 'arc-lis',
    what: 'whose counts are that many blocks, in one request',
    data: rows.map(([index, id]) => `${id * 64} ${1 + (index % 4)} 0 ${index}`),
    pages: rows.flatMap(([index, id]) => Array.from({ length: 1 + (index % 4) }, (_, block) => id * 64 + block)),
    requests: 400,
  },
  {
    format: 'csv',
    what: 'by a name',
    data: ['time,page,size', ...rows.map(([index, id]) => `${index},${id},1`)],
    columns: 'page',
    details: /column page/,
  },
  {
    format: 'csv',
    what: 'by a number, under a header or not',
    data: rows.map(([index, id]) => `${index},k${id},1`),
    columns: '2',
    details: /column 2.*no header/,
  },
  {
    format: 'csv',
    what: 'whose header leaves no choice',
    data: ['timestamp,obj_id,obj_size', ...rows.map(([index, id]) => `${index},${id},1`)],
    details: /column obj_id/,
  },
  {
    format: 'csv',
    what: 'as libCacheSim has it beside its sources',
    data: ['version,time,op,size,lbn', ...rows.map(([index, id]) => `1,${33_898 + index},2a,512,${42_932_745 + id}`)],
    details: /column lbn/,
  },
  {
    format: 'csv',
    what: 'with the header again where files were joined',
    data: ['time,id', ...rows.flatMap(([index, id]) => [`${index},${id}`, ...(index === 99 ? ['time,id'] : [])])],
    details: /1 repeated headers left out/,
  },
  {
    format: 'csv',
    what: 'by several columns as one id',
    data: ['volume,block', ...rows.map(([index, id]) => `${index % 2},${id}`)],
    columns: 'volume,block',
    pages: rows.map(([index, id]) => `${index % 2}:${id}`),
  },
  {
    format: 'csv',
    what: 'by a column and its repetitions',
    data: ['id,n', ...rows.map(([index, id]) => `${id},${index % 3}`)],
    columns: 'id*n',
    pages: rows.flatMap(([index, id]) => new Array<number>(index % 3).fill(id)),
  },
  {
    format: 'csv',
    what: 'by offsets and sizes in bytes',
    data: ['at,bytes', ...rows.map(([index, id]) => `${id * 4096},${index % 2 === 0 ? 4096 : 6144}`)],
    columns: 'at+bytes',
    pages: twoPages,
    requests: 400,
  },
  {
    format: 'csv',
    what: 'by a volume, offsets and sizes',
    data: rows.map(([index, id]) => `v${index % 2},${id * 4096},4096`),
    columns: '1,2+3',
    pages: rows.map(([index, id]) => `${index % 2}:${id}`),
  },
  {
    format: 'csv',
    what: 'with quoted fields, separators and line ends in them',
    data: ['when,key,note', ...rows.map(([index, id]) => `${index},"k,${id}","a ""b""\nc"`)],
    columns: 'key',
  },
  {
    format: 'csv-semicolon',
    what: 'with decimal commas',
    data: ['t;key;v', ...rows.map(([index, id]) => `${index},5;${id};0,25`)],
    columns: 'key',
  },
  { format: 'csv-pipe', what: 'by a number', data: rows.map(([index, id]) => `${index}|${id}|x`), columns: '2' },
  {
    format: 'tsv',
    what: 'with empty fields at the ends',
    data: ['a\tid\tb', ...ids.map((id) => `\t${id}\t`)],
    columns: 'id',
  },
  {
    format: 'columns',
    what: 'with operations and addresses',
    data: rows.map(
      ([index, id]) => `${index % 4 === 0 ? 's' : 'l'} 0x${(0x1fff_0000 + id * 16).toString(16)}   ${index % 7}`,
    ),
    columns: '2',
  },
  { format: 'u32', what: 'by its content', data: words32() },
  { format: 'u64', what: 'by its content', data: words64(BigInt) },
  { format: 'u64', what: 'of more than 32 bits', data: words64((id) => (BigInt(id) << 40n) | 0xff00_0005n) },
];

export const samples: readonly Sample[] = [...plainFormats, ...blockFormats, ...cacheFormats];
