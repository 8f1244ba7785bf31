/** What every part of the reader of pages does: exposing, remembering, forgetting, and coming to an end. */
import {
  AT,
  both,
  COUNT,
  CURRENT,
  HOW,
  IS_RETIRED,
  KEY,
  MET,
  PAGE,
  type PagesWorld,
  POSITION,
  PUBLISHED,
  pageOf,
  RECORD,
  SEEN,
  SLOT,
  slotOf,
  WANTS_PIN,
} from './pages.js';
import type { Step } from './world.js';

// 0: in search.
export const UNDER_LOCK = 1;
export const BEHIND = 2;

export type Reader = PagesWorld;
export const row = (m: Reader) => m.words.rows[m.actor - 1] as Reader['words']['rows'][number];

/** Hazards.expose: the ring's spare entry, then where need be the count. */
export function expose(where: string): Step<Reader>[] {
  return [
    {
      name: `${where}.expose`,
      order: 'hazard-1',
      run: (m) => {
        if (m.has('exchange')) m.store(row(m).borrows + m.get(POSITION), m.get(SLOT) + 1);
        else m.write(row(m).borrows + m.get(POSITION), m.get(SLOT) + 1);
      },
    },
    {
      name: `${where}.raise`,
      order: 'hazard-1',
      when: (m) => m.get(POSITION) >= m.get(COUNT),
      run: (m) => {
        m.set(COUNT, m.bounds.borrows);
        m.store(row(m).count, m.get(COUNT));
      },
    },
  ];
}

export function forgetAll(m: Reader): void {
  for (let key = 0; key < m.bounds.keys; key++) m.setNear(key, 0);
}

export function forgetSlot(m: Reader, slot: number): void {
  for (let key = 0; key < m.bounds.keys; key++) {
    if (m.near(key) !== 0 && slotOf(m.near(key)) === slot) m.setNear(key, 0);
  }
}

export function remember(m: Reader): void {
  forgetSlot(m, m.get(SLOT));
  if (m.has('remembered under what came after')) m.set(SEEN, m.own(m.words.sequence));
  m.setNear(m.get(KEY), both(m.get(SLOT), m.get(PAGE)));
}

/** The page is found: under the lock that is given back first. */
export function found(m: Reader): string {
  return m.get(HOW) === UNDER_LOCK ? 'unlock' : 'take';
}

/** What the near index knows of the key, if anything. */
export function nearby(m: Reader): boolean {
  const pair = m.near(m.get(KEY));
  if (pair === 0) return false;
  m.set(SLOT, slotOf(pair));
  m.set(PAGE, pageOf(pair));
  return true;
}

/** Locals that no later step reads are cleared, so that they do not tell states apart. */
export function over(m: Reader): string {
  for (const local of [SLOT, PAGE, IS_RETIRED, CURRENT, AT, RECORD, PUBLISHED, MET, HOW, WANTS_PIN]) m.set(local, 0);
  m.getEnds();
  return 'idle';
}

export function miss(m: Reader): string {
  m.misses();
  return over(m);
}

/** No page was found: try again, or otherwise. */
export function again(m: Reader): string {
  m.set(PAGE, 0);
  if (m.has('a failed look moves on')) m.set(POSITION, (m.get(POSITION) + 1) % m.bounds.borrows);
  if (m.get(HOW) === BEHIND) return 'behind';
  return m.bounds.hasDecisions && m.choose(2) === 1 ? 'decide' : 'search';
}
