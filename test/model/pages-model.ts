/** The model of pages put together, and the bounds under which it is run. */
import type { Model } from './explore.js';
import { FREE, type PagesBounds, PagesWorld, SEALED } from './pages.js';
import { reader } from './pages-reader.js';
import { die, heir } from './pages-repair.js';
import { writer } from './pages-writer.js';
import type { Mutation } from './world.js';

const BASE: PagesBounds = {
  memory: 'sequential',
  readers: 1,
  slots: 2,
  keys: 1,
  ring: 1,
  borrows: 2,
  hasPins: false,
  publishes: 3,
  deletes: 0,
  deaths: 0,
  gets: 0,
  hasCreates: false,
  hasDecisions: false,
  hasBehind: false,
};

/** What the writer does where readers cannot tell one moment from the next, as long as its orders are kept elsewhere. */
const COARSE = [
  ...['draft.fields', 'draft.check', 'draft.state', 'draft.unlock', 'seal.lock', 'seal.order', 'seal.check'],
  ...['scan.fence', 'scan.count', 'scan.borrow', 'scan.borrow 2', 'free.state', 'free.check', 'log.invalid'],
  ...['log.slot', 'takeover.lock'],
];

/** And readers: for models that are about who sees what first, not about hazards. */
const COARSE_READING = [
  ...['hit.expose', 'hit.raise', 'known.expose', 'known.raise', 'probe.expose', 'probe.raise'],
  ...['record.number', 'record.slot', 'record.again', 'search.published'],
  ...['probe.named', 'probe.key', 'behind.published'],
];

export interface PagesCase {
  readonly bounds: Partial<PagesBounds>;
  /** Without the steps of the writer that readers cannot tell apart; or of both. */
  readonly coarse?: 'writer' | 'both';
}

/** One page of key 0 is there at the start, and counts as the first of the `publishes`. */
export function pagesModel({ bounds, coarse }: PagesCase, mutation: Mutation): Model<PagesWorld> {
  const all = { ...BASE, ...bounds };
  const readers = Array.from({ length: all.readers }, (_, i) => ({ name: `reader ${i + 1}`, program: reader }));
  return {
    name: 'pages',
    world: new PagesWorld(all, mutation),
    actors: [{ name: 'writer', program: [...writer, ...heir] }, ...readers],
    coarse: coarse === undefined ? [] : coarse === 'writer' ? COARSE : [...COARSE, ...COARSE_READING],
    start: (m, words) => {
      for (let slot = 0; slot < all.slots; slot++) words[m.words.state + slot] = FREE;
      const page = m.newPage(0);
      words[m.words.state] = (page << 3) | SEALED;
      words[m.words.data] = page;
      words[m.words.entry] = 1;
      words[m.words.order] = 1;
      words[m.words.published] = 1;
      words[m.words.check] = 1 + ((1 << 3) | page);
      m.isLive(0, page);
    },
    judge: (m) => m.judge(),
    ...(all.deaths > 0 ? { die } : {}),
  };
}
