import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { readTrace } from '../../../../adapters/compare/trace/trace-file.js';
import { PoolError } from '../../../../lib/errors.js';
import { madeUpIds, realTraces, TemporaryFolder } from './traces.js';

function words(...ids: number[]): Buffer {
  const bytes = Buffer.alloc(ids.length * 4);
  for (const [index, id] of ids.entries()) bytes.writeUInt32LE(id, index * 4);
  return bytes;
}

describe('a trace file', () => {
  let folder: TemporaryFolder;
  beforeEach(() => {
    folder = new TemporaryFolder();
  });
  afterEach(() => folder.remove());

  async function idsOf(source: string): Promise<number[]> {
    return [...(await readTrace(source)).ids];
  }

  async function refusal(source: string): Promise<string> {
    try {
      await readTrace(source);
    } catch (error) {
      expect(error).to.be.instanceOf(PoolError);
      expect((error as PoolError).code).to.equal('OPTION_INVALID');
      return (error as PoolError).message;
    }
    throw new Error(`${source} was read`);
  }

  it('of little-endian words is renumbered densely in order of first appearance, plain or compressed', async () => {
    const bytes = words(4_000_000_000, 7, 4_000_000_000, 1, 7);
    for (const path of [
      folder.write('a.u32', bytes),
      folder.write('b.u32.br', brotliCompressSync(bytes)),
      folder.write('c.u32.gz', gzipSync(bytes)),
    ]) {
      const trace = await readTrace(path);
      expect([...trace.ids], path).to.deep.equal([0, 1, 0, 2, 1]);
      expect(trace.unique).to.equal(3);
      expect(trace.starts).to.equal(undefined);
    }
    expect((await readTrace(join(folder.path, 'b.u32.br'))).name).to.equal('b');
  });

  it('of text takes integers beyond 32 bits, strings, and both line ends', async () => {
    expect(
      await idsOf(folder.write('a.txt', '9007199254740991\r\n9007199254740990\r\n9007199254740991')),
    ).to.deep.equal([0, 1, 0]);
    expect(await idsOf(folder.write('b', 'users/7\norders\nusers/7\n'))).to.deep.equal([0, 1, 0]);
    expect(await idsOf(folder.write('c.txt', '7\n007\nseven\n'))).to.deep.equal([0, 0, 1]);
  });

  it('of text tells integers apart that a double could not', async () => {
    expect(await idsOf(folder.write('a.txt', '9007199254740992\n9007199254740993\n'))).to.deep.equal([0, 1]);
  });

  it('of CSV gives the named column, quoted fields included', async () => {
    const text = 'time,page,note\r\n1,30,plain\r\n2,"20","a, ""quoted""\nnote"\n3,30,\n';
    const path = folder.write('a.csv', text);
    expect(await idsOf(`${path}:page`)).to.deep.equal([0, 1, 0]);
    expect(await idsOf(`${path}:time`)).to.deep.equal([0, 1, 2]);
    expect(await idsOf(`${folder.write('a.csv.gz', gzipSync(text))}:page`)).to.deep.equal([0, 1, 0]);
    expect(await idsOf(folder.write('one.csv', 'page\n5\n5\n'))).to.deep.equal([0, 0]);
  });

  it('whose whole name has a colon is that file, not a column of another', async () => {
    expect(await idsOf(folder.write('a:b', '1\n2\n'))).to.deep.equal([0, 1]);
  });

  it('takes the request starts beside it, plain or compressed', async () => {
    const path = folder.write('a.u32', words(1, 2, 3, 4, 5, 6, 7, 8, 9));
    const bits = new Uint8Array([0b0001_0001, 1]);
    folder.write('a.start.bits.br', brotliCompressSync(bits));
    expect((await readTrace(path)).starts).to.deep.equal(Buffer.from(bits));
    folder.write('a.start.bits', bits);
    expect((await readTrace(path)).starts).to.deep.equal(Buffer.from(bits));
  });

  it('is refused with its name and the byte where binary data are no trace', async () => {
    const path = folder.write('a.u32', Buffer.alloc(9));
    expect(await refusal(path))
      .to.include(path)
      .and.include('byte 8');
    const whole = brotliCompressSync(Buffer.from(madeUpIds(40_000, 5000).buffer));
    const cut = folder.write('b.u32.br', whole.subarray(0, 9000));
    expect(await refusal(cut))
      .to.include(cut)
      .and.include('byte 9000');
    const longer = folder.write('c.u32.br', Buffer.concat([whole, Buffer.from('more')]));
    expect(await refusal(longer)).to.include(`byte ${whole.length}`);
    expect(await refusal(folder.write('d.u32.gz', 'no gzip'))).to.match(/d\.u32\.gz.*byte 0/);
    expect(await refusal(folder.write('e.u32', ''))).to.match(/e\.u32.*byte 0/);
  });

  it('is refused with its name and the line where text is no trace', async () => {
    expect(await refusal(folder.write('a.txt', '1\n\n2\n'))).to.match(/a\.txt.*line 2 /);
    expect(await refusal(folder.write('b.txt', Buffer.from([0x31, 10, 0x32, 10, 0xff, 10])))).to.match(
      /line 3 .*byte 4/,
    );
    expect(await refusal(folder.write('c.txt', Buffer.from([0x31, 10, 0x32, 0, 10])))).to.match(/line 2 .*byte 3/);
    const csv = folder.write('d.csv', 'a,b\n1,2\n3\n4,\n');
    expect(await refusal(csv)).to.match(/line 1 has a, b/);
    expect(await refusal(`${csv}:c`)).to.match(/no column c in line 1/);
    expect(await refusal(`${csv}:b`)).to.match(/line 3 has 1 fields/);
    expect(await refusal(folder.write('e.csv', `page\n1\n"2\n${'3\n'.repeat(500)}"\n`))).to.match(
      /line 3 opens a quoted/,
    );
    expect(await refusal(`${csv}:`)).to.match(/column name/);
  });

  it('is refused with its name when it is missing, a folder, or has the wrong number of request starts', async () => {
    expect(await refusal(join(folder.path, 'none.u32'))).to.match(/none\.u32.*no such file/);
    expect(await refusal(folder.path)).to.include(folder.path);
    const path = folder.write('a.u32', words(1, 2, 3));
    folder.write('a.start.bits', new Uint8Array(2));
    expect(await refusal(path)).to.match(/a\.start\.bits.*byte 2/);
  });
});

if (existsSync(realTraces)) {
  it('a real trace with request starts has a bit for each access', async () => {
    const trace = await readTrace(join(realTraces, 'arc-p12.u32.br'));
    expect(trace.starts).to.have.length(Math.ceil(trace.ids.length / 8));
    let requests = 0;
    for (const byte of trace.starts!) for (let bits = byte; bits > 0; bits &= bits - 1) requests += 1;
    expect(requests).to.equal(518_776);
  });
}
