/**
 * Small cases, at every place: one host does something, and before its first, second, third … access to a line others do all of
 * something else. Lines move only where somebody moves them, so what is stale stays so.
 */
import { PoolError } from '../../../lib/errors.js';
import { Arbiter } from '../../../src/coherence/arbiter.js';
import type { CoherenceHost } from '../../../src/coherence/host.js';
import { formatDevice, Joining } from '../../../src/coherence/joining.js';
import { Plan } from '../../../src/coherence/layout.js';
import type { Draft, HeldPage } from '../../../src/coherence/objects.js';
import { Device, HostLines } from '../memory.js';

const SHAPE = { hosts: 3, logRecords: 24, pinLines: 1, dataLines: 6 };
const KEY = 'key';
const ACCESSES_MAX = 3000;

class Scene {
  readonly lines: HostLines[];
  readonly nodes: CoherenceHost[];
  readonly said: Record<string, string> = {};
  draft: Draft | undefined;
  page: HeldPage | undefined;
  bytes: Uint8Array = new Uint8Array(0);
  private nowMs = 0;

  constructor() {
    const device = new Device(new Plan(SHAPE).lineCount);
    this.lines = Array.from({ length: SHAPE.hosts }, (_, host) => new HostLines(device, host));
    formatDevice(this.linesOf(0), SHAPE, { low: 5, high: 6 });
    this.nodes = this.lines.map((_, host) => this.join(host));
    for (const node of [...this.nodes, ...this.nodes]) node.beat();
  }

  linesOf(host: number): HostLines {
    return this.lines[host] as HostLines;
  }
  of(host: number): CoherenceHost {
    return this.nodes[host] as CoherenceHost;
  }
  join(host: number): CoherenceHost {
    const surroundings = { elapsedMs: () => this.nowMs++, pause: () => {} };
    return new Joining(this.linesOf(host), surroundings, { host, waitMs: 6 }).join();
  }

  /** What came of it, by name: 'done', or the code of the error. */
  tell(name: string, act: () => unknown): void {
    try {
      this.said[name] = act() === false ? 'no' : 'done';
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      this.said[name] = error.code;
    }
  }

  put(host: number, key: string, fill: number, length = 128): void {
    this.of(host).sealDraft(this.of(host).createDraft(key, length), new Uint8Array(length).fill(fill));
  }

  /** The first byte of the key's page as the host finds it; undefined where it finds none. */
  find(host: number, key: string): number | undefined {
    const page = this.of(host).findPage(key);
    return page === undefined ? undefined : this.of(host).copyPage(page)[0];
  }

  declare(host: number): void {
    new Arbiter(this.of(0), { leaseMs: 0 }).declare(host, this.of(host).incarnation);
  }

  /** All hosts that live acknowledge, forget, and free what they can. */
  settle(hosts: readonly number[]): void {
    for (let round = 0; round < 3; round++) {
      for (const host of hosts) {
        this.tell('settle', () => {
          this.of(host).beat();
          this.of(host).forget();
          this.of(host).reclaim();
        });
      }
    }
  }
}

interface Case {
  readonly name: string;
  readonly host: number;
  prepare(scene: Scene): void;
  first(scene: Scene): void;
  other(scene: Scene): void;
  /** What is wrong, if anything. */
  judge(scene: Scene): string | undefined;
}

/** Of a page that host 1 holds, whose room host 0 would like to have. */
function judgeHeld(scene: Scene): string | undefined {
  scene.settle([0, 2]);
  scene.tell('put', () => scene.put(0, 'yet another', 5, 6 * 64));
  if (scene.page === undefined) return undefined;
  const lines = scene.linesOf(1);
  lines.invalidate(scene.page.entry.extent, 6);
  lines.order();
  return scene.of(1).copyPage(scene.page)[0] === 3 ? undefined : 'the bytes of a held page changed';
}

const CASES: readonly Case[] = [
  {
    name: 'a look, beside a death and a seal of the dead',
    host: 1,
    prepare: (scene) => {
      scene.draft = scene.of(2).createDraft(KEY, 64);
      scene.of(0).beat();
    },
    first: (scene) => scene.tell('find', () => scene.find(1, KEY)),
    other: (scene) => {
      scene.declare(2);
      scene.tell('seal', () => scene.of(2).sealDraft(scene.draft as Draft, new Uint8Array(64).fill(3)));
    },
    judge: (scene) => {
      if (scene.said['seal'] === 'done') return 'the dead was told that it sealed';
      const [one, zero] = [scene.find(1, KEY), scene.find(0, KEY)];
      return one === zero ? undefined : `host 1 finds ${one}, host 0 ${zero}`;
    },
  },
  {
    name: 'a seal, beside a death and a new page of the key',
    host: 2,
    prepare: (scene) => {
      scene.draft = scene.of(2).createDraft(KEY, 64);
    },
    first: (scene) => scene.tell('seal', () => scene.of(2).sealDraft(scene.draft as Draft, new Uint8Array(64).fill(3))),
    other: (scene) => {
      scene.declare(2);
      scene.tell('put', () => scene.put(0, KEY, 4));
    },
    judge: ({ said, ...scene }) => {
      if (said['seal'] === 'done' && said['put'] === 'done') return 'both were told that they sealed the key';
      return said['seal'] === 'done' && (scene as Scene).nodes[1]?.findPage(KEY) === undefined
        ? 'it is missed'
        : undefined;
    },
  },
  {
    name: 'a page got and held, beside its end and a new one in its room',
    host: 1,
    prepare: (scene) => {
      scene.put(0, KEY, 3, 6 * 64);
      scene.of(1).beat();
    },
    first: (scene) =>
      scene.tell('get', () => {
        scene.page = scene.of(1).findPage(KEY);
        scene.of(1).beat();
      }),
    other: (scene) => {
      scene.of(2).deletePage(KEY);
      scene.settle([0, 2]);
      scene.tell('put', () => scene.put(0, 'another', 4, 6 * 64));
    },
    judge: judgeHeld,
  },
  {
    name: 'a page pinned, its end, and the beat after that, beside a new page in its room',
    host: 1,
    prepare: (scene) => {
      scene.put(0, KEY, 3, 6 * 64);
      scene.of(1).beat();
    },
    first: (scene) => {
      scene.page = scene.of(1).findPage(KEY);
      scene.of(2).deletePage(KEY);
      scene.tell('beat', () => scene.of(1).beat());
    },
    other: (scene) => {
      scene.settle([0, 2]);
      scene.tell('put', () => scene.put(0, 'another', 4, 6 * 64));
    },
    judge: judgeHeld,
  },
  ...[0, 1, 2].flatMap((host) =>
    [0, 1, 2]
      .filter((other) => other !== host)
      .map(
        (other): Case => ({
          name: `one key, wanted by host ${host} and host ${other}`,
          host,
          prepare: () => {},
          first: (scene) => scene.tell('first', () => scene.of(host).createDraft(KEY, 64)),
          other: (scene) => scene.tell('other', () => scene.of(other).createDraft(KEY, 64)),
          judge: ({ said }) => {
            if (said['first'] === 'done' && said['other'] === 'done') return 'both have it';
            return said['first'] !== 'done' && said['other'] === 'KEY_EXISTS'
              ? `nobody has it (${said['first']})`
              : undefined;
          },
        }),
      ),
  ),
  {
    name: 'a copy of a held page, by one that is taken for dead',
    host: 1,
    prepare: (scene) => {
      scene.put(0, KEY, 3, 6 * 64);
      scene.page = scene.of(1).findPage(KEY);
      scene.of(1).beat();
      scene.linesOf(1).invalidate(scene.page?.entry.extent ?? 0, 6);
      scene.linesOf(1).order();
    },
    first: (scene) =>
      scene.tell('copy', () => {
        scene.bytes = scene.of(1).copyPage(scene.page as HeldPage);
      }),
    other: (scene) => {
      scene.of(2).deletePage(KEY);
      scene.declare(1);
      scene.settle([0, 2]);
      scene.tell('put', () => scene.put(0, 'another', 4, 6 * 64));
    },
    judge: ({ said, bytes }) =>
      said['copy'] === 'done' && bytes.some((byte) => byte !== 3) ? 'the copy has bytes of two pages' : undefined,
  },
  {
    name: 'a host comes back, beside another that fills its log',
    host: 1,
    prepare: (scene) => {
      scene.put(0, KEY, 3);
      scene.put(1, 'gone', 9, 64);
      scene.of(1).leave();
      scene.of(0).beat();
    },
    first: (scene) =>
      scene.tell('join', () => {
        scene.nodes[1] = scene.join(1);
      }),
    other: (scene) => {
      scene.of(2).deletePage('gone');
      for (let i = 0; i < 12; i++) {
        scene.tell('put', () => scene.put(0, `more ${i}`, i, 64));
        scene.tell('delete', () => scene.of(0).deletePage(`more ${i}`));
        scene.settle([0, 2]);
      }
    },
    judge: (scene) => {
      if (scene.said['join'] !== 'done') return undefined;
      if (scene.find(1, KEY) !== 3) return 'a page is missed';
      return scene.find(1, 'gone') === undefined ? undefined : 'a page is found after its end';
    },
  },
];

/** What is wrong, at most once a case; and at how many places somebody came between. */
export function runCases(): { readonly faults: string[]; readonly places: number } {
  const faults: string[] = [];
  let places = 0;
  for (const { name, host, prepare, first, other, judge } of CASES) {
    for (let place = 1; place < ACCESSES_MAX; place++) {
      const scene = new Scene();
      prepare(scene);
      const lines = scene.linesOf(host);
      let left = place;
      lines.onAccess = () => {
        if (--left > 0) return;
        lines.onAccess = undefined;
        other(scene);
      };
      first(scene);
      lines.onAccess = undefined;
      if (left > 0) break;
      places++;
      const fault = judge(scene);
      if (fault === undefined) continue;
      faults.push(`${name}, before access ${place}: ${fault}`);
      break;
    }
  }
  return { faults, places };
}
