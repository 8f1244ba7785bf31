import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { brotliCompressSync, deflateRawSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { madeUpIds, readWhole, TemporaryFolder } from './traces.js';

const ids = [...madeUpIds(30_000, 4000, 9)];
const text = Buffer.from(`${ids.join('\n')}\n`);

function hasCommand(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`]);
    return true;
  } catch {
    return false;
  }
}

/** A zstd frame without compression: a header that says so, blocks of at most 128 KiB as they are. */
function zstdFrame(content: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(content.length);
  // Magic; a single segment whose content size has four bytes.
  const parts: Buffer[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0]), size];
  for (let at = 0; at < content.length; at += 100_000) {
    const block = content.subarray(at, at + 100_000);
    const isLast = at + 100_000 >= content.length ? 1 : 0;
    const header = Buffer.alloc(3);
    header.writeUIntLE((block.length << 3) | isLast, 0, 3);
    parts.push(header, block);
  }
  return Buffer.concat(parts);
}

function skippableFrame(content: Buffer): Buffer {
  const header = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}

const half = Math.floor(text.length / 2);
const [first, second] = [text.subarray(0, half), text.subarray(half)];
const joinedFrames = [
  skippableFrame(Buffer.alloc(12)),
  zstdFrame(first),
  skippableFrame(Buffer.from('note')),
  zstdFrame(second),
];

describe('the input of a trace', () => {
  const folder = new TemporaryFolder();
  after(() => folder.remove());
  const digest = (numbers: readonly number[]) => createHash('sha1').update(numbers.join()).digest('hex');
  let right = '';
  before(async () => {
    right = digest((await readWhole(folder.write('plain.txt', text))).ids);
  });

  async function expectRead(data: Uint8Array, details: readonly string[], name = 'a-file'): Promise<void> {
    const trace = await readWhole(folder.write(name, data));
    expect(trace.format).to.equal('ids');
    expect(digest(trace.ids)).to.equal(right);
    expect(trace.details).to.deep.equal(details);
  }

  async function refusal(data: Uint8Array | string, name = 'a-file'): Promise<string> {
    const read = await readWhole(folder.write(name, data)).then(
      ({ format }) => `read as ${format}`,
      (error: Error & { code?: string }) => `${error.code} ${error.message}`,
    );
    expect(read).to.match(/^OPTION_INVALID/);
    return read;
  }

  it('is gzip by content, of one member or many, with zeros between and after them', async () => {
    const members = [gzipSync(first), gzipSync(second)] as const;
    await expectRead(gzipSync(text), ['gzip']);
    await expectRead(gzipSync(text), ['gzip'], 'UPPER.TXT');
    await expectRead(Buffer.concat(members), ['gzip']);
    await expectRead(Buffer.concat([members[0], Buffer.alloc(512), members[1], Buffer.alloc(70_000)]), ['gzip']);
  });

  it('is refused where something else follows the last member, or it ends too early', async () => {
    const whole = gzipSync(text);
    expect(await refusal(Buffer.concat([whole, Buffer.from('stray')]))).to.match(/cannot be read near byte/);
    expect(await refusal(Buffer.concat([whole, Buffer.alloc(100), Buffer.from('stray')]))).to.match(/near byte/);
    expect(await refusal(whole.subarray(0, 2000))).to.match(/near byte 2000/);
    expect(await refusal(Buffer.concat(joinedFrames).subarray(0, half + 1000))).to.match(/near byte/);
  });

  it('is zstd by content, of joined frames and frames to be skipped, each of them counted', async () => {
    await expectRead(zstdFrame(text), ['zstd']);
    await expectRead(Buffer.concat(joinedFrames), ['zstd']);
    await expectRead(Buffer.concat(joinedFrames), ['zstd'], 'trace.txt');
  });

  it('is brotli by content, with its name or without', async () => {
    await expectRead(brotliCompressSync(text), ['brotli'], 'trace.br');
    await expectRead(brotliCompressSync(text), ['brotli']);
    await expectRead(text, [], 'no-brotli.br');
  });

  for (const [command, options, detail] of [
    ['zstd', ['-q', '-c', '-19', '--long=24'], 'zstd'],
    ['pzstd', ['-q', '-c', '-p', '3'], 'zstd'],
    ['xz', ['-c'], 'xz'],
    ['xz', ['-c', '-T2', '--block-size=20KiB', '--check=crc64'], 'xz'],
  ] as const) {
    if (!hasCommand(command)) continue;
    it(`is what ${command} ${options.join(' ')} makes of it, twice in a row too`, async () => {
      const pack = (data: Buffer) => execFileSync(command, [...options], { input: data });
      await expectRead(pack(text), [detail]);
      await expectRead(Buffer.concat([pack(first), pack(second)]), [detail]);
    });
  }

  if (hasCommand('xz')) {
    it('of xz is refused with the command that unpacks it where its decoder knows less than xz', async () => {
      const packed = execFileSync('xz', ['-c', '--check=sha256'], { input: text });
      expect(await refusal(packed)).to.match(/xz data.*SHA-256.*xz -dc \S+a-file > trace\.txt/);
    });
  }

  it('in UTF-16 of either order, with a mark or without, is text', async () => {
    const little = Buffer.from(text.toString(), 'utf16le');
    const big = Buffer.from(little).swap16();
    await expectRead(Buffer.concat([Buffer.from([0xff, 0xfe]), little]), ['utf-16le']);
    await expectRead(Buffer.concat([Buffer.from([0xfe, 0xff]), big]), ['utf-16be']);
    await expectRead(little, ['utf-16le']);
    await expectRead(gzipSync(big), ['gzip', 'utf-16be']);
  });

  it('with a byte order mark, other line ends, or none at its end, is the same trace', async () => {
    const mark = Buffer.from([0xef, 0xbb, 0xbf]);
    await expectRead(Buffer.concat([mark, text]), []);
    await expectRead(Buffer.from(ids.join('\r\n')), []);
    await expectRead(Buffer.from(ids.join('\r')), []);
    await expectRead(
      Buffer.from(ids.map((id, index) => `${id}${['\n', '\r\n', '\r', '\n\n'][index % 4]}`).join('')),
      [],
    );
  });

  it('of numbers that begin as a mark or a compressed file does stays numbers', async () => {
    for (const begin of [65_279, 0x5d, 0x9d1f, 0xfffe]) {
      const words = Uint32Array.from([begin, ...ids]);
      const trace = await readWhole(folder.write('a.u32', new Uint8Array(words.buffer)));
      expect([trace.format, trace.ids.length], String(begin)).to.deep.equal(['u32', ids.length + 1]);
    }
    await expectRead(text, []);
    expect((await readWhole(folder.write('words.txt', 'ORCHARD\nBZh\nObj-1\n'))).ids).to.deep.equal([0, 1, 2]);
  });

  it('that it does not read is refused by its name, with the command that makes a trace of it', async () => {
    const rest = Buffer.alloc(600, 0x81);
    const begun = (bytes: readonly number[]) => Buffer.concat([Buffer.from(bytes), Buffer.from([0, 1]), rest]);
    const tar = Buffer.alloc(1024);
    tar.write('trace.txt', 0);
    tar.write('ustar', 257);
    const zip = Buffer.concat([Buffer.from('PK\u0003\u0004\u0014\0\0\0'), deflateRawSync(text)]);
    expect(await refusal(begun([0x42, 0x5a, 0x68, 0x39]))).to.match(/bzip2.*bzip2 -dc \S+a-file > trace\.txt/);
    expect(await refusal(begun([0x04, 0x22, 0x4d, 0x18]))).to.match(/lz4.*lz4 -dc/);
    expect(await refusal(Buffer.concat([skippableFrame(Buffer.alloc(9)), begun([0x04, 0x22, 0x4d, 0x18])]))).to.match(
      /lz4/,
    );
    expect(await refusal(zip)).to.match(/zip.*unzip -p/);
    expect(await refusal(tar)).to.match(/tar.*tar -xOf/);
    expect(await refusal(gzipSync(tar))).to.match(/tar.*tar -xOf/);
    expect(await refusal(begun([...Buffer.from('PAR1')]))).to.match(/Parquet/);
    expect(await refusal(gzipSync(gzipSync(text)))).to.match(/gzip within gzip/);
    expect(await refusal(Buffer.from([0xff, 0xfe, 0, 0, 0x31, 0, 0, 0, 10, 0, 0, 0]))).to.match(/UTF-32.*iconv/);
  });
});
