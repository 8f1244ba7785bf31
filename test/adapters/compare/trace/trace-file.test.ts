import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { PoolError } from '../../../../lib/errors.js';
import { madeUpIds, readWhole, realTraces, TemporaryFolder } from './traces.js';

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
    return [...(await readWhole(source)).ids];
  }

  async function refusal(source: string): Promise<string> {
    try {
      await readWhole(source);
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
      const trace = await readWhole(path);
      expect([...trace.ids], path).to.deep.equal([0, 1, 0, 2, 1]);
      expect(trace).to.include({ format: 'u32', pages: 3 });
      expect(trace.files.starts).to.equal(undefined);
    }
    expect((await readWhole(join(folder.path, 'b.u32.br'))).name).to.equal('b');
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

  it('takes the request starts beside it, plain or compressed, in place of its own', async () => {
    const path = folder.write('a.u32', words(1, 2, 3, 4, 5, 6, 7, 8, 9));
    const bits = new Uint8Array([0b0001_0001, 1]);
    folder.write('a.start.bits.br', brotliCompressSync(bits));
    expect((await readWhole(path)).begins).to.deep.equal([0, 4, 8]);
    folder.write('a.start.bits', bits);
    expect((await readWhole(path)).begins).to.deep.equal([0, 4, 8]);
    // Bits may look like the mark of a text, or like compressed data.
    const text = folder.write('b.txt', '1\n'.repeat(24));
    folder.write('b.start.bits', new Uint8Array([0xff, 0xfe, 1]));
    expect((await readWhole(text)).begins).to.have.length(16);
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
    expect(await refusal(folder.write('d.u32.gz', Buffer.from([0x1f, 0x8b, 8, 0, 1, 2])))).to.match(
      /d\.u32\.gz.*byte 6/,
    );
    expect(await refusal(folder.write('e.u32', ''))).to.match(/e\.u32.*byte 0/);
  });

  it('is refused with its name and the line where text is no trace', async () => {
    expect(await refusal(folder.write('b.txt', Buffer.from([0x31, 10, 0x32, 10, 0xff, 10])))).to.match(
      /line 3 .*byte 4/,
    );
    const late = Buffer.from(`${'1\n'.repeat(200_000)}2\0\n`);
    expect(await refusal(folder.write('c.txt', late))).to.match(/line 200001 .*byte 400001/);
    const csv = folder.write('d.csv', 'a,b\n1,2\n3\n4,\n');
    expect(await refusal(csv)).to.match(
      /line 1 has the columns a, b.*name its column, as in: sealpool compare \S*d\.csv:[ab] /,
    );
    expect(await refusal(`${csv}:c`)).to.match(/no column c in line 1/);
    expect(await refusal(`${csv}:b`)).to.match(/line 3 has 1 fields/);
    expect(await refusal(folder.write('e.csv', `page\n1\n"2\n${'3\n'.repeat(500)}"\n`))).to.match(
      /line 3 opens a quote/,
    );
    expect(await refusal(`${folder.write('f.csv', `a,b\n1,2\n1,"2\n${'1,3\n'.repeat(500)}"\n`)}:a`)).to.match(
      /line 67 is in a quoted field that began 64 lines before/,
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
    const trace = await readWhole(join(realTraces, 'arc-p12.u32.br'));
    expect(trace.begins).to.have.length(518_776);
    expect(trace.details).to.deep.equal(['brotli']);
  });
}
