/**
 * A storm: processes at work on one pool, each killed at a random moment and replaced. Some are aimed at while they hold a
 * lock, some die by their own hand at an exact store, some are workers that are terminated. From time to time all are
 * dead at once, and the pool is looked at before and after somebody repairs it.
 */

import { rmSync } from 'node:fs';
import { PoolFile } from '../../lib/linux/index.js';
import { format } from '../../src/index.js';
import { partsFor } from '../../src/pool/attach.js';
import { viewOnly } from '../../src/pool/attached.js';
import { lockCount } from '../../src/pool/layout/geometry.js';
import { readIdentity } from '../../src/pool/layout/superblock.js';
import { random } from '../support/content.js';
import { AnswerLedger, ledgerPath } from './answers/ledger.js';
import { Board } from './board.js';
import { Forker } from './forked.js';
import { checkAfterDeaths, type Settled } from './ledger.js';
import { type Fuse, type LifePlan, type Scene, sceneFor } from './plan.js';
import { type Ending, Spares, type StormNode, StormProcess } from './process.js';

export interface StormOptions {
  /** Default: 'pages'. Answers want nodes with an event loop: ownProgramOneIn 1. */
  readonly does?: Scene['does'];
  readonly path: string;
  readonly poolBytes: number;
  readonly nodes: number;
  readonly seed: number;
  /** One node in so many maps all of the data before it works; 0 for none. */
  readonly touchOneIn: number;
  /** Mean time from a node's connecting to its end. */
  readonly lifeMs: number;
  /** Nodes are forked from a warm process, all but the one in so many that begins as a program of its own. 1 for none. */
  readonly ownProgramOneIn: number;
  /** So many of the nodes live from the beginning to the end; then there is no moment at which all are dead. */
  readonly survivors: number;
  /** So many of a hundred lives end at an exact store under a lock. */
  readonly fusedPercent: number;
  /** After so many ends, all are ended at once and the pool is looked at. */
  readonly lullEvery: number;
}

const AIM_MS = 3;
const HANG_MS = 120_000;
const WATCH_MS = 1000;
const LOOK_MS = 20;
/** Of a hundred lives: those that end in the middle of a repair, and those of workers that are terminated. */
const REPAIR_PERCENT = 8;
const WORKER_PERCENT = 4;

export type End = 'at random' | 'at a lock' | 'by its own hand' | 'while connecting' | 'left';

export class Storm {
  readonly board: Board;
  readonly scene: Scene;
  readonly lulls: Settled[] = [];
  readonly ends = new Map<End, number>();
  ended = 0;
  private readonly options: StormOptions;
  private readonly below: (limit: number) => number;
  private readonly living = new Map<number, StormNode>();
  private readonly spares: Spares;
  private readonly forker: Forker | undefined;
  private readonly holdsLock: (row: number) => boolean;
  private failure: Error | undefined;
  private wanted = 0;
  private isKilling = false;
  private sinceLull = 0;
  private waiting: (() => void)[] = [];
  private underWay = 0;
  private isLooking = false;

  private constructor(options: StormOptions, scene: Scene, board: Board) {
    this.options = options;
    this.scene = scene;
    this.board = board;
    this.below = random(options.seed);
    const isForking = options.ownProgramOneIn > 1;
    this.spares = new Spares(isForking ? 1 : Math.max(2, Math.ceil(options.nodes / 2)), () => new StormProcess());
    this.forker = isForking ? new Forker(board, scene, options.nodes) : undefined;
    const file = PoolFile.open(options.path, { writable: false, trustUids: [] });
    const { segment, nodes, machine } = viewOnly(file, readIdentity(file));
    const { locks, geometry } = partsFor(segment, machine, nodes, () => {});
    this.holdsLock = (row) => {
      for (let lock = 0; lock < lockCount(geometry); lock++) if (locks.ownerOf(lock) === row) return true;
      return false;
    };
  }

  /** Formats the pool and has one process fill it. */
  static async prepare(options: StormOptions): Promise<Storm> {
    const boardPath = `${options.path}.board`;
    const scene = sceneFor(options.path, boardPath, options.poolBytes, options.nodes, options.does);
    rmSync(options.path, { force: true });
    await format(options.path, { size: options.poolBytes, pageSize: 4096 });
    if (scene.does === 'answers') AnswerLedger.create(ledgerPath(boardPath));
    const storm = new Storm(options, scene, Board.create(boardPath, scene.shape));
    const filler = await storm.spares.bear({
      scene,
      seat: 0,
      seats: options.nodes,
      seed: options.seed,
      fill: true,
      prefault: true,
    });
    storm.judge(await filler.ended, 'the first to fill the pool');
    if (storm.failure !== undefined) throw storm.failure;
    return storm;
  }

  get survivors(): number {
    return this.options.survivors;
  }

  /** So many nodes end and are replaced: killed, or asked to leave. Throws what went wrong first. */
  async blow(count: number, isKilling: boolean): Promise<void> {
    this.wanted = count;
    this.ended = 0;
    this.isKilling = isKilling;
    this.sinceLull = 0;
    this.ends.clear();
    this.board.clearFigures();
    const watchdog = setInterval(() => this.watch(), WATCH_MS);
    await Promise.all(Array.from({ length: this.options.nodes }, (_, seat) => this.sit(seat)));
    clearInterval(watchdog);
    if (this.failure !== undefined) throw this.failure;
  }

  /** No more lives than are under way. */
  stop(): void {
    this.wanted = Math.min(this.wanted, this.ended);
  }

  /** Everybody is gone: checks what is left, and deletes it all. */
  async account(): Promise<Settled> {
    return checkAfterDeaths(this.scene, this.board, this.options.nodes, true);
  }

  async close(keepFiles: boolean): Promise<void> {
    for (const process of this.living.values()) process.kill();
    await Promise.all([...this.living.values()].map((process) => process.ended));
    await this.spares.close();
    await this.forker?.close();
    if (keepFiles) return;
    rmSync(this.options.path, { force: true });
    rmSync(this.scene.boardPath, { force: true });
    rmSync(ledgerPath(this.scene.boardPath), { force: true });
  }

  private fail(error: Error): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    for (const process of this.living.values()) process.kill();
  }

  /** Nobody may be in one operation for long, nor be gone without a word. */
  private watch(): void {
    for (const [seat, process] of this.living) {
      const operation = this.board.operationOf(seat);
      if (operation === undefined || operation.forMs < HANG_MS) continue;
      const doing = `${operation.kind} for ${Math.round(operation.forMs)} ms`;
      this.fail(new Error(`seat ${seat}, process ${process.pid}: a hang, in one ${doing}`));
    }
  }

  private isDone(): boolean {
    return this.failure !== undefined || this.ended >= this.wanted;
  }

  /** One seat: a life, its end, the next one. */
  private async sit(seat: number): Promise<void> {
    const { survivors, lullEvery } = this.options;
    if (seat < survivors) await this.survive(seat);
    while (!this.isDone()) {
      if (survivors === 0 && this.sinceLull >= lullEvery) await this.lull();
      else await this.life(seat);
    }
    this.wakeAll();
  }

  /** A life as long as the storm. It leaves in good order, or is the last to be killed. */
  private async survive(seat: number): Promise<void> {
    const process = await this.bear({ ...this.planFor(seat), seat, fuse: undefined, onWorker: false });
    this.living.set(seat, process);
    while (!this.isDone() && !process.isOver) await pause(LOOK_MS);
    if (this.isKilling) process.kill();
    else process.leave();
    this.judge(await process.ended, `seat ${seat}, a survivor, ${process.kind},`);
    this.living.delete(seat);
  }

  /** Waits until nobody lives; the last one to arrive looks at the pool. */
  private async lull(): Promise<void> {
    if (this.underWay > 0 || this.isLooking) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
      return;
    }
    this.isLooking = true;
    try {
      // The control's nodes leave in good order: what is asked of the pool is the same.
      this.lulls.push(await checkAfterDeaths(this.scene, this.board, this.options.nodes, false));
    } catch (error) {
      this.fail(error as Error);
    }
    this.isLooking = false;
    this.sinceLull = 0;
    this.wakeAll();
  }

  private wakeAll(): void {
    for (const wake of this.waiting.splice(0)) wake();
  }

  private logarithmic(bits: number): number {
    return Math.floor(2 ** (this.below(bits * 10) / 10));
  }

  private planFor(seat: number): LifePlan {
    const { scene, options } = this;
    const prefault = options.touchOneIn > 0 && this.below(options.touchOneIn) === 0;
    const plan = { scene, seat, seats: options.nodes, seed: this.below(0x7fffffff), prefault };
    const way = this.isKilling ? this.below(100) : 100;
    const fuse: Fuse | undefined =
      way < options.fusedPercent
        ? { where: 'lock', stores: this.logarithmic(18) }
        : way < options.fusedPercent + REPAIR_PERCENT
          ? { where: 'repair', stores: this.logarithmic(16) }
          : undefined;
    if (fuse !== undefined) return { ...plan, fuse };
    return way >= 100 - WORKER_PERCENT && way < 100 ? { ...plan, onWorker: true } : plan;
  }

  /** Workers need a program of their own. */
  private bear(plan: LifePlan): Promise<StormNode> {
    const own = this.forker === undefined || plan.onWorker === true || this.below(this.options.ownProgramOneIn) === 0;
    return own ? this.spares.bear(plan) : (this.forker as Forker).bear(plan);
  }

  private async life(seat: number): Promise<void> {
    this.underWay++;
    const plan = this.planFor(seat);
    const fusesBefore = this.board.countOf(seat, 'fuses');
    // What the last one was doing when it was killed is over.
    this.board.leaveOperation(seat);
    const process = await this.bear(plan);
    this.living.set(seat, process);
    let aim = this.isKilling ? await this.strike(seat, process) : await this.dismiss(process);
    const ending = await process.ended;
    const operation = this.board.operationOf(seat)?.kind ?? 'no operation';
    const row = process.row < 0 ? 'not connected' : `row ${process.row}`;
    this.judge(
      ending,
      `seat ${seat}, ${process.kind}, process ${process.pid}, ${row}, in ${operation}, life ${this.ended},`,
    );
    if (this.board.countOf(seat, 'fuses') > fusesBefore) aim = 'by its own hand';
    this.living.delete(seat);
    this.ends.set(aim, (this.ends.get(aim) ?? 0) + 1);
    this.ended++;
    this.sinceLull++;
    this.underWay--;
  }

  /** Kills it, sooner or later; half of the time at a moment when it is seen to hold a lock. */
  private async strike(seat: number, process: StormNode): Promise<End> {
    const { below, board } = this;
    let aim: End = 'at random';
    if (below(25) === 0) {
      aim = 'while connecting';
      await pause(below(60));
    } else {
      await process.connected;
      await Promise.race([pause(below(2 * this.options.lifeMs)), process.ended]);
      if (below(2) === 0 && this.seesLock(process.row)) aim = 'at a lock';
    }
    const operation = board.operationOf(seat);
    if (operation !== undefined && !process.isOver) board.record(seat, 'cut off', operation.forMs);
    process.kill();
    return aim;
  }

  /** Looks for a short time whether the row holds a lock. */
  private seesLock(row: number): boolean {
    const end = performance.now() + AIM_MS;
    while (performance.now() < end) if (this.holdsLock(row)) return true;
    return false;
  }

  private async dismiss(process: StormNode): Promise<End> {
    await process.connected;
    await Promise.race([pause(this.below(2 * this.options.lifeMs)), process.ended]);
    process.leave();
    return 'left';
  }

  private judge({ code, signal, output }: Ending, who: string): void {
    if (this.isKilling ? signal === 'SIGKILL' : code === 0) return;
    this.fail(
      new Error(`${who} ended with ${signal ?? `exit code ${code}`} that nobody sent it.\n${output.slice(-4000)}`),
    );
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
