/** Hosts played by real processes: over private images of a shared file, and over the file itself with the processor's own instructions. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { chooseInstructions } from '../../lib/linux/index.js';
import { LINE_BYTES, LINE_WORDS } from '../../lib/struct.js';
import { Words } from '../../lib/words.js';
import { EmulatedLines } from '../../src/coherence/emulated.js';
import { Plan } from '../../src/coherence/layout.js';

const PROGRAM = fileURLToPath(new URL('./emulated.child.js', import.meta.url));
const SHAPE = { hosts: 3, logRecords: 256, pinLines: 2, dataLines: 600 };

class HostProcess {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  private calls = 0;
  readonly started: Promise<unknown>;

  constructor() {
    this.child = fork(PROGRAM, [], {
      serialization: 'advanced',
    });
    this.started = new Promise((resolve, reject) => this.waiting.set(0, { resolve, reject }));
    this.child.on('message', ({ id, value, error }: { id: number; value?: unknown; error?: string }) => {
      const { resolve, reject } = this.waiting.get(id) ?? {};
      this.waiting.delete(id);
      if (error === undefined) resolve?.(value as never);
      else reject?.(new Error(error));
    });
    this.child.on('exit', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('the host is gone'));
    });
  }

  call<T>(name: string, ...parameters: unknown[]): Promise<T> {
    const id = ++this.calls;
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.child.send({ id, name, parameters });
    });
  }

  kill(): Promise<unknown> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return Promise.resolve();
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    return ended;
  }
}

describe('an emulated line', () => {
  const shared = () => new Words(new ArrayBuffer(EmulatedLines.sizeOf(4)));

  it('moves by writeback and invalidate, once they were ordered, and not before', () => {
    const memory = shared();
    const [one, other] = [new EmulatedLines(memory), new EmulatedLines(memory)];
    expect(other.load(LINE_WORDS)).to.equal(0);
    one.store(LINE_WORDS, 5);
    one.writeback(1, 1);
    other.invalidate(1, 1);
    other.order();
    expect(other.load(LINE_WORDS)).to.equal(0);
    one.order();
    expect(other.load(LINE_WORDS)).to.equal(0);
    other.invalidate(1, 1);
    other.order();
    expect(other.load(LINE_WORDS)).to.equal(5);
  });

  it('of bytes is whole: what they do not fill is zero', () => {
    const memory = shared();
    const [one, other] = [new EmulatedLines(memory), new EmulatedLines(memory)];
    one.store(2 * LINE_WORDS - 1, 9);
    one.copyIn(0, new Uint8Array(70).fill(3));
    one.writeback(0, 2);
    one.order();
    const bytes = new Uint8Array(128);
    other.copyOut(0, bytes);
    expect([...bytes]).to.deep.equal([...new Array(70).fill(3), ...new Array(58).fill(0)]);
  });
});

const { lineCount } = new Plan(SHAPE);
const DEVICES = [
  { kind: 'emulated', size: EmulatedLines.sizeOf(lineCount), isThere: true },
  { kind: 'real', size: lineCount * LINE_BYTES, isThere: hasLineInstructions() },
];

for (const { kind, size, isThere } of DEVICES) {
  if (!isThere) continue;
  describe(`hosts that are processes, on a device of ${kind} lines`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'sealpool-device-'));
    const path = join(folder, 'device');
    const hosts: HostProcess[] = [];

    async function start(host: number, seed: number): Promise<HostProcess> {
      const process = new HostProcess();
      hosts.push(process);
      await process.started;
      await process.call('open', path, seed, kind);
      if (seed === 0) await process.call('format', SHAPE);
      await process.call('join', host);
      return process;
    }

    before(() => {
      writeFileSync(path, '');
      truncateSync(path, size);
    });

    after(async () => {
      await Promise.all(hosts.map((host) => host.kill()));
      rmSync(folder, { recursive: true });
    });

    it('find what others were told is sealed, also after its host was killed at work, and give its keys away', async () => {
      const zero = await start(0, 0);
      const [one, two] = await Promise.all([start(1, 1), start(2, 2)]);
      const told = [...Array(20).keys()];
      for (const i of told) {
        await two.call('put', `of two ${i}`, i);
        expect(await one.call('find', `of two ${i}`)).to.equal(i);
      }
      await two.call('claim', 'unfinished');
      const storms = [zero, one].map((host, i) => host.call<Record<string, number>>('storm', i + 1, 2500));
      const cut = two.call('storm', 3, 60_000).catch(() => 'gone');
      await new Promise((resolve) => setTimeout(resolve, 700));
      await two.kill();
      expect(await cut).to.equal('gone');
      for (const counts of await Promise.all(storms)) {
        expect(counts).to.include.keys('sealed', 'deleted', 'got own', 'got of another');
      }
      while (!(await zero.call<number[]>('declared')).includes(2)) await new Promise((go) => setTimeout(go, 50));
      for (const host of [zero, one]) {
        for (const i of told) expect(await host.call('find', `of two ${i}`)).to.equal(i);
      }
      await one.call('put', 'unfinished', 77);
      const again = await start(2, 5);
      expect(await again.call('find', 'unfinished')).to.equal(77);
      for (const i of told) expect(await again.call('find', `of two ${i}`)).to.equal(i);
      const last = [zero, one, again].map((host, i) => host.call<Record<string, number>>('storm', i + 7, 700));
      expect(await Promise.all(last)).to.have.length(3);
    });
  });
}

function hasLineInstructions(): boolean {
  try {
    chooseInstructions(process.arch, readFileSync('/proc/cpuinfo', 'utf8'));
    return true;
  } catch {
    return false;
  }
}
