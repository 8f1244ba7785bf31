import { expect } from 'chai';
import { EVENT_LINES_MAX } from '../../src/pool/events/eventlog.js';
import type { Pool, PoolEvent, Subscription } from '../../src/pool/layout/types.js';
import { useProcesses } from '../process/child.js';
import { Chance } from '../support/chance.js';
import { codeOf, eventually, MIB, pause, settle, usePools } from '../support/pools.js';

const SMALL = { size: 16 * MIB, pageSize: 4096, maxNodes: 8 } as const;
const BYTES = new Uint8Array(10);

type Told = Exclude<PoolEvent, { type: 'missed' }>;

/** As many events as are asked for. */
async function take(subscription: Subscription, count: number): Promise<PoolEvent[]> {
  const events: PoolEvent[] = [];
  const iterator = subscription[Symbol.asyncIterator]();
  while (events.length < count) {
    const { value, done } = await iterator.next();
    if (done === true) break;
    events.push(value);
  }
  return events;
}

const short = (events: readonly PoolEvent[]) =>
  events.map((event) => (event.type === 'missed' ? `missed ${event.count}` : `${event.type} ${event.key}`));

/** What the events say is there, and how many they leave out. */
class Picture {
  readonly keys = new Map<string, number>();
  missed = 0;
  count = 0;
  private last = 0;

  add(event: PoolEvent): void {
    expect(event.sequence).to.be.at.least(this.last);
    this.last = event.sequence;
    this.count++;
    if (event.type === 'missed') this.missed += event.count;
    else if (event.type === 'sealed') this.keys.set(event.key, event.size);
    else this.keys.delete(event.key);
  }
}

const contents = (pool: Pool) =>
  new Map([...pool.list()].filter(({ state }) => state === 'sealed').map(({ key, size }) => [key, size]));

describe('conformance: subscribe', () => {
  const pools = usePools();

  it('first tells what exists, if asked, and then follows; unasked it tells only what comes', async () => {
    const pool = await pools.create(SMALL);
    const other = await pools.connect(pool.path);
    for (const key of ['a', 'b', 'c']) pool.put(key, BYTES);
    pool.delete('b');
    pool.create('draft', 10);
    const replaying = other.subscribe({ replay: true });
    const following = other.subscribe();
    pool.put('d', new Uint8Array(77));
    const [first, second, third] = await take(replaying, 3);
    expect(short([first, second] as PoolEvent[])).to.have.members(['sealed a', 'sealed c']);
    expect(third).to.deep.include({ type: 'sealed', key: 'd', size: 77, sequence: 5 });
    expect(short(await take(following, 1))).to.deep.equal(['sealed d']);
  });

  it('tells seals, deletes and evictions of every key with its bytes, in the order of their sequence', async () => {
    const pool = await pools.create(SMALL);
    const subscription = pool.subscribe();
    const long = 'long '.repeat(200);
    const binary = Uint8Array.of(255, 0, 1);
    for (const key of ['short', long, binary]) pool.put(key, BYTES);
    pool.delete(long);
    pool.evict(1);
    const events = (await take(subscription, 5)) as Told[];
    expect(events.map(({ sequence }) => sequence)).to.deep.equal([1, 2, 3, 4, 5]);
    const keys = events.map(({ key }) => key);
    expect(keys.slice(0, 4)).to.deep.equal(['short', long, Buffer.from(binary).toString('base64url'), long]);
    expect(events[2]?.keyBytes).to.deep.equal(binary);
    expect(events.map(({ type }) => type)).to.deep.equal(['sealed', 'sealed', 'sealed', 'deleted', 'evicted']);
  });

  it('tells only of keys with the prefix, long and empty ones included', async () => {
    const pool = await pools.create(SMALL);
    pool.put('a/0', BYTES);
    pool.put('b/0', BYTES);
    const some = pool.subscribe({ prefix: 'a/', replay: true });
    const all = pool.subscribe({ prefix: '' });
    for (const key of ['b/1', `a/${'x'.repeat(500)}`, 'a', 'a/1']) pool.put(key, BYTES);
    expect(short(await take(some, 3))).to.deep.equal(['sealed a/0', `sealed a/${'x'.repeat(500)}`, 'sealed a/1']);
    expect((await take(all, 4)).length).to.equal(4);
  });

  it('does not tell of drafts, of failed puts or of pages that another takes the place of', async () => {
    const pool = await pools.create(SMALL);
    const subscription = pool.subscribe();
    const draft = pool.create('draft', 10);
    pool.put('key', BYTES);
    pool.put('key', BYTES);
    draft.abort();
    pool.create('draft', 5).seal();
    pool.delete('key');
    pool.delete('key');
    expect(short(await take(subscription, 3))).to.deep.equal(['sealed key', 'sealed draft', 'deleted key']);
  });

  it('a page can be got when it is told, and is a miss when its end is told', async () => {
    const pool = await pools.create(SMALL);
    const other = await pools.connect(pool.path);
    const subscription = other.subscribe();
    const chance = new Chance(3);
    for (let i = 0; i < 300; i++) {
      const key = `key-${chance.below(20)}`;
      const isThere = pool.has(key);
      if (isThere) pool.delete(key);
      else pool.put(key, BYTES);
      const [event] = (await take(subscription, 1)) as [Told];
      expect([event.key, event.type]).to.deep.equal([key, isThere ? 'deleted' : 'sealed']);
      expect(other.has(key)).to.equal(!isThere);
    }
  });

  it('keeps the order over 10,000 creates and deletes, and leaves none out', async () => {
    const pool = await pools.create(SMALL);
    const subscription = pool.subscribe();
    for (let i = 0; i < 10_000; i++) {
      pool.put(`key-${i}`, BYTES);
      pool.delete(`key-${i}`);
    }
    const events = (await take(subscription, 20_000)) as Told[];
    events.forEach((event, i) => {
      expect(event.sequence).to.equal(i + 1);
      expect([event.type, event.key]).to.deep.equal([i % 2 === 0 ? 'sealed' : 'deleted', `key-${i >> 1}`]);
    });
  });

  it('a subscriber that does not read is told exactly how many it missed, and goes on with the oldest that is still there', async () => {
    const pool = await pools.create({ size: MIB, pageSize: 512, maxNodes: 4, maxObjects: 200 });
    const other = await pools.connect(pool.path);
    const subscription = other.subscribe();
    const ring = pool.session.parts.geometry.eventLines;
    for (let i = 0; i < ring; i++) {
      pool.put('key', BYTES);
      pool.delete('key');
    }
    await pause(50);
    pool.put('last', BYTES);
    const picture = new Picture();
    for await (const event of subscription) {
      picture.add(event);
      if (picture.keys.has('last')) break;
    }
    expect([...picture.keys.keys()]).to.deep.equal(['last']);
    // All that were told in the end: every event but those of which only the number is left.
    expect(picture.missed + picture.count - 1).to.equal(2 * ring + 1);
    expect(picture.missed).to.be.at.most(ring + EVENT_LINES_MAX);
  });

  for (const seed of [1, 2, 3]) {
    it(`what a subscriber is told adds up to what the pool holds, seed ${seed}`, async () => {
      // Rings with room for what is written while the reader has no turn: here nothing may be missed.
      const pool = await pools.create({ size: 16 * MIB, pageSize: 512, maxNodes: 4, maxObjects: 500 });
      const nodes = [pool, await pools.connect(pool.path), await pools.connect(pool.path)];
      const chance = new Chance(seed);
      const write = () => {
        const node = chance.pick(nodes);
        const key = `key-${chance.below(400)}${'-long'.repeat(chance.below(2) * 20)}`;
        if (chance.below(3) === 0) node.delete(key);
        else node.put(key, new Uint8Array(chance.below(6000)));
      };
      for (let i = 0; i < 300; i++) write();
      const subscription = chance.pick(nodes).subscribe({ replay: true });
      const picture = new Picture();
      const reading = (async () => {
        for await (const event of subscription) picture.add(event);
      })();
      for (let i = 0; i < 3000; i++) {
        write();
        if (chance.below(20) === 0) await pause(0);
      }
      await eventually(() => expect(picture.keys).to.deep.equal(contents(pool)));
      expect(picture.missed).to.equal(0);
      subscription.close();
      await reading;
    });
  }

  it('ends at close, at dispose, at abort and when its loop is left; other subscriptions go on', async () => {
    const pool = await pools.create(SMALL);
    const controller = new AbortController();
    const [closed, disposed, aborted, left, going] = [
      pool.subscribe(),
      pool.subscribe(),
      pool.subscribe({ signal: controller.signal }),
      pool.subscribe(),
      pool.subscribe(),
    ];
    const ends = [closed, disposed, aborted].map((subscription) => take(subscription, 1));
    closed.close();
    closed.close();
    disposed[Symbol.dispose]();
    controller.abort();
    expect(await Promise.all(ends)).to.deep.equal([[], [], []]);
    pool.put('a', BYTES);
    for await (const event of left) {
      expect(event.type).to.equal('sealed');
      break;
    }
    pool.put('b', BYTES);
    expect(await take(left, 1)).to.deep.equal([]);
    expect(short(await take(going, 2))).to.deep.equal(['sealed a', 'sealed b']);
    expect(await take(pool.subscribe({ signal: AbortSignal.abort() }), 1)).to.deep.equal([]);
  });

  it('says DISCONNECTED to whoever waits, and to whoever asks afterwards', async () => {
    const pool = await pools.create(SMALL);
    const subscription = pool.subscribe({ replay: true });
    const waiting = codeOf(() => take(subscription, 1));
    const asked = codeOf(() => pool.waitFor('never'));
    await pool.disconnect();
    expect(await waiting).to.equal('DISCONNECTED');
    expect(await asked).to.equal('DISCONNECTED');
    expect(await codeOf(() => take(subscription, 1))).to.equal('DISCONNECTED');
    expect(await codeOf(() => pool.subscribe())).to.equal('DISCONNECTED');
  });

  it('a read-only node subscribes too, and changes no byte of the pool by it', async () => {
    const pool = await pools.create(SMALL);
    const reader = await pools.connect(pool.path, { readOnly: true });
    pool.put('a', BYTES);
    const subscription = reader.subscribe({ replay: true });
    expect(short(await take(subscription, 1))).to.deep.equal(['sealed a']);
    const next = take(subscription, 1);
    await pause(20);
    pool.put('b', BYTES);
    expect(short(await next)).to.deep.equal(['sealed b']);
  });

  it('refuses options it does not know', async () => {
    const pool = await pools.create(SMALL);
    for (const options of [{ prefix: 1 }, { replay: 'yes' }, { signal: {} }, { other: 1 }]) {
      expect(await codeOf(() => pool.subscribe(options as never))).to.equal('OPTION_INVALID');
    }
  });

  it('tells what expired as evicted once the pool gets round to it', async () => {
    const pool = await pools.create(SMALL);
    const subscription = pool.subscribe();
    pool.put('key', BYTES, { ttlMs: 1 });
    await pause(5);
    expect(pool.put('key', BYTES)).to.equal(true);
    expect(short(await take(subscription, 3))).to.deep.equal(['sealed key', 'evicted key', 'sealed key']);
    await settle(pool);
  });
});

describe('conformance: subscribe, across processes', () => {
  const pools = usePools();
  const processes = useProcesses();

  it('three writing processes: one order, nothing left out, and what was told adds up to what is there', async () => {
    const pool = await pools.create({ ...SMALL, size: 64 * MIB });
    const nodes = await processes.connect(pool.path, 3);
    const picture = new Picture();
    const subscription = pool.subscribe();
    const reading = (async () => {
      for await (const event of subscription) picture.add(event);
    })();
    const wrote = await Promise.all(nodes.map((node, i) => node.call('churn', `node-${i}-`, 3000, i + 1)));
    const total = wrote.reduce((sum, events) => sum + events, 0);
    await eventually(() => expect(picture.count).to.equal(total));
    expect(picture.missed).to.equal(0);
    expect(picture.keys).to.deep.equal(contents(pool));
    subscription.close();
    await reading;
  });

  it('killed subscribers leave nothing behind: their rows are free again and publishers go on', async () => {
    const pool = await pools.create({ ...SMALL, maxNodes: 4 });
    for (let round = 0; round < 2; round++) {
      const nodes = await processes.connect(pool.path, 3);
      for (const node of nodes) await node.call('subscribe');
      pool.put(`round-${round}`, BYTES);
      for (const node of nodes) await eventually(async () => expect(await node.call('told')).to.equal(1));
      await processes.killAll();
      for (let i = 0; i < 2000; i++) {
        pool.put(`key-${i}`, BYTES);
        pool.delete(`key-${i}`);
      }
      await eventually(() => expect(pool.nodes()).to.have.length(1));
    }
  });

  it('a stopped subscriber blocks nobody, and is told its gap when it goes on', async () => {
    const pool = await pools.create({ size: MIB, pageSize: 512, maxNodes: 4, maxObjects: 200 });
    const [node] = await processes.connect(pool.path, 1);
    await node?.call('subscribe');
    node?.signal('SIGSTOP');
    for (let i = 0; i < 20_000; i++) {
      pool.put('key', BYTES);
      pool.delete('key');
    }
    node?.signal('SIGCONT');
    await eventually(async () => expect(await node?.call('toldAndMissed')).to.equal(40_000));
    expect(await node?.call('told')).to.be.below(40_000);
  });

  it('every writer killed in the middle: what is told afterwards still adds up to what is there', async () => {
    const pool = await pools.create({ ...SMALL, size: 64 * MIB });
    const picture = new Picture();
    const subscription = pool.subscribe();
    const reading = (async () => {
      for await (const event of subscription) picture.add(event);
    })();
    for (let round = 0; round < 4; round++) {
      const nodes = await processes.connect(pool.path, 2);
      for (const node of nodes) void node.call('churn', 'shared-', 1e9, round).catch(() => {});
      await pause(150);
      await processes.killAll();
    }
    await eventually(() => expect(pool.nodes()).to.have.length(1));
    await eventually(() => expect(picture.keys).to.deep.equal(contents(pool)));
    expect(picture.missed).to.equal(0);
    subscription.close();
    await reading;
  });

  it('an open subscription whose loop is unrefed lets the process end, one that is not keeps it', async () => {
    const pool = await pools.create(SMALL);
    const [unrefed, kept] = await processes.connect(pool.path, 2);
    await unrefed?.call('endWhenIdle', false);
    await kept?.call('endWhenIdle', true);
    expect(await unrefed?.ended).to.equal('exit code 0');
    const ended = await Promise.race([kept?.ended, pause(300).then(() => 'alive')]);
    expect(ended).to.equal('alive');
  });
});
