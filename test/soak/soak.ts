/**
 * A soak: a few processes on one pool for a long time. Some live as long as it does, the others come and go in every way
 * there is; all are stopped now and then. Again and again all come to rest: then nothing may be left of anybody, and what
 * each takes is written down.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { PoolFile } from '../../lib/linux/index.js';
import { format, inspect } from '../../src/index.js';
import { partsFor } from '../../src/pool/attach.js';
import { viewOnly } from '../../src/pool/attached.js';
import { lockCount } from '../../src/pool/layout/geometry.js';
import { readIdentity } from '../../src/pool/layout/superblock.js';
import { Board } from '../storm/board.js';
import { checkAfterDeaths, type Settled } from '../storm/ledger.js';
import type { Scene } from '../storm/plan.js';
import { type Ending, Spares } from '../storm/process.js';
import { random } from '../support/content.js';
import { pause } from '../support/pools.js';
import { endOf, isEndOf, lifeFor, type Way } from './lives.js';
import { type Look, refuseGrowth } from './looks.js';
import { folderUse, memoryOf } from './memory.js';
import { type Canary, type Disturbance, type SoakPlan, soakSceneFor } from './plan.js';
import { type Kind, SoakProcess } from './process.js';

export interface SoakOptions {
  /** Of its own: the pool and whatever else it makes. */
  readonly folder: string;
  readonly poolBytes: number;
  readonly nodes: number;
  /** So many of them live as long as the soak. */
  readonly survivors: number;
  readonly seed: number;
  readonly durationMs: number;
  /** Between two looks. */
  readonly lookMs: number;
  /** From here on nothing may grow. */
  readonly flatFromMs: number;
  /** Mean life of those that come and go. */
  readonly lifeMs: number;
  readonly without: readonly Disturbance[];
  readonly canary?: Canary | undefined;
  /** What the dead left has to be cleaned up within this, all at rest. Default 20,000. */
  readonly censusMs?: number;
}

const HANG_MS = 60_000;
const REST_MS = 60_000;
const CENSUS_MS = 20_000;
const CENSUS_EVERY_MS = 300;
const WATCH_MS = 1000;
const STOP_EVERY_MS = 1500;
const STOP_MS_MAX = 400;
/** The seat whose nodes know little of the pool, so that they forget and ask all the time. */
const SMALL_SEAT = 1;
const NEAR_ENTRIES_SMALL = 128;

interface Living {
  readonly process: SoakProcess;
  readonly plan: SoakPlan;
}

export class Soak {
  readonly board: Board;
  readonly scene: Scene;
  readonly looks: Look[] = [];
  readonly disturbances = new Map<string, number>();
  private readonly options: SoakOptions;
  private readonly below: (limit: number) => number;
  private readonly living = new Map<number, Living>();
  private readonly births = new Set<Promise<SoakProcess>>();
  private readonly spares: Spares<SoakProcess>;
  private readonly startedMs = performance.now();
  private readonly lockOwners: () => number[];
  private gate: Promise<void> | undefined;
  private stopping: Promise<void> = Promise.resolve();
  private failure: Error | undefined;
  private isOver = false;

  private constructor(options: SoakOptions, scene: Scene, board: Board) {
    this.options = options;
    this.scene = scene;
    this.board = board;
    this.below = random(options.seed);
    this.spares = new Spares(1, () => new SoakProcess());
    const file = PoolFile.open(scene.poolPath, { writable: false, trustUids: [] });
    const { segment, nodes, machine } = viewOnly(file, readIdentity(file));
    const { locks, geometry } = partsFor(segment, machine, nodes, () => {});
    this.lockOwners = () =>
      Array.from({ length: lockCount(geometry) }, (_, lock) => locks.ownerOf(lock)).filter((owner) => owner >= 0);
  }

  static async prepare(options: SoakOptions): Promise<Soak> {
    const { folder, poolBytes, nodes } = options;
    mkdirSync(folder, { recursive: true });
    const scene = soakSceneFor(`${folder}/pool`, `${folder}/board`, poolBytes, nodes);
    await format(scene.poolPath, { size: poolBytes, pageSize: 4096 });
    return new Soak(options, scene, Board.create(scene.boardPath, scene.shape));
  }

  get minutes(): number {
    return (performance.now() - this.startedMs) / 60_000;
  }

  /** Throws what went wrong first. */
  async run(): Promise<void> {
    const { options } = this;
    const watchdog = setInterval(() => this.watch(), WATCH_MS);
    const ending = setTimeout(() => this.stop(), options.durationMs);
    try {
      const seats = Array.from({ length: options.nodes }, (_, seat) => this.sit(seat));
      await Promise.all([...seats, this.stopSome(), this.lookOften()]);
    } finally {
      clearInterval(watchdog);
      clearTimeout(ending);
    }
    if (this.failure !== undefined) throw this.failure;
    refuseGrowth(this.looks, options.flatFromMs / 60_000, 3);
  }

  /** What is under way comes to its end. */
  stop(): void {
    this.isOver = true;
  }

  /** Everybody is gone: looks at what is left, and deletes it all. */
  account(): Promise<Settled> {
    return checkAfterDeaths(this.scene, this.board, this.options.nodes, true);
  }

  async close(keepFiles: boolean): Promise<void> {
    for (const { process } of this.living.values()) process.kill();
    await Promise.all([...this.living.values()].map(({ process }) => process.ended));
    await this.spares.close();
    if (!keepFiles) rmSync(this.options.folder, { recursive: true, force: true });
  }

  private fail(error: Error): void {
    this.isOver = true;
    if (this.failure !== undefined) return;
    this.failure = error;
    for (const { process } of this.living.values()) process.kill();
  }

  private count(what: string): void {
    this.disturbances.set(what, (this.disturbances.get(what) ?? 0) + 1);
  }

  private watch(): void {
    for (const [seat, { process }] of this.living) {
      const operation = this.board.operationOf(seat);
      if (operation === undefined || operation.forMs < HANG_MS || process.isStopped) continue;
      const doing = `${operation.kind} for ${Math.round(operation.forMs)} ms`;
      this.fail(new Error(`seat ${seat}, process ${process.pid}: a hang, in one ${doing}`));
    }
  }

  /** Sleeps, but not beyond the end of the soak. */
  private async sleep(milliseconds: number): Promise<void> {
    const end = performance.now() + milliseconds;
    while (!this.isOver && performance.now() < end) await pause(Math.min(50, end - performance.now()));
  }

  private async sit(seat: number): Promise<void> {
    while (!this.isOver) {
      await this.gate;
      const way: Way = seat < this.options.survivors ? 'survive' : lifeFor(this.below, this.options.without);
      await this.life(seat, way);
    }
  }

  private planFor(seat: number, way: Way): SoakPlan {
    const { options, scene } = this;
    const canary = seat === 0 && options.canary !== undefined ? { canary: options.canary } : {};
    const near = seat === SMALL_SEAT ? { nearEntries: NEAR_ENTRIES_SMALL } : {};
    return {
      ...{ scene, seat, seats: options.nodes, seed: this.below(0x7fffffff), without: options.without },
      ...{ survives: way === 'survive', exhausts: way === 'exhaust', hoards: way === 'hoard' },
      ...{ lacksDescriptors: way === 'descriptors' },
      ...near,
      ...canary,
    };
  }

  private async bear(plan: SoakPlan, kind: Kind): Promise<SoakProcess> {
    const process = kind === 'ordinary' ? await this.spares.bear(plan) : new SoakProcess(kind);
    if (kind !== 'ordinary') {
      await process.ready;
      process.go(plan);
    }
    this.living.set(plan.seat, { process, plan });
    return process;
  }

  private async life(seat: number, way: Way): Promise<void> {
    const plan = this.planFor(seat, way);
    const { kind, end } = endOf(way);
    this.board.leaveOperation(seat);
    const born = this.bear(plan, kind);
    this.births.add(born);
    const process = await born;
    this.births.delete(born);
    if (way === 'early') await pause(this.below(60));
    else await process.connected;
    const lifeMs =
      way === 'survive' || way === 'exhaust' ? Number.MAX_SAFE_INTEGER : this.below(2 * this.options.lifeMs);
    await Promise.race([this.sleep(lifeMs), process.ended]);
    // At rest nobody is disturbed; but one that is gone by itself is judged at once.
    await Promise.race([this.gate, process.ended]);
    if (this.isOver && way === 'exhaust') process.kill();
    end(process);
    this.judge(await process.ended, way, `seat ${seat}, process ${process.pid}, row ${process.row}, to ${way},`);
    this.count(way);
    if (this.living.get(seat)?.process === process) this.living.delete(seat);
  }

  private judge(ending: Ending, way: Way, who: string): void {
    if (this.failure !== undefined || isEndOf(way, ending, this.isOver)) return;
    const how = ending.signal ?? `exit code ${ending.code}`;
    this.fail(new Error(`${who} ended with ${how}.\n${ending.output.slice(-6000)}`));
  }

  /** Now and then one of them is stopped for a moment. */
  private async stopSome(): Promise<void> {
    const { below, options } = this;
    while (!this.isOver) {
      await this.sleep(below(STOP_EVERY_MS));
      await this.gate;
      const all = [...this.living.values()];
      const one = all[below(Math.max(1, all.length))];
      if (options.without.includes('stop') || one === undefined || one.process.isOver) continue;
      this.stopping = this.stopFor(one.process, below(10) === 0 ? STOP_MS_MAX * 4 : below(STOP_MS_MAX));
      await this.stopping;
    }
  }

  private async stopFor(process: SoakProcess, milliseconds: number): Promise<void> {
    process.stop();
    await pause(milliseconds);
    process.goOn();
    this.count('stop');
  }

  private async lookOften(): Promise<void> {
    while (!this.isOver) {
      await this.sleep(this.options.lookMs);
      if (this.failure !== undefined) return;
      let open = () => {};
      this.gate = new Promise((resolve) => {
        open = resolve;
      });
      try {
        await this.look();
      } catch (error) {
        this.fail(error as Error);
      }
      this.gate = undefined;
      for (const { process } of this.living.values()) process.resume();
      open();
    }
  }

  /** All at rest. */
  private async look(): Promise<void> {
    await this.stopping;
    await Promise.all(this.births);
    const all = [...this.living.values()];
    for (const { process, plan } of all) if (plan.hoards === true) process.kill();
    const rests = await Promise.all(
      all.map(async ({ process, plan }) => ({ process, plan, figures: await this.restOf(process, plan.seat) })),
    );
    // Those that are gone are judged first: what is left of them is not what went wrong.
    await pause(0);
    if (this.failure !== undefined) return;
    const { stats, nodes } = await this.census();
    const { folder } = this.options;
    const processes = rests.flatMap(({ process, plan, figures }) => {
      if (figures === undefined || process.isOver) return [];
      return [{ seat: plan.seat, survives: plan.survives, ...figures, ...memoryOf(process.pid, folder) }];
    });
    const { bytesUsed, objects } = stats;
    const shared = { ...folderUse(folder), bytesUsed, objects, rows: nodes.length - processes.length };
    for (const { seat, nearEntries } of processes) {
      if (seat === SMALL_SEAT && nearEntries > NEAR_ENTRIES_SMALL)
        throw new Error(`seat ${seat}: a near index of ${NEAR_ENTRIES_SMALL} has ${nearEntries} entries`);
    }
    this.looks.push({ minute: this.minutes, processes, shared });
    refuseGrowth(this.looks, this.options.flatFromMs / 60_000);
  }

  private async restOf(process: SoakProcess, seat: number) {
    const late = pause(REST_MS).then(() => 'late' as const);
    const figures = await Promise.race([process.rest(), late]);
    if (figures !== 'late') return figures;
    throw new Error(`seat ${seat}, process ${process.pid}, did not come to rest in ${REST_MS} ms`);
  }

  /** Until upkeep has cleaned up after the dead: nothing may be left of anybody. */
  private async census() {
    const end = performance.now() + (this.options.censusMs ?? CENSUS_MS);
    for (;;) {
      const report = await inspect(this.scene.poolPath);
      const { pins, drafts } = report.stats;
      const wrong = report.problems.map(({ code, where, message }) => `${code} at ${where}: ${message}`);
      if (pins > 0) wrong.push(`${pins} pins (${report.nodes.map((node) => `${node.name}: ${node.pins}`).join(', ')})`);
      if (drafts > 0) wrong.push(`${drafts} drafts`);
      const owners = this.lockOwners();
      if (owners.length > 0) wrong.push(`locks held by rows ${owners}`);
      for (const { id, name, pid, state } of report.nodes)
        if (state !== 'alive') wrong.push(`row ${id} (${name}, process ${pid}) is ${state}`);
      if (wrong.length === 0) return report;
      if (performance.now() > end) throw new Error(`all at rest, and there is left: ${wrong.slice(0, 12).join('; ')}`);
      await pause(CENSUS_EVERY_MS);
    }
  }
}
