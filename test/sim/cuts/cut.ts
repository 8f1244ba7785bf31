/**
 * One cut: an operation ends short at its k-th place, and its node goes on. After that: what the caller was given stays as
 * it was while it may be used, no lock is held when the run has ended, both nodes find the same pages, what the other node
 * stores is seen, memory used again never shows under an old key, and after the next upkeep nothing is left that nobody owns.
 */
import { lockCount, STATE_DRAFT, STATE_MASK } from '../../../src/pool/layout/index.js';
import { contentOf, faultOf, valueIn } from '../content.js';
import { CrashFault, Stage } from '../crash/exhaustive.js';
import { KEYS, keyOf, LARGE_BYTES, LARGE_VALUE, type Scenario, set } from '../crash/scenarios.js';
import type { SimulatedNode } from '../node.js';
import type { World } from '../world.js';
import { Caller } from './caller.js';
import { type CutKind, cutShort } from './probe.js';

/** What the cut node does first. held: the run goes on; use: it goes on without upkeep; upkeep: its upkeep comes first. */
export const SEQUELS = ['held', 'use', 'upkeep'] as const;
export type Sequel = (typeof SEQUELS)[number];

export interface Cut {
  readonly scenario: Scenario;
  readonly kind: CutKind;
  readonly k: number;
  readonly sequel: Sequel;
  /** The node knows the pages before it is cut. */
  readonly isWarm: boolean;
}

/** Refused behind a lock, which the run's end gives back, or for want of room. */
function whereItCan(work: () => void): void {
  try {
    work();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== 'BUSY' && code !== 'POOL_FULL') throw error;
  }
}

function borrowedBy(node: SimulatedNode): (number | undefined)[] {
  return KEYS.map((key, index) => {
    const bytes = node.cache.borrow(key);
    if (bytes === undefined) return undefined;
    const value = valueIn(bytes);
    const fault = faultOf(bytes, index, value === LARGE_VALUE ? LARGE_BYTES : 0);
    if (fault !== undefined) throw new CrashFault(`key ${key} of the cache: ${fault}`);
    return value;
  });
}

class Sequence {
  private readonly stage: Stage;
  private readonly caller: Caller;
  private readonly cut: Cut;

  constructor(stage: Stage, caller: Caller, cut: Cut) {
    this.stage = stage;
    this.caller = caller;
    this.cut = cut;
  }

  async run(): Promise<void> {
    const { stage, caller, cut } = this;
    if (cut.sequel === 'held') this.goOnInRun();
    caller.node.machine.endRun();
    stage.survivor.machine.endRun();
    this.checkLocks();
    if (cut.sequel === 'upkeep') {
      this.upkeep();
      if (cut.scenario.evicts !== true) stage.checkValues(caller.node);
    }
    if (cut.sequel === 'use') stage.checkValues(stage.survivor);
    this.checkFresh();
    if (cut.sequel !== 'upkeep') this.upkeep();
    this.checkOwned();
    this.checkPins();
    await stage.checkCensus(stage.survivor);
    await stage.checkSpace(stage.survivor);
  }

  /** In the same run: what was borrowed before the cut, and is after it, stays as it is while others write. */
  private goOnInRun(): void {
    const { stage, caller } = this;
    const { survivor } = stage;
    for (const key of KEYS) caller.node.cache.borrow(key);
    for (const [index, key] of KEYS.entries()) {
      whereItCan(() => survivor.cache.delete(key));
      whereItCan(() => survivor.pool.delete(keyOf(index)));
    }
    for (let index = 0; index < 3; index++) whereItCan(() => set(survivor, index, 80 + index));
    if (caller.hasLostBytes()) throw new CrashFault('bytes that are borrowed in this run are another page by now');
  }

  private checkLocks(): void {
    const { locks, geometry } = this.caller.node.session.parts;
    const rows = [this.caller.node.row, this.stage.survivor.row];
    for (let lock = 0; lock < lockCount(geometry); lock++) {
      if (rows.includes(locks.ownerOf(lock))) throw new CrashFault(`lock ${lock} is held after the run has ended`);
    }
  }

  private upkeep(): void {
    const { node } = this.caller;
    const { nodes } = node.session.parts;
    const pages = this.caller.pagesSoFar();
    const kept = node.pool.get(keyOf(0));
    for (const page of pages) page.release();
    if (kept !== undefined && nodes.info(nodes.self, false).pins === 0)
      throw new CrashFault('a page lost its pin to one that was let go of before it was pinned');
    this.caller.letGo();
    node.upkeep.tick();
    this.stage.survivor.upkeep.tick();
  }

  private compare(): void {
    const { stage, caller } = this;
    const mine = [...stage.valuesOf(caller.node), ...borrowedBy(caller.node)].join();
    const others = [...stage.valuesOf(stage.third), ...borrowedBy(stage.third)].join();
    if (mine !== others) throw new CrashFault(`the cut node finds ${mine}, another ${others}`);
    for (const node of [stage.survivor, stage.third]) node.machine.endRun();
    caller.node.machine.endRun();
  }

  /** What others store is seen, and what is used again never shows under an old key. */
  private checkFresh(): void {
    const { survivor } = this.stage;
    this.compare();
    for (let index = 0; index < 3; index++) set(survivor, index, 60 + index);
    this.compare();
    for (const [index, key] of KEYS.entries()) {
      survivor.cache.delete(key);
      survivor.pool.delete(keyOf(index));
    }
    this.compare();
    for (let index = 0; index < 6; index++) set(survivor, 7 - index, 70 + index);
    this.compare();
    whereItCan(() => survivor.pool.put(keyOf(0), contentOf(0, 5)));
    this.compare();
  }

  /** Each page that is pinned has an entry of its own. */
  private checkPins(): void {
    const { node } = this.caller;
    const { nodes } = node.session.parts;
    for (let index = 0; index < 3; index++) whereItCan(() => set(this.stage.survivor, index, 50 + index));
    const pages = [0, 1, 2].flatMap((index) => node.pool.get(keyOf(index)) ?? []);
    const { pins } = nodes.info(nodes.self, false);
    if (pins !== pages.length) throw new CrashFault(`${pages.length} pages have ${pins} pins`);
    for (const page of pages) page.release();
    node.machine.endRun();
  }

  /** Nobody owns anything: every handle was let go. */
  private checkOwned(): void {
    const { node } = this.caller;
    const { parts } = node.session;
    const { pins } = parts.nodes.info(parts.nodes.self, false);
    if (pins !== 0) throw new CrashFault(`${pins} pins stay that no handle has`);
    const { slots, geometry, checkpoints } = parts;
    for (let entry = 0; entry < geometry.checkpoints; entry++)
      if (checkpoints.openTerm(entry) >= 0 && checkpoints.ownerOf(entry) === node.row)
        throw new CrashFault(`the name of checkpoint ${entry} stays taken, by no writer`);
    for (let slot = 0; slot < geometry.shards * geometry.slotsPerShard; slot++) {
      const isDraft = (slots.stateWord(slot) & STATE_MASK) === STATE_DRAFT;
      if (isDraft && slots.ownerRow(slot) === node.row)
        throw new CrashFault(`draft ${slot} stays, which no handle has`);
    }
    for (let chunk = 0; chunk < parts.geometry.chunks; chunk++)
      if (parts.chunks.isClaimed(chunk)) throw new CrashFault(`chunk ${chunk} stays claimed`);
  }
}

/** One run. False: the operation was through before its k-th place. Throws what is wrong. */
export async function runCut(world: World, cut: Cut): Promise<boolean> {
  const stage = new Stage(world, cut.scenario);
  const node = stage.doomed as SimulatedNode;
  if (cut.isWarm) {
    stage.valuesOf(node);
    borrowedBy(node);
    node.machine.endRun();
  }
  const caller = new Caller(node);
  if (!cutShort(cut.kind, cut.k, () => cut.scenario.act(stage.actors()))) return false;
  await new Sequence(stage, caller, cut).run();
  return true;
}
