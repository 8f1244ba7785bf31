/** The stage of the lies: small pools with everything in them, and their pristine bytes to begin each round with. */
import { closeSync, openSync, rmSync } from 'node:fs';
import { Mapping } from '../../../lib/linux/index.js';
import { Words } from '../../../lib/words.js';
import { connect, SharedCache } from '../../../src/index.js';
import { type Geometry, geometryOf } from '../../../src/pool/layout/geometry.js';
import type { FormatOptions } from '../../../src/pool/layout/types.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { Chance } from '../../support/chance.js';
import { fillPage, makePage } from '../../support/pages.js';
import { act, type Hand, keyOf, leave, PAGE_SIZE, WrongPage } from './acts.js';
import { describeLie, Liar } from './lies.js';

/** How a round is played: so many lies, so many acts after each; or the lies told by another thread at its own pace. */
export interface RoundShape {
  readonly lies: number;
  readonly actsPerLie: number;
}

export const LIES_PER_ROUND = 8;
const USUAL: RoundShape = { lies: LIES_PER_ROUND, actsPerLie: 10 };
/** For many lies: each is met by fewer acts, and by those after the lies that follow it. */
export const DENSE: RoundShape = { lies: 24, actsPerLie: 2 };

const FORMATS: readonly FormatOptions[] = [
  { size: '2MiB', pageSize: 512, maxObjects: 2048, maxNodes: 4 },
  { size: '2MiB', pageSize: 512, maxObjects: 2048, maxNodes: 4, eviction: 's3-fifo' },
  { size: '768KiB', pageSize: 256, maxObjects: 300, maxNodes: 3, eviction: 'sieve' },
  { size: '768KiB', pageSize: 256, maxObjects: 200, maxNodes: 3, eviction: 'lru' },
];

export interface Scene {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly words: Words;
  readonly geometry: Geometry;
  /** A quiet pool, and one in which two nodes died at work. */
  readonly images: readonly Uint8Array[];
}

export interface RoundResult {
  readonly codes: Map<string, number>;
  readonly lies: number;
}

function handOf(path: string, pool: AttachedPool, chance: Chance): Hand {
  const cache = new SharedCache(pool, { namespace: 'hostile' });
  const pages = cache.pages('table', { pageSize: PAGE_SIZE });
  return { path, pool, chance, cache, pages, held: [], drafts: [], version: 1 };
}

async function makeScene(path: string, format: FormatOptions): Promise<Scene> {
  rmSync(path, { force: true });
  const chance = new Chance(7);
  const first = (await connect(path, { create: format, name: 'first' })) as AttachedPool;
  const { geometry } = first.session.parts;
  const descriptor = openSync(path, 'r+');
  const mapping = new Mapping(descriptor, 0, geometryOf(geometry).size, true);
  closeSync(descriptor);
  const bytes = new Uint8Array(mapping.buffer);
  const hand = handOf(path, first, chance);
  for (let i = 0; i < 400; i++) await act(hand);
  for (const key of [keyOf(3), keyOf(9)]) first.delete(key);
  first.put(keyOf(3), makePage(keyOf(3), 1, 300), { retain: true });
  const second = (await connect(path, { name: 'second' })) as AttachedPool;
  for (let i = 200; i < 206; i++) fillPage(second.create(keyOf(i), 200).bytes, keyOf(i), 1);
  second.get(keyOf(3));
  const atWork = bytes.slice();
  await leave(second);
  await leave(first);
  return { path, bytes, words: new Words(mapping.buffer), geometry, images: [bytes.slice(), atWork] };
}

export async function makeScenes(path: string): Promise<Scene[]> {
  const { random } = Math;
  // The pools' hash seeds too come from a seed, so that a round can be played again.
  const chance = new Chance(11);
  Math.random = () => chance.fraction();
  try {
    const scenes: Scene[] = [];
    for (const [i, format] of FORMATS.entries()) scenes.push(await makeScene(`${path}-${i}`, format));
    return scenes;
  } finally {
    Math.random = random;
  }
}

function setUp(scenes: readonly Scene[], chance: Chance): Scene {
  const scene = chance.pick(scenes);
  scene.bytes.set(chance.pick(scene.images));
  return scene;
}

/** One round: pristine bytes, a node, and lies among what it does. Everything in it follows from the seed. */
export async function playRound(
  scenes: readonly Scene[],
  seed: number,
  tell: (line: string) => void,
  shape: RoundShape = USUAL,
): Promise<RoundResult> {
  const chance = new Chance(seed);
  const scene = setUp(scenes, chance);
  const { geometry } = scene;
  const liar = new Liar(scene.words, geometry);
  const codes = new Map<string, number>();
  let lies = 0;
  let forged = false;
  const lie = () => {
    lies++;
    const told = liar.tell(chance);
    forged ||= told.forged === true;
    tell(describeLie(told, geometry));
  };
  if (chance.below(2) === 0) lie();
  let hand: Hand | undefined;
  for (; lies < shape.lies; lie()) {
    hand ??= await enter(scene.path, chance, codes);
    for (let i = 0; i < shape.actsPerLie && hand !== undefined; i++) await actOnce(hand, forged, codes, tell);
  }
  if (hand !== undefined) await leave(hand.pool);
  return { codes, lies };
}

async function actOnce(
  hand: Hand,
  forged: boolean,
  codes: Map<string, number>,
  tell: (line: string) => void,
): Promise<void> {
  const { name, code } = await act(hand).catch((error: unknown) => {
    if (forged && error instanceof WrongPage) return { name: 'wrong page of a forged pool', code: undefined };
    throw error;
  });
  tell(code === undefined ? name : `${name}: ${code}`);
  if (code !== undefined) codes.set(code, (codes.get(code) ?? 0) + 1);
}

/** The thread that lies while this one acts. */
export interface LyingThread {
  begin(scene: number, seed: number, lies: number): void;
  /** Whether it has told one from which on nodes disagree on what lies where. */
  readonly hasForged: boolean;
  /** Waits until it is through. How many it told. */
  end(): number;
}

/** One round in which another thread lies at any moment, also in the middle of a call. Its seed does not repeat it. */
export async function playAgainst(
  scenes: readonly Scene[],
  seed: number,
  liar: LyingThread,
  shape: RoundShape,
): Promise<RoundResult> {
  const chance = new Chance(seed);
  const scene = setUp(scenes, chance);
  const codes = new Map<string, number>();
  const isEarly = chance.below(4) === 0;
  if (isEarly) liar.begin(scenes.indexOf(scene), seed, shape.lies);
  const hand = await enter(scene.path, chance, codes);
  if (!isEarly) liar.begin(scenes.indexOf(scene), seed, shape.lies);
  try {
    for (let i = 0; i < shape.lies * shape.actsPerLie && hand !== undefined; i++) {
      await act(hand).then(
        ({ code }) => {
          if (code !== undefined) codes.set(code, (codes.get(code) ?? 0) + 1);
        },
        (error: unknown) => {
          if (!(liar.hasForged && error instanceof WrongPage)) throw error;
        },
      );
    }
  } finally {
    // The next round's bytes, or a disconnect from these, want quiet.
    liar.end();
  }
  if (hand !== undefined) await leave(hand.pool);
  return { codes, lies: shape.lies };
}

async function enter(path: string, chance: Chance, codes: Map<string, number>): Promise<Hand | undefined> {
  let pool: AttachedPool | undefined;
  try {
    pool = (await connect(path, { name: 'liar', timeoutMs: 2000 })) as AttachedPool;
    return handOf(path, pool, chance);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'PoolError') throw error;
    const { code } = error as Error & { code: string };
    codes.set(code, (codes.get(code) ?? 0) + 1);
    if (pool !== undefined) await leave(pool);
    return undefined;
  }
}
