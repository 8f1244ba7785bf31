import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import { type PoolFile, RobustLiveness } from '../../../lib/linux/index.js';
import { Words } from '../../../lib/words.js';
import { pause } from '../../support/pools.js';

/** A process whose main thread says so, and then waits so many milliseconds at a time. */
const WAITING = (ms: number) => `
  const word = new Int32Array(new SharedArrayBuffer(4));
  require('node:fs').writeSync(1, 'x');
  for (;;) Atomics.wait(word, 0, 0, ${ms});`;

describe('whether the holder of a row runs', () => {
  const words = new Words(new ArrayBuffer(64));
  const liveness = new RobustLiveness(words, undefined as unknown as PoolFile, 0, 0);
  let child: ChildProcess | undefined;

  async function start(ms: number): Promise<number> {
    child = spawn(process.execPath, ['-e', WAITING(ms)], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    const pid = child.pid as number;
    words.store(0, pid);
    return pid;
  }

  /** What it says at last, asked again and again until `isIt` or for so long. */
  async function says(pid: number, wanted: boolean, milliseconds: number): Promise<boolean> {
    const end = performance.now() + milliseconds;
    let answer = liveness.isRunnable(0, pid);
    while (answer !== wanted && performance.now() < end) {
      await pause(5);
      answer = liveness.isRunnable(0, pid);
    }
    return answer;
  }

  afterEach(() => child?.kill('SIGKILL'));

  it('is so while it wakes from time to time, as who waits for another lock does', async () => {
    const pid = await start(1);
    expect(await says(pid, false, 300)).to.equal(true);
  });

  it('is not so once it sleeps and does not wake', async () => {
    const pid = await start(1_000_000);
    expect(await says(pid, false, 20_000)).to.equal(false);
  });

  it('is not so, at once, when its process was stopped', async () => {
    const pid = await start(1);
    process.kill(pid, 'SIGSTOP');
    await pause(50);
    expect(liveness.isRunnable(0, pid)).to.equal(false);
  });
});
