/**
 * Question: hosts that share no memory have a tier between them; what does a pool on each save, beside asking the tier, and beside a private
 * cache in each process?
 *
 * Two emulated hosts of two processes: a pool in shared memory each, and one Redis server over a Unix socket. What a real network adds is
 * to each request, so to the arms with more of them. Equal memory: what a host's pool holds, its processes hold together in
 * their private caches, or in those that the client keeps by itself and the server tells of changes (tracking). Every arm reads the same keys, Zipf, each page checked; a load takes 2 ms.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, destroy, poolSizeFor } from '../src/index.js';
import { type Benchmark, type Context, median } from './frame.js';
import { type Hosts, requestsOf, simulateHosts } from './hosts.model.js';
import { redisVersion, startRedis } from './redis.js';
import { scratchFolder } from './scratch.js';
import { measureDelays } from './tier.delay.js';
import { type Answer, ARMS, type Arm, PAGE, RELAY_MS, type Task } from './tier.pages.js';

const HOSTS = 2;
const PROCESSES = 2;
/** Objects of a pool beyond the pages: one is the record of the channel. */
const SPARE = 16;
const HERE = 'an invalidation';
const FAR = `an invalidation, ${RELAY_MS} ms each way`;
const CELLS = { 'room for all pages': 1, 'room for half of them': 0.5 };

interface World {
  readonly socket: string;
  readonly keys: number;
  readonly held: number;
  readonly pools: readonly string[];
}

class Member {
  private readonly child: ChildProcess;

  constructor(task: Task) {
    const program = fileURLToPath(new URL('tier.node.js', import.meta.url));
    this.child = fork(program, [JSON.stringify(task)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  async ready(): Promise<void> {
    await this.next();
  }

  private async next(): Promise<unknown> {
    const left = once(this.child, 'exit').then(() => {
      throw new Error('A process of the benchmark has ended.');
    });
    const [message] = (await Promise.race([once(this.child, 'message'), left])) as unknown[];
    return message;
  }

  async read(reads: number): Promise<Answer> {
    const answer = this.next();
    this.child.send({ reads });
    return (await answer) as Answer;
  }

  async end(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

async function startArm(arm: Arm, world: World, seed: number): Promise<Member[]> {
  const members: Member[] = [];
  for (let process = 0; process < HOSTS * PROCESSES; process++) {
    const task = { ...world, arm, seed, process, prefix: arm.replaceAll(' ', '-') };
    const pool = world.pools[process % HOSTS] as string;
    const member = new Member({ ...task, pool, held: Math.max(1, Math.floor(world.held / PROCESSES)) });
    await member.ready();
    members.push(member);
  }
  return members;
}

interface Round {
  readonly reads: number;
  readonly hitRatio: number;
  readonly requestsPerRead: number;
  readonly loads: number;
  readonly keys: readonly number[];
  readonly p50: number;
  readonly p99: number;
  readonly hitP99: number;
}

function roundOf(answers: readonly Answer[]): Round {
  const sum = (of: (answer: Answer) => number) => answers.reduce((total, answer) => total + of(answer), 0);
  const reads = sum((answer) => answer.reads);
  return {
    reads,
    hitRatio: sum((answer) => answer.hits) / reads,
    requestsPerRead: sum((answer) => answer.requests) / reads,
    loads: sum((answer) => answer.loads),
    keys: answers.flatMap((answer) => answer.keys),
    p50: median(answers.map((answer) => answer.p50)),
    p99: median(answers.map((answer) => answer.p99)),
    hitP99: median(answers.map((answer) => answer.hitP99)),
  };
}

/** All arms in turn, a round after the other; the first fills the caches. */
async function measure(world: World, context: Context): Promise<Record<Arm, Round[]>> {
  const reads = context.pick(400, 20_000, 100_000);
  const rounds = Object.fromEntries(ARMS.map((arm) => [arm, [] as Round[]])) as Record<Arm, Round[]>;
  const members = new Map<Arm, Member[]>();
  try {
    for (const arm of ARMS) members.set(arm, await startArm(arm, world, context.seed));
    for (let round = 0; round <= context.pick(1, 5); round++) {
      const sums = new Set<string>();
      for (const arm of ARMS) {
        const answers = await Promise.all((members.get(arm) as Member[]).map((member) => member.read(reads)));
        rounds[arm].push(roundOf(answers));
        sums.add(answers.map(({ sum }) => sum).join(' '));
      }
      if (sums.size !== 1) throw new Error(`The arms have read other pages: ${[...sums].join('; ')}`);
      context.checked(`round ${round}`, [...sums].join());
    }
  } finally {
    for (const arm of members.values()) for (const member of arm) await member.end();
  }
  return rounds;
}

function addRounds(context: Context, cell: string, rounds: Record<Arm, Round[]>): void {
  const tell = (name: string, unit: string, of: (round: Round) => number, goal?: string) => {
    const series = (arm: Arm) => rounds[arm].slice(1).map(of);
    for (const arm of ARMS) {
      const isGoal = arm === 'pool and tier' && goal !== undefined;
      const baseline = { name: `${cell}: private LRU and tier, ${name}`, series: series('private LRU and tier') };
      context.add({
        name: `${cell}: ${arm}, ${name}`,
        unit,
        series: series(arm),
        ...(isGoal ? { goal, baseline } : {}),
      });
    }
  };
  tell('hit ratio', 'of reads', (round) => round.hitRatio);
  tell('tier requests', 'a read', (round) => round.requestsPerRead, '<= 0.333');
  tell('p50', 'us', (round) => round.p50);
  tell('p99', 'us', (round) => round.p99);
  for (const arm of ARMS) {
    const loads = rounds[arm].reduce((sum, round) => sum + round.loads, 0);
    const distinct = new Set(rounds[arm].flatMap((round) => round.keys)).size;
    const goal = arm === 'pool and tier' ? { goal: '<= 1' } : {};
    context.add({ name: `${cell}: ${arm}, loads`, unit: 'a distinct page', series: [loads / distinct], ...goal });
  }
  context.add({
    name: `${cell}: pool and tier, p99 of a hit`,
    unit: 'us',
    series: rounds['pool and tier'].slice(1).map((round) => round.hitP99),
    baseline: { name: `${cell}: tier alone, p50`, series: rounds['tier alone'].slice(1).map((round) => round.p50) },
    goal: '<= 0.05',
  });
}

/** What hosts.model.ts says of the same reads; docs/SCALE.md relies on it for more hosts than there can be here. */
function addSimulated(
  context: Context,
  cell: string,
  rounds: Record<Arm, Round[]>,
  of: Pick<Hosts, 'keys' | 'held'>,
): void {
  const simulatedArms = { 'private LRU and tier': 'private', 'pool and tier': 'pool' } as const;
  for (const [name, arm] of Object.entries(simulatedArms) as [keyof typeof simulatedArms, Hosts['arm']][]) {
    const [first, ...counted] = rounds[name].map(({ reads }) => reads / (HOSTS * PROCESSES)) as [number, ...number[]];
    const held = arm === 'pool' ? of.held + SPARE - 1 : of.held;
    const { filled } = simulateHosts({
      ...{ hosts: HOSTS, processes: PROCESSES, keys: of.keys, held, arm, writesPerRead: 0, seed: context.seed },
      ...{ fillingReads: first, reads: counted.reduce((sum, reads) => sum + reads, 0) },
    });
    const real = rounds[name].slice(1);
    const requests = real.reduce((sum, { requestsPerRead, reads }) => sum + requestsPerRead * reads, 0);
    context.add({
      name: `${cell}: ${name}, tier requests, simulated`,
      unit: 'a read',
      series: [requestsOf(filled) / filled.reads],
      baseline: {
        name: `${cell}: ${name}, tier requests of all rounds`,
        series: [requests / real.reduce((sum, { reads }) => sum + reads, 0)],
      },
    });
  }
}

async function runHosts(cell: string, share: number, socket: string, context: Context): Promise<void> {
  const keys = context.pick(100, 2000, 10_000);
  const held = Math.ceil(keys * share);
  const size = poolSizeFor({ pageSize: PAGE, maxObjects: held + SPARE });
  const pools: string[] = [];
  for (let host = 0; host < HOSTS; host++) {
    const path = join(scratchFolder(size), 'pool');
    await (await connect(path, { create: { size, pageSize: PAGE, maxObjects: held + SPARE } })).disconnect();
    pools.push(path);
  }
  const rounds = await measure({ socket, keys, held, pools }, context);
  addRounds(context, cell, rounds);
  addSimulated(context, cell, rounds, { keys, held });
  for (const path of pools) destroy(path);
}

async function runDelay(cell: string, socket: string, context: Context): Promise<void> {
  const series: [number[], number[]] = [[], []];
  for (let round = 0; round < context.pick(1, 7); round++) {
    const { delays, trips } = await measureDelays(socket, context.pick(20, 400));
    series[0].push(median(delays));
    series[1].push(median(trips));
  }
  context.add({
    name: `${cell}: until the other host's pool has lost the page`,
    unit: 'us',
    series: series[0],
    baseline: { name: `${cell}: a round trip`, series: series[1] },
    goal: '<= 2',
  });
}

/** The socket of a network's near end. */
async function relayed(socket: string): Promise<{ near: string; end(): void }> {
  const near = join(scratchFolder(2 ** 20), 'relay.sock');
  const child = fork(fileURLToPath(new URL('tier.relay.js', import.meta.url)), [near, socket]);
  await once(child, 'message');
  return { near, end: () => void child.kill('SIGKILL') };
}

async function runDelayFar(cell: string, socket: string, context: Context): Promise<void> {
  const { near, end } = await relayed(socket);
  try {
    await runDelay(cell, near, context);
  } finally {
    end();
  }
}

export const benchmark: Benchmark = {
  question: 'hosts that share no memory, with a tier between them: what does a pool on each save?',
  cells: () => [...Object.keys(CELLS), HERE, FAR],
  async run(cell, context) {
    const version = redisVersion();
    if (version === undefined) {
      context.note('redis-server is not installed: nothing is measured.');
      context.add({ name: `${cell}: servers`, unit: 'found', series: [0] });
      return;
    }
    context.note(
      `redis-server ${version}, over a Unix socket; ${HOSTS} hosts emulated by pools, ${PROCESSES} processes each`,
    );
    const server = await startRedis();
    try {
      if (cell === HERE) await runDelay(cell, server.path, context);
      else if (cell === FAR) await runDelayFar(cell, server.path, context);
      else await runHosts(cell, CELLS[cell as keyof typeof CELLS], server.path, context);
    } finally {
      await server.stop();
    }
  },
};
