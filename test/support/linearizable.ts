/**
 * Whether a recorded history of one key is linearizable: whether each operation can be given one moment between its
 * start and its end so that their results are those of a plain variable. (Lowe's just-in-time linearization: walk the
 * starts and ends in time order and keep every configuration that the results so far allow.)
 *
 * A `put` that succeeds has two moments, since its draft holds the key before its page can be read: from the first on
 * other puts are refused, from the second on gets find it. One whose draft a `set` has displaced meanwhile is superseded
 * at once: its second moment changes nothing. An `abort` is a draft that was taken back. A `put` that was cut off may also
 * end as one: whoever repairs undoes its draft.
 *
 * With `evicts` a page may go at any moment; what it must not do is come back.
 */
export type Kind = 'put' | 'set' | 'get' | 'delete' | 'abort' | 'clear';

/** Times are of one clock. An operation cut off by a death has no end: it may have happened or not. */
export interface Operation {
  readonly who: number;
  readonly kind: Kind;
  /** What was put or set, or what get found; 0 for nothing. Values of one key are unique. */
  readonly value: number;
  /** Of put and delete: what it returned. */
  readonly result: boolean;
  readonly start: bigint;
  readonly end: bigint | undefined;
}

type Step = (state: State) => State | undefined;
interface State {
  readonly value: number;
  /** Number of the put whose draft holds the key, or -1. */
  readonly draft: number;
}

function stepsOf(operation: Operation, id: number, evicts: boolean): Step[] {
  const { kind, value, result } = operation;
  if (kind === 'get' && value === 0 && evicts) return [(state) => ({ ...state, value: 0 })];
  if (kind === 'get') return [(state) => (state.value === value ? state : undefined)];
  if (kind === 'set') return [() => ({ value, draft: -1 })];
  if (kind === 'clear') return [(state) => ({ ...state, value: 0 })];
  if (kind === 'delete') {
    const fits = (state: State) => (result ? state.value !== 0 : state.value === 0 || evicts);
    return [(state) => (fits(state) || operation.end === undefined ? { ...state, value: 0 } : undefined)];
  }
  const isCutOff = operation.end === undefined;
  if (!result && !isCutOff && kind === 'put') {
    return [(state) => (state.value !== 0 || state.draft >= 0 ? state : undefined)];
  }
  const isFree = (state: State) => (state.value === 0 || evicts) && state.draft < 0;
  const begin: Step = (state) => (isFree(state) ? { value: 0, draft: id } : undefined);
  const seal: Step = (state) => (state.draft === id ? { value, draft: -1 } : state);
  const undo: Step = (state) => (state.draft === id ? { ...state, draft: -1 } : state);
  return kind === 'abort' ? [begin, undo] : [begin, seal];
}

/** A state of the key, and how many moments of each operation under way have passed, a character each. */
interface Configuration {
  readonly state: State;
  readonly done: string;
}

const NOTHING_DONE = '0';

function nameOf({ state, done }: Configuration): string {
  return `${state.value}/${state.draft}/${done}`;
}

function withDone(done: string, place: number, count: string): string {
  return done.slice(0, place) + count + done.slice(place + 1);
}

class Walk {
  /** Steps of the operations under way, by place; a place is used again. */
  private readonly underWay: (Step[] | undefined)[] = [];
  private readonly places = new Map<number, number>();
  private configurations: Configuration[] = [{ state: { value: 0, draft: -1 }, done: '' }];

  begin(id: number, steps: Step[]): void {
    const free = this.underWay.indexOf(undefined);
    const place = free < 0 ? this.underWay.length : free;
    this.underWay[place] = steps;
    this.places.set(id, place);
    if (free >= 0) return;
    this.configurations = this.configurations.map(({ state, done }) => ({ state, done: done + NOTHING_DONE }));
  }

  /** False when no configuration lets the operation end with its result. */
  end(id: number): boolean {
    const place = this.places.get(id) as number;
    const total = String((this.underWay[place] as Step[]).length);
    const met = new Set<string>();
    const left = new Map<string, Configuration>();
    const open = [...this.configurations];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const name = nameOf(at);
      if (met.has(name)) continue;
      met.add(name);
      if (at.done[place] === total) {
        const rest = { state: at.state, done: withDone(at.done, place, NOTHING_DONE) };
        left.set(nameOf(rest), rest);
      } else open.push(...this.after(at));
    }
    this.underWay[place] = undefined;
    this.places.delete(id);
    this.configurations = [...left.values()];
    return left.size > 0;
  }

  /**
   * Every configuration one moment later. What only looks, and gives the state back as it is, is as good now as ever: then
   * only that one.
   */
  private after({ state, done }: Configuration): Configuration[] {
    const found: Configuration[] = [];
    for (const [place, steps] of this.underWay.entries()) {
      const passed = Number(done[place]);
      const next = steps?.[passed]?.(state);
      if (next === undefined) continue;
      const later = { state: next, done: withDone(done, place, String(passed + 1)) };
      if (next === state) return [later];
      found.push(later);
    }
    return found;
  }
}

function compareTimes(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Undefined when the history is linearizable, else the operation that no order explains and those around it. */
export function faultIn(history: readonly Operation[], evicts = false): string | undefined {
  const events: { at: bigint; id: number; ends: boolean }[] = [];
  history.forEach(({ kind, start, end }, id) => {
    // A get that was cut off is nothing to anybody.
    if (kind === 'get' && end === undefined) return;
    events.push({ at: start, id, ends: false });
    if (end !== undefined) events.push({ at: end, id, ends: true });
  });
  // Of one moment, starts come first: operations that touch each other overlap.
  events.sort((a, b) => compareTimes(a.at, b.at) || Number(a.ends) - Number(b.ends));
  const walk = new Walk();
  undoingsOf(history).forEach((undo, index) => {
    walk.begin(history.length + index, [undo]);
  });
  for (const { id, ends } of events) {
    const operation = history[id] as Operation;
    if (!ends) walk.begin(id, stepsOf(operation, id, evicts));
    else if (!walk.end(id)) return describe(history, operation);
  }
  return undefined;
}

/** Operations that were cut off may have been undone later: each such put is given a second, equally possible end. */
function undoingsOf(history: readonly Operation[]): Step[] {
  return history.flatMap(({ kind, end }, id): Step[] =>
    kind === 'put' && end === undefined ? [(state) => (state.draft === id ? { ...state, draft: -1 } : undefined)] : [],
  );
}

function describe(history: readonly Operation[], fault: Operation): string {
  const end = fault.end as bigint;
  const before = history.filter((one) => one.start <= end).sort((a, b) => compareTimes(a.start, b.start));
  const lines = before.slice(-14).map((one) => {
    const times = `${one.start - fault.start} to ${one.end === undefined ? 'never' : one.end - fault.start} ns`;
    return `  node ${one.who}: ${one.kind} ${one.value} -> ${one.result}, ${times}${one === fault ? '   <- no order explains this' : ''}`;
  });
  return `not linearizable:\n${lines.join('\n')}`;
}
