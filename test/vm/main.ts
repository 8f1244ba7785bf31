/**
 * `npm run test:vm`: two kernels, one memory. One at a time has the pool, whatever the other wants; when one dies, hangs or leaves, the other
 * goes on with what it left. Ends with `two kernels: N checks passed`; exits 1 where one failed. Skipped, and says why, where
 * User Mode Linux cannot be had, or does not boot on this processor.
 *
 * Not shown: a cache that is not coherent. Both kernels run on one machine, whose caches are.
 */
import { isDeepStrictEqual } from 'node:util';
import { DEVICE, Guest, SharedDevice, whyNoGuests } from './guest.js';

const MIB = 1024 * 1024;
const PIECES = 64;
const HOUR_SECONDS = 3600;
/** Longer than a node may stand still before it is taken for dead. */
const HANG_MS = 7000;

let passed = 0;
let failed = 0;

async function check(claim: string, work: () => Promise<unknown>, wanted: unknown = true): Promise<void> {
  const startedMs = performance.now();
  let got: unknown;
  try {
    got = await work();
  } catch (error) {
    const { code, stack } = error as NodeJS.ErrnoException;
    got = code ?? stack;
  }
  const isRight = isDeepStrictEqual(got, wanted);
  if (isRight) passed++;
  else failed++;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${isRight ? 'ok    ' : 'FAILED'} ${claim} (${seconds} s)`);
  if (!isRight)
    console.log(`       wanted ${JSON.stringify(wanted)}, got ${typeof got === 'string' ? got : JSON.stringify(got)}`);
}

/** A call that gives nothing. */
const done = (work: Promise<unknown>) => async () => (await work) ?? 'done';
const isText = async (work: Promise<unknown>) => typeof (await work) === 'string';

async function formats(a: Guest, b: Guest): Promise<void> {
  const size = 128 * MIB;
  await check('a device full of something else is not taken for a pool', () => a.ask('connect'), 'FORMAT_MISMATCH');
  await check('nor formatted over', () => a.ask('format', { size }), 'POOL_EXISTS');
  await check(
    'a plan larger than the device is refused',
    () => a.ask('format', { size: 1024 * MIB, force: true }),
    'OPTION_INVALID',
  );
  await check('one kernel formats it when told to', () => a.ask('format', { size, force: true }), size);
  await check('and connects', () => isText(a.ask('connect')));
  await check('puts pages', () => done(a.ask('put', 'page', 8192, 1))(), 'done');
  await check('commits a checkpoint', () => done(a.ask('checkpoint', 5))(), 'done');
  await check('the other kernel is kept out while that one lives', () => b.ask('connect'), 'UNSUPPORTED');
  await check('may not take the pool away', () => b.ask('destroy'), 'IN_USE');
  await check('nor format it', () => b.ask('format', { size, force: true }), 'IN_USE');
  await check('and has harmed nothing', () => a.ask('holds', 'page', 8192, 1));
}

async function handsOver(a: Guest, b: Guest): Promise<void> {
  await check('64 MiB are laid by one', () => done(a.ask('putMany', PIECES))(), 'done');
  await check('who leaves', () => done(a.ask('disconnect'))(), 'done');
  await check(
    'the clock of the other is an hour ahead',
    async () => ((await b.ask('shiftClock', HOUR_SECONDS)) as number) - Date.now() > 3e6,
  );
  await check('the other connects', () => isText(b.ask('connect')));
  await check('and finds all of them whole', () => b.ask('wholeOf', PIECES), PIECES);
  await check('with the checkpoint', () => b.ask('restored', 5));
  await check('and what happened', async () => ((await b.ask('events', 3)) as string[]).length, 3);
  await check('deletes one', () => b.ask('remove', 'piece 0'));
  await check('and lays another', () => done(b.ask('put', 'of b', 5000, 2))(), 'done');
}

async function dies(a: Guest, b: Guest): Promise<void> {
  await check('one has a draft', () => done(b.ask('draft', 'in the making'))(), 'done');
  await check('and holds every lock', async () => ((await b.ask('holdLocks')) as number) > 0);
  await check('the other is kept out', () => a.ask('connect'), 'UNSUPPORTED');
  await b.kill();
  await check('when its power has failed the other connects', () => isText(a.ask('connect')));
  await check('finds its page', () => a.ask('holds', 'of b', 5000, 2));
  await check('not what it deleted', () => a.ask('holds', 'piece 0', MIB, 0), false);
  await check('all others', () => a.ask('wholeOf', PIECES), PIECES - 1);
  await check('nothing of its draft', () => done(a.ask('put', 'in the making', 100, 3))(), 'done');
  await check('is alone', () => a.ask('alive'), [a.name]);
  await check('and the pool is sound', () => done(a.ask('census'))(), 'done');
}

async function neighbour(a: Guest): Promise<void> {
  await check(
    'a process of its own kernel that is killed with a lock and a draft',
    () => done(a.ask('killNeighbour', 'k'))(),
    'done',
  );
  await check('holds up nothing', () => done(a.ask('put', 'k in the making', 100, 4))(), 'done');
  await check('and what it laid is there', () => a.ask('remove', 'k'));
}

async function hangs(a: Guest, c: Guest): Promise<void> {
  await check('one that has come back is kept out by who has the pool now', () => c.ask('connect'), 'UNSUPPORTED');
  await check('that one lays a page', () => done(a.ask('put', 'before', 5000, 6))(), 'done');
  a.pause();
  await new Promise((resolve) => setTimeout(resolve, HANG_MS));
  await check('and hangs: then the other connects', () => isText(c.ask('connect')));
  await check('finds the page', () => c.ask('holds', 'before', 5000, 6));
  await check('and lays one', () => done(c.ask('put', 'meanwhile', 5000, 7))(), 'done');
  a.resume();
  await check('who hung and goes on is told, and stores nothing', () => a.ask('put', 'late', 5000, 8), 'NODE_FENCED');
  await check('nothing of it is there', () => c.ask('holds', 'late', 5000, 8), false);
  await check('the other has all its pages', () => c.ask('holds', 'meanwhile', 5000, 7));
  await check('and the pool is sound', () => done(c.ask('census'))(), 'done');
  await check('it leaves', () => done(c.ask('disconnect'))(), 'done');
  await check('the pool is taken away', () => done(c.ask('destroy'))(), 'done');
  await check('and the device is blank', () => c.ask('connect'), 'FORMAT_MISMATCH');
}

/** Linux 6.1 as User Mode Linux keeps fewer bytes of registers than processors with AMX have, and ends its first process where it restores them. */
async function whyNoBoot(guest: Guest): Promise<string | undefined> {
  try {
    await guest.ready();
    return undefined;
  } catch (error) {
    const isOfRegisters = (error as Error).message.includes('put_fp_registers');
    if (isOfRegisters) return "User Mode Linux cannot restore this processor's registers: its kernel ends as it boots";
    throw error;
  }
}

async function main(): Promise<void> {
  const why = whyNoGuests();
  if (why !== undefined) {
    console.log(`two kernels: skipped: ${why}`);
    return;
  }
  const garbage = Uint8Array.from({ length: MIB }, (_, i) => (i * 7919) & 0xff);
  const device = new SharedDevice(160 * MIB, garbage);
  const guests = ['a', 'b'].map((name) => new Guest(name, device));
  try {
    const [a, b] = guests as [Guest, Guest];
    const whyNot = await whyNoBoot(a);
    if (whyNot !== undefined) {
      console.log(`two kernels: skipped: ${whyNot}`);
      return;
    }
    await check(`two kernels boot, with ${DEVICE} in common`, async () => (await a.ready()) !== (await b.ready()));
    await formats(a, b);
    await handsOver(a, b);
    await dies(a, b);
    await neighbour(a);
    const c = new Guest('b', device);
    guests.push(c);
    await c.ready();
    await hangs(a, c);
  } finally {
    for (const guest of guests) await guest.kill();
    device.remove();
  }
  console.log(
    failed === 0
      ? `two kernels: ${passed} checks passed`
      : `two kernels: ${failed} of ${passed + failed} checks failed`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
}

await main();
