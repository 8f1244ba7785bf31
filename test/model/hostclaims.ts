/**
 * One key, one owner, between hosts whose memory is not coherent: src/coherence/host.ts (H1), with hosts that are declared dead, rightly or not ((M1) to (M3) of
 * members.ts). Hosts 1 and 2 claim one key; host 0 declares.
 *
 * A host's log is one line here: its last record of the key. The deaths are one line of host 0: of each claimant whether it is dead, its limit still looked for, or how
 * many records of its log count. Of the dead claims and drafts are void, and pages stay.
 *
 * (H1) a claim is in memory before its host looks. Who sees a draft, a page, or the claim of a lower host gives up; who sees the claim of a higher host waits until that one
 *      has won or given up, or gives up itself.
 *
 * (O) no two hosts have the key at once: drafts and pages that count, of hosts that were told that they have it.
 * (A) a page that was told as sealed counts for ever.
 */
import type { Model } from './explore.js';
import { Apart } from './memory.js';
import { BLOCKED, type Mutation, type Next, type Routine, World } from './world.js';

const [ARBITER, LOW, HIGH] = [0, 1, 2];
const DEATHS = 0;
/** What a log says last of the key, and how many records that are. */
const [NOTHING, CLAIM, WON, ABORT, PAGE] = [0, 1, 2, 3, 4];
const RECORDS = [0, 1, 2, 2, 3];
/** Of a death: none, its limit is looked for, or this more than the limit. */
const [ALIVE, PENDING, DECIDED] = [0, 1, 2];
// Private bytes of a claimant: what was read of the other, whether it was found dead, what its caller was told that it has. Of host 0: whom it declares, and the limit.
const [OTHER, FENCED, TOLD] = [1, 2, 3];
const [DECLARED, LIMIT] = [1, 2];
const LOCALS = 4;

export class ClaimWorld extends World {
  readonly lines: Apart;

  constructor(mutation: Mutation) {
    const lines = new Apart([ARBITER, LOW, HIGH], 3, () => (mutation.unflushed ?? []).length > 0);
    const wordNames = ['deaths', 'log of host 1', 'log of host 2'];
    super({ memory: lines, mutation, wordNames, actors: 3, locals: LOCALS, ghosts: 0 });
    this.lines = lines;
  }

  get other(): number {
    return this.actor === LOW ? HIGH : LOW;
  }
  /** Of the host, in what the deaths say. */
  deathIn(byte: number, host: number): number {
    return host === LOW ? byte & 15 : byte >> 4;
  }
  death(host: number): number {
    return this.deathIn(this.own(DEATHS), host);
  }
  declare(host: number, death: number): void {
    const byte = this.own(DEATHS);
    this.store(DEATHS, host === LOW ? (byte & ~15) | death : (byte & 15) | (death << 4));
  }

  judge(): void {
    if (this.isOwner(LOW) && this.isOwner(HIGH)) this.fail('(O) hosts 1 and 2 have the key');
    for (const host of [LOW, HIGH]) {
      const isLost = this.death(host) >= DECIDED && this.death(host) - DECIDED < (RECORDS[PAGE] as number);
      if (isLost && this.of(host, TOLD) === PAGE)
        this.fail(`(A) the page of host ${host} was told, and does not count`);
    }
  }
  /** Of the dead a page that counts, whether its host was told that or not. */
  private isOwner(host: number): boolean {
    const death = this.death(host);
    return death < DECIDED ? this.of(host, TOLD) >= WON : death - DECIDED === RECORDS[PAGE];
  }
}

type W = ClaimWorld;

const arbiter: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      {
        name: 'declare.claims',
        run: (m): Next => {
          const host = LOW + m.choose(2);
          if (m.death(host) !== ALIVE) return BLOCKED;
          m.set(DECLARED, host);
          m.declare(host, PENDING);
          return undefined;
        },
      },
      {
        name: 'limit.claims',
        run: (m) => {
          m.set(LIMIT, RECORDS[m.load(m.get(DECLARED))] as number);
        },
      },
      { name: 'limit.claims stored', run: (m) => m.declare(m.get(DECLARED), DECIDED + m.get(LIMIT)) },
    ],
    onward: () => 'idle',
  },
];

/** What counts of what was read of the other; undefined where that is not known yet. */
function countsOf(m: W, said: number, death: number): number | undefined {
  if (death === ALIVE) return said;
  if (death === PENDING) return m.has('pending believed') ? said : undefined;
  const limit = death - DECIDED;
  if ((RECORDS[said] as number) < limit) return undefined;
  if (m.has('drafts of the dead stay')) return said;
  return limit >= (RECORDS[PAGE] as number) ? PAGE : NOTHING;
}

function verdict(m: W, counts: number): string {
  if (counts === WON || counts === PAGE) return 'give up';
  if (counts !== CLAIM) return 'win';
  if (m.other < m.actor) return m.has('lower claims pass') ? 'win' : 'give up';
  if (m.has('higher claims pass')) return 'win';
  // Until it has waited for long enough.
  return m.choose(2) === 0 ? 'contend' : 'give up';
}

const claimant: readonly Routine<W>[] = [
  { name: 'idle', steps: [{ name: 'claim', run: (m) => m.store(m.actor, CLAIM) }], onward: () => 'contend' },
  {
    name: 'contend',
    steps: [
      { name: 'look.log', run: (m) => m.set(OTHER, m.load(m.other)) },
      {
        name: 'look.deaths of claims',
        run: (m): Next => {
          const byte = m.load(DEATHS);
          const said = m.get(OTHER);
          m.set(OTHER, 0);
          if (m.deathIn(byte, m.actor) !== ALIVE) return 'over';
          const counts = countsOf(m, said, m.deathIn(byte, m.other));
          return counts === undefined ? 'contend' : verdict(m, counts);
        },
      },
    ],
    onward: () => 'contend',
  },
  { name: 'give up', steps: [{ name: 'abort', run: (m) => m.store(m.actor, ABORT) }], onward: () => 'over' },
  {
    name: 'win',
    steps: [
      { name: 'won', run: (m) => m.store(m.actor, WON) },
      { name: 'won.told', isPrivate: 'after', run: (m) => m.set(TOLD, WON) },
    ],
    onward: () => 'seal',
  },
  {
    name: 'seal',
    steps: [
      { name: 'page', run: (m) => m.store(m.actor, PAGE) },
      {
        name: 'page.deaths',
        run: (m) => m.set(FENCED, m.deathIn(m.load(DEATHS), m.actor) === ALIVE ? 0 : 1),
      },
      {
        name: 'page.told',
        isPrivate: 'after',
        run: (m) => {
          if (m.get(FENCED) === 0) m.set(TOLD, PAGE);
        },
      },
    ],
    onward: () => 'over',
  },
  { name: 'over', steps: [{ name: 'over', run: () => BLOCKED }], onward: () => 'over' },
];

export function claimModel(mutation: Mutation): Model<W> {
  return {
    name: 'host claims',
    world: new ClaimWorld(mutation),
    actors: [
      { name: 'host 0', program: arbiter },
      { name: 'host 1', program: claimant },
      { name: 'host 2', program: claimant },
    ],
    start: () => {},
    judge: (m) => m.judge(),
  };
}
