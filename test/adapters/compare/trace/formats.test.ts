import { expect } from 'chai';
import { PoolError } from '../../../../lib/errors.js';
import { ids, renumbered, rows, samples, words32, words64 } from './samples.js';
import { madeUpIds, readWhole, TemporaryFolder } from './traces.js';

describe('the formats of traces', () => {
  const folder = new TemporaryFolder();
  after(() => folder.remove());

  for (const { format, what, data, columns, pages = ids, requests, details } of samples) {
    it(`recognise ${format} ${what}, whatever the file is called`, async () => {
      const file = folder.write(
        'trace',
        typeof data === 'object' && Buffer.isBuffer(data) ? data : `${(data as string[]).join('\n')}\n`,
      );
      const trace = await readWhole(columns === undefined ? file : `${file}:${columns}`);
      expect(trace.format).to.equal(format);
      expect(trace.ids).to.deep.equal(renumbered(pages));
      expect(trace.pages).to.equal(new Set(pages).size);
      expect(trace.begins).to.have.length(requests ?? pages.length);
      if (details !== undefined) expect(trace.details.join('; ')).to.match(details);
    });
  }

  it('give pages of the size that was asked for', async () => {
    const file = folder.write('trace', '1,0,0\n2,16384,16384\n3,0,1\n4,4095,2\n');
    const pagesOf = async (pageSize: number) => (await readWhole(`${file}:2+3`, { pageSize })).ids;
    expect(await pagesOf(4096)).to.deep.equal([0, 1, 2, 3, 4, 4, 5]);
    expect(await pagesOf(16384)).to.deep.equal([0, 1, 1]);
    expect(await pagesOf(65536)).to.deep.equal([0, 0, 0]);
  });

  it('count offsets beyond 2^53 exactly', async () => {
    const file = folder.write(
      'trace',
      '18446744073709547520,4096\n18446744073709543424,8192\n9007199254740992,1\n9007199254740993,1\n',
    );
    expect((await readWhole(`${file}:1+2`)).ids).to.deep.equal([0, 1, 0, 2, 2]);
  });

  it('take a number for the same page in every spelling, to 64 bits', async () => {
    const spellings = ['160', '0160', '0xA0', '0xa0', '0X00a0', ' 160 ', '"160"'];
    const large = ['18446744073709551615', '0xffffffffffffffff', '18446744073709551614', '018446744073709551615'];
    const others = [
      '160.0',
      '-160',
      'a0',
      '18446744073709551616',
      '18446744073709551617',
      '9007199254740993',
      '9007199254740992',
    ];
    const file = folder.write('trace', `${[...spellings, ...large, ...others].join('\n')}\n`);
    expect((await readWhole(file)).ids).to.deep.equal([0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 1, 3, 4, 5, 6, 7, 8, 9]);
  });

  async function refusal(data: string | Buffer, columns = '', options = {}): Promise<string> {
    const file = folder.write('trace', data);
    try {
      const { format, ids: read } = await readWhole(`${file}${columns}`, options);
      throw new Error(`read as ${format}, ${read.length} accesses`);
    } catch (error) {
      expect(error, (error as Error).message).to.be.instanceOf(PoolError);
      expect((error as PoolError).code).to.equal('OPTION_INVALID');
      return (error as PoolError).message;
    }
  }

  it('refuse lines of which several fields could be the id, with the fields and an example', async () => {
    expect(await refusal(rows.map(([index, id]) => `l 0x${id.toString(16)} ${index}`).join('\n'))).to.match(
      /line 1 has the fields 1: l, 2: 0x\w+, 3: 0, separated by blanks.*sealpool compare \S*trace:2 /,
    );
    expect(await refusal(['volume,block', '1,2', '2,2'].join('\n'))).to.match(
      /columns volume, block.*:block.*:volume,block/,
    );
    expect(await refusal('1\t2\t3\n4\t5\t6\n')).to.match(/separated by tabs/);
    expect(await refusal('{"a":1,"b":2}\n{"a":2,"b":2}\n')).to.match(/fields a, b.*sealpool compare \S*trace:a/);
  });

  it('refuse columns that are not there, and a name where there is no header', async () => {
    expect(await refusal('a,b\n1,2\n', ':c')).to.match(/no column c in line 1, which has a, b/);
    expect(await refusal('1,2\n1,3\n', ':key')).to.match(/no column key: line 1 is no header.*1 to 2/);
    expect(await refusal('1,2\n1,3\n', ':3')).to.match(/no column 3/);
    expect(await refusal('{"a":1,"b":2}\n', ':c')).to.match(/no field c in line 1, which has a, b/);
  });

  it('refuse a line that is not like the others, by its number', async () => {
    const many = (line: string) => `${line}\n`.repeat(5000);
    expect(await refusal(`a,b\n${many('1,2')}3\n`, ':b')).to.match(/line 5002 has 1 fields, column b is number 2/);
    expect(await refusal(`a,b\n${many('1,2')}3,\n`, ':b')).to.match(/line 5002 has an empty b/);
    expect(
      await refusal(
        `${many('1 1 0 0').replaceAll(/1 1 0 0\n/g, () => '')}${rows.map(([index]) => `5 1 0 ${index}\n`).join('')}x 1 0 9\n`.repeat(
          1,
        ),
      ),
    ).to.match(/line 401|line 1 /);
    expect(await refusal(`*\n${many('12')}seven\n`)).to.match(/line 5002 is neither a block number nor \*/);
    expect(await refusal(`${many('{"id":1}')}{"id":\n`)).to.match(/line 5001 is no JSON object/);
    expect(await refusal(`at,bytes\n${many('0,4096')}0,99999999999999\n`, ':at+bytes')).to.match(
      /line 5002 asks for \d+ pages/,
    );
  });

  it('refuse JSON that is one value, with the command that makes lines of it', async () => {
    expect(await refusal('[\n {"id": 1},\n {"id": 2}\n]\n')).to.match(/jq -c \.\[\]/);
  });

  it('refuse what could be two of them, and take the word of --format', async () => {
    const zeros = Buffer.alloc(64);
    expect(await refusal(zeros)).to.match(/could be u32 or u64/);
    const file = folder.write('trace', zeros);
    expect((await readWhole(file, { format: 'u32' })).ids).to.have.length(16);
    expect((await readWhole(file, { format: 'u64' })).ids).to.have.length(8);
    expect((await readWhole(folder.write('zeros.u32', zeros))).format).to.equal('u32');
    expect((await readWhole(folder.write('zeros.u64', zeros))).format).to.equal('u64');
    // Every second word is zero, which 64-bit ids would explain, or page 0 in between: its name says one thing.
    const named = folder.write('pairs.u32', words64(BigInt));
    await readWhole(named).then(
      () => expect.fail('read'),
      (error: Error) => expect(error.message).to.match(/could be u32 or u64: say which, as in --format u32/),
    );
    expect(await refusal(words64((id) => (BigInt(id) << 40n) | 5n))).to.match(/no binary format.*--format u64/);
    const words = folder.write('trace', 'a b\nc\n a  b \n');
    expect((await readWhole(words, { format: 'ids' })).ids).to.deep.equal([0, 1, 2]);
    expect(await refusal('1\n', '', { format: 'u16' })).to.match(/no format u16; the formats are ids, lirs/);
    expect(await refusal(words32(), '', { format: 'ids' })).to.match(/bytes that no text has/);
  });

  it('take no records of several numbers for ids alone', async () => {
    const pairs = Buffer.alloc(8 * ids.length);
    for (const [index, id] of rows) {
      pairs.writeUInt32LE(100_000 + index, 8 * index);
      pairs.writeUInt32LE(id + 1, 8 * index + 4);
    }
    expect(await refusal(pairs)).to.match(/no binary format that compare knows.*--format/);
    expect(await refusal(words32(), ':2')).to.match(/u32, which has no columns/);
    const counting = Uint32Array.from({ length: 50_000 }, (_, index) => index);
    expect((await readWhole(folder.write('trace', new Uint8Array(counting.buffer)))).format).to.equal('u32');
  });

  it('are not taken for block traces where sizes are bytes, nor longer than a message where a line is long', async () => {
    const lines = rows.map(([index, id]) => `${1_577_808_000 + index},${id},4096,${index % 2},7`);
    expect(await refusal(lines.join('\n'))).to.match(/nothing says which of them is the page id/);
    const message = await refusal(`${ids.join(',')}\n`);
    expect(message).to.match(/\(400 in all\)/);
    expect(message.length).to.be.lessThan(800);
  });

  it('leave out the mark that DOS puts at the end of a file', async () => {
    expect((await readWhole(folder.write('trace', '1\r\n2\r\n\u001a'))).ids).to.deep.equal([0, 1]);
  });

  it('refuse binary data of no known format, and none of known ones', async () => {
    const noise = Buffer.from(madeUpIds(5000, 2 ** 32, 3).map((id) => Math.imul(id, 0x9e37_79b1)).buffer);
    expect(await refusal(noise)).to.match(/no binary format that compare knows/);
    expect(await refusal('')).to.match(/empty/);
    expect(await refusal('# nothing\n\n')).to.match(/blank or comments/);
  });
});
