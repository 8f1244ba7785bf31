import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { expect } from 'chai';
import { PoolFile } from '../../lib/linux/index.js';
import { connect, destroy, format, inspect, PoolError, type PoolErrorCode } from '../../src/index.js';
import { LAYOUT_VERSION, Superblock } from '../../src/pool/layout/layout.js';
import type { Page } from '../../src/pool/layout/types.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { useProcesses } from '../process/child.js';
import { contentOf, random } from '../support/content.js';
import { codeOf, KIB, LONG, MIB, pause, settle, usePools } from '../support/pools.js';

const SMALL = { size: 2 * MIB, pageSize: 4 * KIB, maxNodes: 8 } as const;
const MEMBERSHIP_BYTE = 4096;

/** Puts until nothing more fits in any shard, lets every slot wait for its release, and takes all of it away again. */
async function useWhole(pool: AttachedPool): Promise<void> {
  const pages: (Page | undefined)[] = [];
  let refused = 0;
  for (let i = 0; refused < 1000; i++) {
    const code = await codeOf(() => pool.put(`empty-${i}`, new Uint8Array(0)));
    if (code !== 'nothing thrown') {
      expect(code).to.equal('POOL_FULL');
      refused++;
      continue;
    }
    pages.push(pool.get(`empty-${i}`));
    pool.delete(`empty-${i}`);
  }
  expect(pages.length).to.be.at.least(pool.info.maxObjects);
  for (const page of pages) page?.release();
  await settle(pool);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 1500; i++) {
      if (!pool.put(`k${round}-${i}`, contentOf('k', i, 16 + ((i * 131) % 3000))))
        throw new Error('a new key was refused');
    }
  }
  for (const { keyBytes } of [...pool.list()]) pool.delete(keyBytes);
  await settle(pool);
  expect([pool.stats().bytesUsed, pool.stats().objects]).to.deep.equal([0, 0]);
}

describe('conformance: format and open', () => {
  const pools = usePools();
  const processes = useProcesses();

  it('of six processes that open one path at once, one formats and all are nodes of that pool', async () => {
    const nodes = await Promise.all(Array.from({ length: 6 }, () => processes.start()));
    for (let round = 0; round < 4; round++) {
      const path = pools.path();
      const ids = await Promise.all(nodes.map((node) => node.call('connect', path, { create: SMALL })));
      expect(new Set(ids).size).to.equal(6);
      for (const [i, node] of nodes.entries()) await node.call('put', `k${i}`, Uint8Array.of(i));
      for (const node of nodes) {
        for (let i = 0; i < 6; i++) expect(await node.call('get', `k${i}`)).to.deep.equal(Uint8Array.of(i));
      }
      expect(await nodes[0]?.call('nodes')).to.have.length(6);
      await Promise.all(nodes.map((node) => node.call('disconnect')));
    }
  });

  it('of six processes that format one path at once, one does and the others say POOL_EXISTS', async () => {
    const nodes = await Promise.all(Array.from({ length: 6 }, () => processes.start()));
    const path = pools.path();
    const codes = await Promise.all(nodes.map((node) => codeOf(() => node.call('format', path, SMALL))));
    expect(codes.sort()).to.deep.equal(['nothing thrown', ...Array.from({ length: 5 }, () => 'POOL_EXISTS')].sort());
  });

  it('while somebody else formats, others wait, time out or are aborted, and then join', async () => {
    const path = pools.path();
    await format(path, SMALL);
    const formatter = PoolFile.open(path, { writable: true, trustUids: [] });
    expect(formatter.tryLock(MEMBERSHIP_BYTE)).to.equal(true);
    expect(await codeOf(() => connect(path, { timeoutMs: 50 }))).to.equal('TIMEOUT');
    const signal = AbortSignal.timeout(20);
    expect(await codeOf(() => connect(path, { signal }))).to.equal('ABORTED');
    const reason = new Error('enough');
    const error = await connect(path, { signal: AbortSignal.abort(reason) }).catch((thrown: unknown) => thrown);
    expect(error instanceof PoolError && [error.code, error.cause]).to.deep.equal(['ABORTED', reason]);
    const waiting = pools.connect(path, { timeoutMs: 60_000 });
    await pause(30);
    formatter.close();
    expect((await waiting).put('k', Uint8Array.of(1))).to.equal(true);
  });

  it('a node that attaches gets the geometry of the pool that is there', async () => {
    const pool = await pools.create(SMALL);
    const other = await pools.connect(pool.path, { create: { size: '64MiB', eviction: 'lru', pageSize: 1000 } });
    expect(other.info).to.deep.equal(pool.info);
  });

  it('format refuses what is there, force replaces it, and IN_USE protects a live node from both', async () => {
    const pool = await pools.create(SMALL);
    const { poolId } = pool.info;
    expect(await codeOf(() => format(pool.path, SMALL))).to.equal('POOL_EXISTS');
    expect(await codeOf(() => format(pool.path, { ...SMALL, force: true }))).to.equal('IN_USE');
    expect(await codeOf(() => destroy(pool.path))).to.equal('IN_USE');
    await pool.disconnect();
    const info = await format(pool.path, { ...SMALL, force: true });
    expect(info.poolId).not.to.equal(poolId);
    await destroy(pool.path);
    expect(await codeOf(() => destroy(pool.path))).to.equal('POOL_NOT_FOUND');
  });

  it('a node that was killed does not keep a pool from being destroyed', async () => {
    const path = pools.path();
    await format(path, SMALL);
    const [node] = await processes.connect(path, 1);
    expect(await codeOf(() => destroy(path))).to.equal('IN_USE');
    await node?.kill();
    await destroy(path);
    expect(existsSync(path)).to.equal(false);
  });

  it('formatting, being refused and destroying leave nothing mapped: the memory goes with the file', async () => {
    const path = pools.path();
    const mapped = () =>
      readFileSync('/proc/self/maps', 'utf8')
        .split('\n')
        .filter((line) => line.includes(path));
    await format(path, SMALL);
    expect(await codeOf(() => format(path, SMALL))).to.equal('POOL_EXISTS');
    await format(path, { ...SMALL, force: true });
    await inspect(path);
    await destroy(path);
    expect(mapped()).to.deep.equal([]);
  });

  it('the file has the mode that was asked for, whatever the umask, and 0600 by default', async () => {
    const before = process.umask(0o077);
    try {
      for (const mode of [0o600, 0o660, 0o644]) {
        const path = pools.path();
        await format(path, { ...SMALL, mode });
        expect(statSync(path).mode & 0o777).to.equal(mode);
      }
      process.umask(0);
      const path = pools.path();
      await format(path, SMALL);
      expect(statSync(path).mode & 0o777).to.equal(0o600);
    } finally {
      process.umask(before);
    }
  });
});

describe('conformance: interrupted formats', () => {
  const pools = usePools();
  const processes = useProcesses();

  it('a format cut off before its last store is seen, and redone by who may create, whatever it left', async () => {
    for (const earlier of [
      SMALL,
      { ...SMALL, maxObjects: 40, eviction: 'lru' as const },
      { ...SMALL, size: 3 * MIB },
    ]) {
      const path = pools.path();
      await format(path, earlier);
      // What a formatter leaves that dies just before it writes the superblock: magic alone, and all regions filled.
      const bytes = readFileSync(path);
      bytes.fill(0, 8, Superblock.bytes);
      writeFileSync(path, bytes);
      expect(await codeOf(() => connect(path))).to.equal('POOL_CORRUPT');
      expect(await codeOf(() => connect(path, { readOnly: true }))).to.equal('POOL_CORRUPT');
      const pool = await pools.connect(path, { create: SMALL });
      expect(statSync(path).size).to.equal(SMALL.size);
      await useWhole(pool);
    }
  });

  it('a process killed while it formats leaves a path that the next opener can use', async function () {
    this.timeout(120_000);
    const seen = new Set<string>();
    const rounds = LONG ? 60 : 8;
    for (let round = 0; round < rounds; round++) {
      const path = pools.path();
      const node = await processes.start();
      const formatting = node.call('format', path, { size: '96MiB', pageSize: KIB }).catch(() => {});
      // However slow the machine is, the last one is through.
      await (round < rounds - 1 ? pause(round * 12) : formatting);
      await node.kill();
      const code = await codeOf(async () => (await pools.connect(path)).disconnect());
      seen.add(code);
      expect(code).to.be.oneOf(['nothing thrown', 'POOL_NOT_FOUND', 'FORMAT_MISMATCH', 'POOL_CORRUPT']);
      const pool = await pools.connect(path, { create: SMALL });
      if (code === 'nothing thrown') expect(pool.put('k', new Uint8Array(100))).to.equal(true);
      else {
        expect(pool.info.size).to.equal(SMALL.size);
        await useWhole(pool);
      }
      await pool.disconnect();
      await destroy(path);
    }
    expect([...seen], [...seen].join()).to.include('nothing thrown');
    expect(seen.size, [...seen].join()).to.be.at.least(2);
  });
});

/** The file's first bytes changed by `change`. */
function tamper(path: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  change(bytes);
  writeFileSync(path, bytes);
}

describe('conformance: what is no pool is refused', () => {
  const pools = usePools();
  const { word } = Superblock;

  const wrongs: [what: string, code: string, change: (bytes: Buffer) => void][] = [
    ['another magic', 'FORMAT_MISMATCH', (bytes) => bytes.writeUInt32LE(0x12345678, word.magicLow * 4)],
    ['another half of the magic', 'FORMAT_MISMATCH', (bytes) => bytes.writeUInt32LE(0x12345678, word.magicHigh * 4)],
    ['a newer version', 'FORMAT_MISMATCH', (bytes) => bytes.writeUInt32LE(LAYOUT_VERSION + 1, word.version * 4)],
    ['an older version', 'FORMAT_MISMATCH', (bytes) => bytes.writeUInt32LE(LAYOUT_VERSION - 1, word.version * 4)],
    ['another layout', 'FORMAT_MISMATCH', (bytes) => bytes.writeUInt32LE(1, word.fingerprint * 4)],
    ['another size', 'POOL_CORRUPT', (bytes) => bytes.writeUInt32LE(MIB, word.size * 4)],
    ['another ready word', 'POOL_CORRUPT', (bytes) => bytes.writeUInt32LE(1, word.ready * 4)],
    ['no ready word', 'POOL_CORRUPT', (bytes) => bytes.writeUInt32LE(0, word.ready * 4)],
  ];
  for (const [what, code, change] of wrongs) {
    it(`a superblock with ${what} is ${code}, and is not formatted over by an opener that may create`, async () => {
      const path = pools.path();
      await format(path, SMALL);
      tamper(path, change);
      expect(await codeOf(() => connect(path))).to.equal(code);
      expect(await codeOf(() => connect(path, { readOnly: true }))).to.equal(code);
      if (what === 'no ready word') return;
      expect(await codeOf(() => connect(path, { create: SMALL }))).to.equal(code);
      expect(await codeOf(() => format(path, SMALL))).to.equal('POOL_EXISTS');
      await format(path, { ...SMALL, force: true });
      await useWhole(await pools.connect(path));
    });
  }

  it('every bit that is turned over in the superblock is noticed or harmless', async () => {
    const path = pools.path();
    await format(path, SMALL);
    const original = readFileSync(path);
    for (let bit = 0; bit < Superblock.bytes * 8; bit++) {
      const bytes = Buffer.from(original);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      writeFileSync(path, bytes);
      const isUsed = bit >> 5 <= word.ready;
      const code = await codeOf(async () => (await connect(path)).disconnect());
      if (isUsed) expect(code, `bit ${bit}`).to.be.oneOf(['FORMAT_MISMATCH', 'POOL_CORRUPT']);
      else expect(code, `bit ${bit}`).to.equal('nothing thrown');
    }
  });

  it('a pool file cut off anywhere is refused, and never a fault', async () => {
    const path = pools.path();
    await format(path, SMALL);
    for (const size of [SMALL.size - 1, MIB, 4096, 200, 128, 127, 64, 9, 8, 7, 1]) {
      truncateSync(path, size);
      for (const options of [{}, { readOnly: true }, { create: SMALL }]) {
        const code = await codeOf(async () => (await connect(path, options)).disconnect());
        // Nine bytes are magic without anything after it: a format that was cut off, and may be redone.
        if (size < 128) expect(code, `${size}`).to.be.oneOf(['FORMAT_MISMATCH', 'POOL_CORRUPT', 'nothing thrown']);
        else expect(code, `${size}`).to.be.oneOf(['FORMAT_MISMATCH', 'POOL_CORRUPT']);
        if (code === 'nothing thrown') truncateSync(path, size);
      }
    }
    truncateSync(path, 0);
    expect(await codeOf(() => connect(path))).to.equal('FORMAT_MISMATCH');
    expect(await codeOf(() => connect(path, { readOnly: true }))).to.equal('FORMAT_MISMATCH');
    await useWhole(await pools.connect(path, { create: SMALL }));
  });

  it('a file full of garbage, or of zeroes, is refused and left as it is until force', async () => {
    const below = random(3);
    for (const fill of [() => below(256), () => 0, () => 0xff]) {
      const path = pools.path();
      const bytes = Buffer.from(Array.from({ length: 64 * KIB }, fill));
      writeFileSync(path, bytes, { mode: 0o600 });
      for (const options of [{}, { readOnly: true }, { create: SMALL }]) {
        expect(await codeOf(() => connect(path, options))).to.equal('FORMAT_MISMATCH');
      }
      expect(await codeOf(() => format(path, SMALL))).to.equal('POOL_EXISTS');
      expect(await codeOf(() => destroy(path))).to.equal('FORMAT_MISMATCH');
      expect(Buffer.compare(readFileSync(path), bytes)).to.equal(0);
      await format(path, { ...SMALL, force: true });
      await useWhole(await pools.connect(path));
    }
  });

  it('garbage behind a superblock with the right magic is refused', async () => {
    const path = pools.path();
    const below = random(4);
    const bytes = Buffer.from(Array.from({ length: 64 * KIB }, () => below(256)));
    bytes.write('sealpool', 0, 'latin1');
    writeFileSync(path, bytes, { mode: 0o600 });
    for (const options of [{}, { readOnly: true }, { create: SMALL }]) {
      expect(await codeOf(() => connect(path, options))).to.be.oneOf(['FORMAT_MISMATCH', 'POOL_CORRUPT']);
    }
  });
});

describe('conformance: what is not to be trusted is refused', () => {
  const pools = usePools();

  async function expectRefused(path: string, code: PoolErrorCode = 'ACCESS_DENIED'): Promise<void> {
    for (const options of [{}, { readOnly: true }, { create: SMALL }]) {
      expect(await codeOf(() => connect(path, options)), JSON.stringify(options)).to.equal(code);
    }
    expect(await codeOf(() => destroy(path))).to.equal(code);
    expect(await codeOf(() => format(path, { ...SMALL, force: true }))).to.equal(code);
  }

  it('a symbolic link, to a pool or to nothing', async () => {
    const [target, link, dangling, nowhere] = [pools.path(), pools.path(), pools.path(), pools.path()];
    await format(target, SMALL);
    symlinkSync(target, link);
    symlinkSync(nowhere, dangling);
    await expectRefused(link);
    await expectRefused(dangling);
    expect(existsSync(nowhere)).to.equal(false);
    expect(statSync(target).size).to.equal(SMALL.size);
  });

  it('a world-writable file', async () => {
    const path = pools.path();
    await format(path, SMALL);
    chmodSync(path, 0o606);
    await expectRefused(path);
    chmodSync(path, 0o604);
    await (await pools.connect(path)).disconnect();
    expect(await codeOf(() => format(pools.path(), { ...SMALL, mode: 0o666 }))).to.equal('OPTION_INVALID');
  });

  it('a folder, and a pipe, without waiting for its other end', async () => {
    const [folder, pipe] = [pools.path(), pools.path()];
    mkdirSync(folder);
    execFileSync('mkfifo', [pipe]);
    await expectRefused(folder, 'OPTION_INVALID');
    await expectRefused(pipe);
  });

  if (process.getuid?.() === 0) {
    it('a file of another user, unless that user is named as trusted', async () => {
      const path = pools.path();
      await format(path, SMALL);
      chownSync(path, 12_345, 12_345);
      await expectRefused(path);
      expect(await codeOf(() => connect(path, { trustUids: [1, 2] }))).to.equal('ACCESS_DENIED');
      await (await pools.connect(path, { trustUids: [12_345] })).disconnect();
      await (await pools.connect(path, { trustUids: [12_345], readOnly: true })).disconnect();
    });
  } else {
    it('a file of root is trusted, and one of another user cannot be made here', async () => {
      expect(await codeOf(() => connect('/etc/hostname'))).to.be.oneOf(['FORMAT_MISMATCH', 'ACCESS_DENIED']);
    });
  }

  it('a pool reached by a hard link or moved to another path is the same pool', async () => {
    const path = pools.path();
    const pool = await pools.create(SMALL);
    linkSync(pool.path, path);
    const other = await pools.connect(path);
    expect(other.put('k', Uint8Array.of(1))).to.equal(true);
    expect(pool.has('k')).to.equal(true);
    await other.disconnect();
    await pool.disconnect();
    const moved = pools.path();
    renameSync(path, moved);
    expect((await pools.connect(moved)).has('k')).to.equal(true);
  });
});
