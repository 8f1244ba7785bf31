/**
 * Many keys through the tier, as `fetchMany` of the pool calls for those that it has claimed: one question for all, one call of the loader for
 * those that the tier has leased to this host, or cannot say anything of, and questions again for those that others load.
 *
 * (B1) own loads come before waits for others: two hosts that want each other's keys both end.
 * (B2) a value counts from when it was asked for, a load from when the loader was called, as in loading.ts.
 */
import type { BulkLoader, Key, LoadedFor } from '../../src/index.js';
import { wait } from './connection.js';
import type { Host } from './host.js';
import type { LifeOptions, TierLoading } from './loading.js';
import type { Settings } from './options.js';
import { bytesOfKey, type TierSpace } from './space.js';

const PAUSE_MIN_MS = 2;
const PAUSE_MAX_MS = 50;

/** A key to load: under a lease, or apart from the tier. */
interface Due {
  readonly at: number;
  readonly lease: string | undefined;
}

type Found = (LoadedFor | undefined)[];

export class TierBulk {
  private readonly settings: Settings;
  private readonly space: TierSpace;
  private readonly host: Host;
  private readonly loading: TierLoading;

  constructor(settings: Settings, space: TierSpace, host: Host, loading: TierLoading) {
    this.settings = settings;
    this.space = space;
    this.host = host;
    this.loading = loading;
  }

  /** In the order of the keys; undefined for what the source has nothing for. Rejects with what the loader throws. */
  async load(keys: readonly Key[], load: BulkLoader, options: LifeOptions, signal: AbortSignal): Promise<Found> {
    const names = keys.map((key) => bytesOfKey(key).slice());
    const found: Found = keys.map(() => undefined);
    const untilMs = performance.now() + this.settings.waitMs;
    let waiting = keys.map((_, at) => at);
    for (let pauseMs = PAUSE_MIN_MS; waiting.length > 0; pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)) {
      const isLate = performance.now() >= untilMs || signal.aborted;
      const { due, others } = await this.ask(names, waiting, found);
      // (B1)
      const apart = isLate ? others.map((at) => ({ at, lease: undefined })) : [];
      if (due.length + apart.length > 0)
        await this.loadDue([...due, ...apart], { keys, names, load, options, signal }, found);
      waiting = isLate ? [] : others;
      if (waiting.length === 0) break;
      if (pauseMs === PAUSE_MIN_MS) this.space.counts.waits++;
      await wait(pauseMs, signal);
    }
    return found;
  }

  private async ask(
    names: readonly Uint8Array[],
    wanted: readonly number[],
    found: Found,
  ): Promise<{ due: Due[]; others: number[] }> {
    const seen = this.host.seen();
    const askedMs = performance.now();
    const asked = wanted.map((at) => names[at] as Uint8Array);
    const answers = await this.space.askMany(asked, seen, { leases: true, staleMs: 0 });
    const [due, others]: [Due[], number[]] = [[], []];
    for (const [i, answer] of answers.entries()) {
      const at = wanted[i] as number;
      if (answer.kind === 'value' || answer.kind === 'stale') found[at] = this.loading.given(answer, askedMs);
      else if (answer.kind === 'wait') others.push(at);
      else due.push({ at, lease: answer.kind === 'lease' ? answer.lease : undefined });
    }
    if (seen.place !== undefined && answers.some(({ kind }) => kind === 'other')) await this.host.sawOther(seen.place);
    return { due, others };
  }

  private async loadDue(due: readonly Due[], call: Call, found: Found): Promise<void> {
    const { space, loading } = this;
    const { keys, names, load, options, signal } = call;
    const leased = due.filter((one): one is Due & { lease: string } => one.lease !== undefined);
    const renew = () => {
      for (const { at, lease } of leased) void space.renew(names[at] as Uint8Array, lease);
    };
    const renewal = setInterval(renew, this.settings.leaseMs / 3);
    renewal.unref();
    try {
      const begunMs = performance.now();
      loading.loads += due.length;
      const asked = due.map(({ at }) => keys[at] as Key);
      const answers = inOrder(asked, await load(asked, { signal }));
      const offered = due.map(({ at, lease }, i) =>
        loading.bulkLoaded(keys[at] as Key, lease, answers[i], options, begunMs, signal),
      );
      for (const [i, loaded] of (await Promise.all(offered)).entries()) found[(due[i] as Due).at] = loaded;
    } catch (error) {
      await Promise.all(leased.map(({ at, lease }) => space.release(names[at] as Uint8Array, lease)));
      throw error;
    } finally {
      clearInterval(renewal);
    }
  }
}

interface Call {
  readonly keys: readonly Key[];
  readonly names: readonly Uint8Array[];
  readonly load: BulkLoader;
  readonly options: LifeOptions;
  readonly signal: AbortSignal;
}

/** What the loader answered, key by key. Throws TypeError for what is no answer. */
function inOrder(keys: readonly Key[], answer: unknown): unknown[] {
  if (Array.isArray(answer) && answer.length === keys.length) return answer;
  if (!(answer instanceof Map))
    throw new TypeError('loadMany: it gave neither a Map by key nor an array in the order of the keys.');
  const byName = new Map([...answer].map(([key, value]) => [Buffer.from(bytesOfKey(key)).toString('latin1'), value]));
  return keys.map((key) => byName.get(Buffer.from(bytesOfKey(key)).toString('latin1')));
}
