/**
 * What one process knows of whether its host's pool can be vouched for, and the channel that makes it so. One process of the host holds the
 * channel and writes a record into the pool; the others look at the record.
 *
 * (H1) a process vouches while the record is younger than `vouchMs`. On every change from vouching to not it drops everything: what it
 *      had stored with a full life, believing. What is loaded after that has a short life. So no page outlives by more than that what
 *      nobody could tell of.
 * (H2) two processes that hold the channel at a time do no harm: each record is true (R1), and the older one steps down.
 * (H3) a channel that is taken up goes on from the place in the record, and where the tier's log does not lead from there to now it drops
 *      everything first. It takes its new place before it drops.
 * (H4) every process pins the record it has seen last, so that a full pool does not evict it. Where it is gone all the same nothing is
 *      known, which is (H3) without a place.
 */
import { Connection, wait } from './connection.js';
import { applyEntries, type FeedCounts, readOn, type Target } from './feed.js';
import type { Settings } from './options.js';
import { isBelow, newNonce, type Place, type Seen, type TierSpace } from './space.js';

/** How records are kept, and who lives, in this host. */
export interface Board {
  read(): Uint8Array | undefined;
  write(bytes: Uint8Array): void;
  /** Pins the record that is there, until the next call. */
  keep(): void;
  /** Whether the node of this process that wrote a record is gone. */
  isDead(row: number, processId: number): boolean;
  readonly row: number;
  readonly processId: number;
  /** The same clock for all processes of the host. */
  nowMs(): number;
}

interface HostRecord {
  readonly holder: string;
  readonly row: number;
  readonly processId: number;
  /** When the holder said last that it tries. */
  readonly triedMs: number;
  /** When the tier answered last. */
  readonly heardMs: number;
  readonly place: Place | undefined;
  readonly floor: string;
}

export interface ChannelCounts extends FeedCounts {
  /** Times that this process dropped everything, for whatever reason. */
  drops: number;
  /** Times that this process took the channel. */
  takeovers: number;
  /** Times that the channel broke. */
  breaks: number;
  /** Times that the tier had another history. */
  otherHistories: number;
}

const PAUSE_MAX_MS = 1000;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class Host {
  readonly counts: ChannelCounts = { applied: 0, gaps: 0, drops: 0, takeovers: 0, breaks: 0, otherHistories: 0 };
  readonly origin = newNonce();
  private readonly settings: Settings;
  private readonly space: TierSpace;
  private readonly board: Board;
  private readonly target: Target;
  private readonly ticker: NodeJS.Timeout;
  private readonly ending = new AbortController();
  private vouches = false;
  private owesDrop = false;
  private barring: Promise<void> | undefined;
  private channel: Connection | undefined;
  /** Of the channel, while this process holds it. */
  private place: Place | undefined;
  /** The place of this process's own last write: it counts as seen. */
  private own: Place | undefined;

  constructor(settings: Settings, space: TierSpace, board: Board, target: Target) {
    this.settings = settings;
    this.space = space;
    this.board = board;
    this.target = { drop: (key) => this.drop(target, key), endTags: (end) => target.endTags(end) };
    this.ticker = setInterval(() => this.look(), settings.heartbeatMs);
    this.ticker.unref();
    this.look();
  }

  private drop(target: Target, key: Uint8Array | undefined): void {
    if (key === undefined) this.counts.drops++;
    target.drop(key);
  }

  get isVouched(): boolean {
    return this.vouches;
  }

  get holdsChannel(): boolean {
    return this.channel !== undefined;
  }

  private record(): HostRecord | undefined {
    const bytes = this.board.read();
    return bytes === undefined ? undefined : (JSON.parse(decoder.decode(bytes)) as HostRecord);
  }

  private isRecent(ms: number): boolean {
    const age = this.board.nowMs() - ms;
    // Before this boot's clock began: of another boot.
    return age >= 0 && age < this.settings.vouchMs;
  }

  /** (H1) */
  private look(): void {
    if (this.ending.signal.aborted) return;
    const record = this.record();
    this.tryKeep();
    const isHeld = record !== undefined && this.isRecent(record.heardMs);
    if (this.vouches && !isHeld) this.owesDrop = true;
    this.vouches = isHeld;
    this.payDrop();
    if (this.channel === undefined && !this.isTaken(record)) this.hold(record);
  }

  /** (H4) */
  private tryKeep(): void {
    try {
      this.board.keep();
    } catch {
      // With as many pins as it gets: it may be evicted.
    }
  }

  private isTaken(record: HostRecord | undefined): boolean {
    if (record === undefined || !this.isRecent(record.triedMs)) return false;
    return !this.board.isDead(record.row, record.processId);
  }

  /** Where a lock is held by a process that does not run it is done later. */
  private payDrop(): void {
    if (!this.owesDrop) return;
    try {
      this.target.drop(undefined);
      this.owesDrop = false;
    } catch {
      // At the next look.
    }
  }

  /** Resolves when it is known whether the pool is vouched for. If not, it was dropped. */
  async begin(timeoutMs: number): Promise<void> {
    const untilMs = this.board.nowMs() + timeoutMs;
    while (!this.vouches && this.board.nowMs() < untilMs && !this.ending.signal.aborted) await wait(2);
    if (this.vouches) return;
    this.owesDrop = true;
    this.payDrop();
  }

  /** The tier has said that this place is none of its history. */
  async sawOther(place: Place): Promise<void> {
    this.counts.otherHistories++;
    if (this.own?.count === place.count) this.own = undefined;
    this.owesDrop = true;
    this.payDrop();
    this.barring ??= this.space.bar(place).finally(() => {
      this.barring = undefined;
    });
    await this.barring;
  }

  /** For who asks the tier. */
  seen(): Seen {
    const record = this.record();
    const place = record?.place;
    const isOwnLater = this.own !== undefined && (place === undefined || isBelow(place.count, this.own.count));
    return { place: isOwnLater ? this.own : place, floor: record?.floor ?? '' };
  }

  /** The tier has given this place to a write of this process. */
  wrote(place: Place): void {
    if (this.own === undefined || isBelow(this.own.count, place.count)) this.own = place;
  }

  private write(changes: Partial<HostRecord>): void {
    const nowMs = this.board.nowMs();
    const known = this.record() ?? { heardMs: -1, place: undefined, floor: '' };
    const { row, processId } = this.board;
    const record: HostRecord = { ...known, holder: this.origin, row, processId, triedMs: nowMs, ...changes };
    try {
      this.board.write(encoder.encode(JSON.stringify(record)));
    } catch {
      // Behind a lock that does not move, or with no pin left: others judge by the record of before.
    }
  }

  private hold(record: HostRecord | undefined): void {
    this.counts.takeovers++;
    this.write({});
    const channel = new Connection((client) => this.settings.connect(client));
    this.channel = channel;
    void this.run(channel, record?.place)
      .catch(() => {})
      .finally(() => {
        channel.close();
        if (this.channel === channel) this.channel = undefined;
      });
  }

  /** Until it ends, or another process has it. */
  private async run(channel: Connection, from: Place | undefined): Promise<void> {
    const { signal } = this.ending;
    // A field: what was applied before the channel broke has been seen.
    this.place = from;
    let pauseMs = 10;
    while (!signal.aborted && this.isHolder()) {
      try {
        await channel.open(this.settings.requestTimeoutMs);
        this.place = await this.join(channel, this.place);
        pauseMs = 10;
        await this.follow(channel, this.place);
      } catch {
        if (signal.aborted) return;
        this.counts.breaks++;
        channel.remake();
        if (this.isHolder()) this.write({});
        await wait(pauseMs * (1 + Math.random()), signal);
        pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
      }
    }
  }

  /** (H2) */
  private isHolder(): boolean {
    const record = this.record();
    if (record === undefined || record.holder === this.origin || !this.isTaken(record)) return true;
    // Of two that write by turns one stays.
    return this.origin < record.holder;
  }

  /** (H3) */
  private async join(channel: Connection, place: Place | undefined): Promise<Place> {
    const { space } = this;
    let { history, head } = await space.check(channel, place);
    if (place !== undefined && history === 0) {
      this.write({ heardMs: this.board.nowMs(), place });
      return place;
    }
    if (place !== undefined && history === 2) {
      this.counts.otherHistories++;
      await space.bar(place);
      ({ history, head } = await space.check(channel, undefined));
    }
    const floor = this.record()?.floor ?? '';
    const floorNow = place !== undefined && (floor === '' || isBelow(floor, place.count)) ? place.count : floor;
    this.target.drop(undefined);
    this.write({ heardMs: this.board.nowMs(), place: head, floor: floorNow });
    this.vouches = true;
    return head;
  }

  /** Reads on until the history is another one; rejects when the connection breaks. */
  private async follow(channel: Connection, from: Place): Promise<void> {
    let place = from;
    while (!this.ending.signal.aborted && this.isHolder()) {
      const round = await readOn(this.space, channel, place, this.settings.heartbeatMs);
      if (this.ending.signal.aborted || round === undefined || !this.isHolder()) return;
      place = applyEntries(round.reply, place, this.target, this.counts);
      this.place = place;
      this.write({ heardMs: this.board.nowMs(), place });
      this.vouches = true;
    }
  }

  close(): void {
    this.ending.abort();
    clearInterval(this.ticker);
    this.channel?.close();
    // Whoever is left takes over at once.
    if (this.channel !== undefined) this.write({ triedMs: -1 });
  }
}
