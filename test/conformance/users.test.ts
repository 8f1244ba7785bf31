/** Pools of several users: whose file is opened, what is said of one that is not, and what a killed node leaves to others. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, constants, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openOrCreate } from '../../lib/linux/file.js';
import { ownFolder } from '../../lib/linux/index.js';
import { connect, destroy, format, inspect } from '../../src/index.js';
import { type NodeProcess, useProcesses } from '../process/child.js';
import { codeOf, eventually, folderFor, KIB, MIB, pause, usePools } from '../support/pools.js';

const { O_CREAT, O_EXCL, O_RDWR } = constants;
const [OWNER, GUEST, GROUP] = [12_341, 12_342, 12_343];
const SHARED = { size: MIB, pageSize: 4 * KIB, maxNodes: 8, mode: 0o660 } as const;

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('a file that is opened or made', () => {
  const seen: string[] = [];
  /** A kernel with fs.protected_regular, and a file of another user that is there or not. */
  const kernel = (isThere: () => boolean) => (_: unknown, flags: number) => {
    seen.push(`${flags & O_CREAT ? 'create' : 'open'}${flags & O_EXCL ? ' exclusively' : ''}`);
    if ((flags & O_CREAT) === 0) return isThere() ? 7 : raise('ENOENT');
    if ((flags & O_EXCL) === 0 && isThere()) return raise('EACCES');
    return isThere() ? raise('EEXIST') : 8;
  };
  const raise = (code: string): never => {
    throw failure(code);
  };
  const open = (isThere: () => boolean, mode: number | undefined) =>
    openOrCreate('path', O_RDWR, mode, kernel(isThere) as never);
  beforeEach(() => {
    seen.length = 0;
  });

  it('is opened where it is there, without being asked to be made, which is refused for files of others', () => {
    expect([open(() => true, 0o600), seen]).to.deep.equal([7, ['open']]);
  });

  it('is made, exclusively, where it is not; and opened where another made it meanwhile', () => {
    expect([open(() => false, 0o600), seen]).to.deep.equal([8, ['open', 'create exclusively']]);
    seen.length = 0;
    const appears = () => seen.length > 1;
    expect([open(appears, 0o600), seen]).to.deep.equal([7, ['open', 'create exclusively', 'open']]);
  });

  it('is not made where nobody asked for it, and not looked for without end', () => {
    expect(() => open(() => false, undefined)).to.throw('ENOENT');
    expect(seen).to.deep.equal(['open']);
    seen.length = 0;
    const flickers = () => seen.length % 2 === 0;
    expect(() => open(flickers, 0o600)).to.throw('EEXIST');
  });
});

describe('a path that is no pool of this user', () => {
  const pools = usePools();

  it('is told by its kind where it is a pipe', async () => {
    const path = pools.path();
    execFileSync('mkfifo', [path]);
    const told = await connect(path, { create: SHARED }).catch((error: Error) => error.message);
    expect(told).to.contain('ACCESS_DENIED').and.contain('is a named pipe (FIFO)');
  });
});

if (process.getuid?.() === 0 && existsSync('/dev/shm')) {
  describe('two users in a folder where each removes only his own files', () => {
    const processes = useProcesses();
    let folder: string;
    beforeEach(() => {
      folder = ownFolder(folderFor(2 * MIB), 'test');
      chmodSync(folder, 0o1777);
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    async function nodeOf(uid: number): Promise<NodeProcess> {
      const node = await processes.start();
      await node.call('become', uid, GROUP);
      await node.call('connect', join(folder, 'pool'), { create: SHARED, trustUids: [OWNER] });
      return node;
    }

    const left = () => readdirSync(folder).filter((name) => name !== 'pool');

    it('share a pool by trustUids; a waiter of either is woken, and killed leaves nothing behind', async () => {
      const owner = await nodeOf(OWNER);
      for (const uid of [GUEST, OWNER]) {
        const waiter = await nodeOf(uid);
        const waiting = waiter.call('waitFor', `for ${uid}`, 10_000);
        await pause(200);
        await owner.call('put', `for ${uid}`, Uint8Array.of(1));
        expect(await waiting).to.deep.equal(Uint8Array.of(1));
        waiter.call('waitFor', 'never', 100_000).catch(() => {});
        await pause(200);
        await waiter.kill();
        // The owner's upkeep, once a second.
        await eventually(() => expect([uid, left()]).to.deep.equal([uid, []]));
      }
    });

    it('is looked at and taken away by who trusts its owner, and by nobody else, root included', async () => {
      const path = join(folder, 'theirs');
      await format(path, SHARED);
      chownSync(path, OWNER, GROUP);
      for (const work of [inspect, destroy])
        expect(await codeOf(() => work(path, { trustUids: [GUEST] }))).to.equal('ACCESS_DENIED');
      expect(await codeOf(() => destroy(path))).to.equal('ACCESS_DENIED');
      expect((await inspect(path, { trustUids: [OWNER] })).ok).to.equal(true);
      await destroy(path, { trustUids: [OWNER] });
      expect(existsSync(path)).to.equal(false);
    });

    it('with a pool that is for its owner alone, the other is told whose it is and with what mode', async () => {
      const path = join(folder, 'private');
      const [owner, guest] = [await processes.start(), await processes.start()];
      await owner.call('become', OWNER, GROUP);
      await guest.call('become', GUEST, GROUP);
      await owner.call('format', path, { ...SHARED, mode: 0o600 });
      const options = { create: SHARED, trustUids: [OWNER] };
      const told = await guest.call('connect', path, options).catch((error: Error) => error.message);
      expect(told).to.contain(`it belongs to uid ${OWNER} and has mode 600, which does not let uid ${GUEST} in`);
      await owner.call('format', join(folder, 'pool'), SHARED);
      const untrusted = await guest.call('connect', join(folder, 'pool')).catch((error: Error) => error.message);
      expect(untrusted).to.contain(`belongs to uid ${OWNER}, which is not trusted`).and.contain('trustUids');
    });
  });
}
