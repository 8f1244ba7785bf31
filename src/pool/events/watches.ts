/**
 * Watches: what waits in this node for one key, by shard. Many may wait for keys that do not come, so a look costs what was
 * published, not what waits.
 *
 * (G1) a shard of which few wait is looked at whole when its publish sequence has moved.
 * (G2) of a shard of which many wait, those that want a page are found by what its event log tells; those that want the end
 *      of a draft, of which nothing is told, are all looked at. Where the log was overtaken, everybody is.
 * (G3) nothing relies on that alone: `lookAtSome` comes round to everybody.
 * (G4) a call may be cut (see calls.ts). A shard counts as looked at when all looks are made. A watch enters by stores with no
 *      function's entry between them, and leaves in steps that may be made again; in `turns` it is until the last of them.
 */
import { KeyHash } from '../../../lib/hash.js';
import { EVENT_SEALED } from '../layout/index.js';
import type { Shards } from '../objects/index.js';
import type { EventLog } from './eventlog.js';

/** So many watches of a shard are looked at without asking what was published. */
const FEW = 64;

/** One thing to wait for: `look` says whether it is there by now. */
export interface Place {
  readonly shard: number;
  readonly tag: number;
  /** Whether only a page brings it, and not the end of a draft without one. */
  readonly wantsPage?: boolean;
  look(): boolean;
}

export interface WatchParts {
  readonly shards: Shards;
  readonly events: EventLog;
}

export class Watch {
  readonly shard: number;
  readonly tag: number;
  /** Whether only a page ends it, and not the end of a draft without one. */
  readonly wantsPage: boolean;
  readonly look: () => void;
  /** The next of the shard and tag that wants a page. */
  next: Watch | undefined;

  constructor(shard: number, tag: number, wantsPage: boolean, look: () => void) {
    this.shard = shard;
    this.tag = tag;
    this.wantsPage = wantsPage;
    this.look = look;
  }
}

/** Tags of the pages that were sealed, undefined for whatever there may be; and where in the log that ends. */
interface Told {
  readonly tags: ReadonlySet<number> | undefined;
  readonly end: number;
  readonly count: number;
}

class Group {
  /** The shard's publish sequence, and the end of its event log, when it was last looked at. */
  seen: number;
  position: number;
  count: number;
  readonly watches = new Set<Watch>();
  readonly forEnds = new Set<Watch>();
  /** Those that want a page. */
  private readonly byTag = new Map<number, Watch>();

  constructor(seen: number, log: { end: number; count: number }) {
    this.seen = seen;
    this.position = log.end;
    this.count = log.count;
  }

  add(watch: Watch): void {
    this.watches.add(watch);
    if (watch.wantsPage) {
      watch.next = this.byTag.get(watch.tag);
      this.byTag.set(watch.tag, watch);
    } else this.forEnds.add(watch);
  }

  delete(watch: Watch): void {
    if (watch.wantsPage) this.unlink(watch);
    this.forEnds.delete(watch);
    this.watches.delete(watch);
  }

  private unlink(watch: Watch): void {
    const first = this.byTag.get(watch.tag);
    if (first === watch) {
      if (watch.next === undefined) this.byTag.delete(watch.tag);
      else this.byTag.set(watch.tag, watch.next);
      return;
    }
    let before = first;
    while (before !== undefined && before.next !== watch) before = before.next;
    if (before !== undefined) before.next = watch.next;
  }

  of(tag: number): Watch[] {
    const found: Watch[] = [];
    for (let watch = this.byTag.get(tag); watch !== undefined; watch = watch.next) found.push(watch);
    return found;
  }
}

export class Watches {
  private readonly shards: Shards;
  private readonly events: EventLog;
  private readonly hash: KeyHash;
  private readonly groups = new Map<number, Group>();
  /** All of them, those that were looked at longest ago first. */
  private readonly turns = new Set<Watch>();

  /** `seed`: of the pool's key hashes. */
  constructor(parts: WatchParts, seed: number) {
    this.shards = parts.shards;
    this.events = parts.events;
    this.hash = new KeyHash(seed);
  }

  get size(): number {
    return this.turns.size;
  }

  add(watch: Watch): void {
    let group = this.groups.get(watch.shard);
    if (group === undefined) {
      group = new Group(this.shards.publishSequence(watch.shard), this.events.mark(watch.shard));
      this.groups.set(watch.shard, group);
    }
    // (G4)
    group.add(watch);
    this.turns.add(watch);
  }

  delete(watch: Watch): boolean {
    if (!this.turns.has(watch)) return false;
    const group = this.groups.get(watch.shard);
    group?.delete(watch);
    if (group?.watches.size === 0) this.groups.delete(watch.shard);
    // (G4)
    return this.turns.delete(watch);
  }

  clear(): void {
    this.groups.clear();
    this.turns.clear();
  }

  /** Looks where something may have come. Whether something had. */
  lookAtMoved(): boolean {
    let moved = false;
    for (const [shard, group] of [...this.groups]) {
      const sequence = this.shards.publishSequence(shard);
      const isTold = this.events.end(shard) !== group.position;
      if (sequence === group.seen && !isTold) continue;
      moved = true;
      const { tags, end, count } = this.told(shard, group);
      if (tags === undefined) this.lookAt(group, [...group.watches]);
      else {
        this.lookAt(group, [...group.forEnds]);
        for (const tag of tags) this.lookAt(group, group.of(tag));
      }
      // (G4)
      group.seen = sequence;
      group.position = end;
      group.count = count;
    }
    return moved;
  }

  private lookAt(group: Group, watches: readonly Watch[]): void {
    for (const watch of watches) if (group.watches.has(watch)) watch.look();
  }

  /** What the log tells since the last look, and how far it was read for that. */
  private told(shard: number, group: Group): Told {
    const { events, hash } = this;
    if (group.watches.size <= FEW) return { tags: undefined, ...events.mark(shard) };
    const tags = new Set<number>();
    const end = events.end(shard);
    let { position, count } = group;
    while (position !== end) {
      const record = events.isInRing(position, end) ? events.read(shard, position, count) : undefined;
      // ORDER event-2: the end once more, after the record; pairs with append.
      if (record === undefined || !events.isInRing(position, events.end(shard)))
        return { tags: undefined, ...events.mark(shard) };
      position = (position + record.lines) | 0;
      count = (count + 1) | 0;
      if (record.kind !== EVENT_SEALED) continue;
      // Of a key that was told in part there is no tag.
      if (record.keyLength > record.key.length) return { tags: undefined, ...events.mark(shard) };
      hash.of(record.key, record.key.length);
      tags.add(hash.high);
    }
    return { tags, end, count };
  }

  /** Looks at all that want to know of the end of a draft: what a dead node leaves is told by nobody. */
  lookAtEnds(): void {
    for (const group of [...this.groups.values()]) this.lookAt(group, [...group.forEnds]);
  }

  /** Looks at so many, as their turn comes. */
  lookAtSome(count: number): void {
    const some: Watch[] = [];
    for (const watch of this.turns) {
      if (some.length === count) break;
      some.push(watch);
    }
    for (const watch of some) {
      if (!this.turns.delete(watch)) continue;
      this.turns.add(watch);
      watch.look();
    }
  }
}
