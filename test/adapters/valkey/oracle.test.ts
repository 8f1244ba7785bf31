/**
 * What is offered, looked at while it goes on: values are versions of a key, one higher with each change of the source. A host that has seen
 * version v of a key invalidated may not read it, nor one before, from then on: by its own write, or because it was told. A key has two tags; whoever
 * changes what a tag stands for changes all of its keys at the source, and then ends the tag.
 */
import { expect } from 'chai';
import { type HostOptions, makeHost, type TestHost, until } from './hosts.js';
import { type Relay, startRelay } from './relay.js';
import { program, startServer } from './server.js';

const KEYS = Array.from({ length: 12 }, (_, i) => `key ${i}`);
const TAGS = ['a', 'b', 'c', 'd', 'e'];
const ROUNDS = 1500;
const SETTINGS: HostOptions = {
  heartbeatMs: 50,
  vouchMs: 500,
  requestTimeoutMs: 250,
  breakerPauseMs: 100,
  leaseMs: 300,
};

/** Of the key, so that an answer meant for another is seen. */
function versionOf(key: string, bytes: Uint8Array): number {
  const [of, version] = new TextDecoder().decode(bytes).split(': ');
  return of === key ? Number(version) : -1;
}

function bytesOfVersion(key: string, version: number): Uint8Array {
  return new TextEncoder().encode(`${key}: ${version}`);
}

/** Small, and the same for the same seed. */
function chanceOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function tagsOf(key: string): string[] {
  const at = KEYS.indexOf(key);
  return [TAGS[at % 3] as string, TAGS[3 + (at % 2)] as string];
}

class Run {
  /** The source of truth. */
  readonly source = new Map(KEYS.map((key) => [key, 1]));
  readonly wrong: string[] = [];
  reads = 0;
  hits = 0;
  changes = 0;
  tagsEnded = 0;
  private readonly chance: (below: number) => number;
  /** By host and key: the least version that may be read from now on. */
  private readonly least = new Map<string, number>();
  /** Keys that are being changed: the order of two changes at a time is for their callers to see to. */
  private readonly changing = new Set<string>();

  private readonly isTroubled: boolean;

  constructor(isTroubled: boolean) {
    this.isTroubled = isTroubled;
    this.chance = chanceOf(isTroubled ? 2 : 1);
  }

  private floorOf(host: number, key: string): number {
    return this.least.get(`${host} ${key}`) ?? 1;
  }

  private judge(host: number, key: string, version: number, floor: number, how: string): void {
    this.reads++;
    if (version < floor) this.wrong.push(`host ${host} ${how} ${key}: version ${version}, at least ${floor} was seen`);
  }

  private newest(key: string): Uint8Array {
    return bytesOfVersion(key, this.source.get(key) as number);
  }

  /** What the source has of the keys becomes another, and then a host says so. */
  private async change(host: number, keys: readonly string[], tell: () => Promise<unknown>): Promise<void> {
    if (keys.some((key) => this.changing.has(key))) return;
    for (const key of keys) {
      this.changing.add(key);
      this.source.set(key, (this.source.get(key) as number) + 1);
    }
    this.changes++;
    const versions = keys.map((key) => this.source.get(key) as number);
    await tell().then(
      () => {
        for (const [i, key] of keys.entries())
          this.least.set(`${host} ${key}`, Math.max(this.floorOf(host, key), versions[i] as number));
      },
      // Others could not be told: nothing was promised.
      () => {},
    );
    for (const key of keys) this.changing.delete(key);
  }

  async step(hosts: readonly TestHost[]): Promise<void> {
    const at = this.chance(hosts.length);
    const { cache } = hosts[at] as TestHost;
    const key = KEYS[this.chance(KEYS.length)] as string;
    const floor = this.floorOf(at, key);
    if (this.chance(10) === 0) {
      const kind = this.chance(4);
      const tag = TAGS[this.chance(TAGS.length)] as string;
      if (kind < 2) await this.change(at, [key], () => cache.delete(key));
      else if (kind === 2) await this.change(at, [key], () => cache.set(key, this.newest(key), { tags: tagsOf(key) }));
      else {
        const keys = KEYS.filter((one) => tagsOf(one).includes(tag));
        await this.change(at, keys, () => cache.invalidateTags([tag]).then(() => this.tagsEnded++));
      }
      return;
    }
    const bytes = cache.borrow(key);
    if (bytes !== undefined) {
      this.hits++;
      this.judge(at, key, versionOf(key, bytes), floor, 'has');
      // What a pool has had, the tier has had: it does not go back, unless a source that is read past it is ahead of what is told.
      if (!this.isTroubled) this.least.set(`${at} ${key}`, Math.max(floor, versionOf(key, bytes)));
    }
    const load = async () => {
      const version = this.source.get(key) as number;
      await new Promise((resolve) => setTimeout(resolve, this.chance(4)));
      return bytesOfVersion(key, version);
    };
    const fetched = await cache.fetchCopy(key, load, { ttlMs: 60_000, tags: tagsOf(key) });
    this.judge(at, key, versionOf(key, fetched), floor, 'got');
  }
}

async function trouble(relays: readonly Relay[], isOver: () => boolean): Promise<void> {
  const chance = chanceOf(7);
  while (!isOver()) {
    const relay = relays[chance(relays.length)] as Relay;
    const kind = chance(4);
    if (kind === 0) relay.cut();
    else if (kind === 1) relay.delayMs = chance(40);
    else if (kind === 2) relay.cutAfter = chance(2000);
    else relay.isHeld = true;
    await new Promise((resolve) => setTimeout(resolve, 50 + chance(300)));
    relay.delayMs = 0;
    if (relay.isHeld) {
      relay.isHeld = false;
      relay.cut();
    }
  }
}

/** Every change was told to everybody: once an entry that comes after them all was, no pool has anything from before. */
async function expectNewest(hosts: readonly TestHost[], { source }: Run): Promise<void> {
  for (const { cache } of hosts) await cache.fetchCopy('marker', () => bytesOfVersion('marker', 1));
  await hosts[0]?.cache.delete('marker');
  for (const { cache } of hosts) {
    await until(() => !cache.has('marker'));
    for (const key of KEYS) {
      const bytes = cache.borrow(key);
      if (bytes !== undefined) expect(versionOf(key, bytes), key).to.equal(source.get(key));
    }
  }
}

if (program !== undefined) {
  for (const troubled of [false, true]) {
    describe(`three hosts that read and write${troubled ? ' over connections that are cut, slow and dead' : ''}`, () => {
      it('never read what is older than a change they have seen, and agree at the end', async () => {
        const server = await startServer();
        const relays = [await startRelay(server.port), await startRelay(server.port), await startRelay(server.port)];
        const hosts = await Promise.all(relays.map((relay) => makeHost(relay.url, SETTINGS)));
        const run = new Run(troubled);
        let left = ROUNDS;
        const work = async () => {
          while (left-- > 0) await run.step(hosts);
        };
        const harm = troubled ? trouble(relays, () => left <= 0) : undefined;
        await Promise.all(Array.from({ length: 6 }, work));
        await harm;
        expect(run.wrong).to.deep.equal([]);
        expect([run.changes > 50, run.tagsEnded > 5, run.hits > 100]).to.deep.equal([true, true, true]);
        for (const { cache } of hosts) {
          // The breaker closes when somebody asks.
          await until(() =>
            cache.delete('any').then(
              () => cache.stats().channel.isVouched,
              () => false,
            ),
          );
        }
        if (!troubled) await expectNewest(hosts, run);
        // What was not told is told now.
        for (const key of KEYS) await hosts[0]?.cache.delete(key);
        for (const [at, { cache }] of hosts.entries()) {
          for (const key of KEYS) {
            const newest = bytesOfVersion(key, run.source.get(key) as number);
            await until(
              async () => versionOf(key, await cache.fetchCopy(key, () => newest)) === versionOf(key, newest),
            );
            expect(versionOf(key, cache.borrow(key) ?? newest), `${at} ${key}`).to.equal(versionOf(key, newest));
          }
        }
      });
    });
  }
}
