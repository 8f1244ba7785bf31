/** The processes of a soak as their supervisor holds them. */
import { fileURLToPath } from 'node:url';
import { type Ending, StormProcess } from '../storm/process.js';
import type { Figures, SoakNotice, SoakOrder } from './plan.js';

const PROGRAM = fileURLToPath(new URL('./node.main.js', import.meta.url));
/** With a small young generation: what the engine keeps of a large one comes and goes by tens of mebibytes. */
const FLAGS = ['--expose-gc', '--enable-source-maps', '--max-semi-space-size=2'];
/** Of a process whose heap shall end soon. */
const HEAP_MIB = 48;
/** Of one that shall have few descriptors: the engine takes many at once while it loads modules. */
const DESCRIPTORS = 256;

export type Kind = 'ordinary' | 'little heap' | 'few descriptors';

/** No core is written where one dies of its heap. */
function launcherOf(kind: Kind): string[] {
  if (kind === 'ordinary') return [process.execPath, ...FLAGS];
  const limit = kind === 'little heap' ? 'ulimit -c 0' : `ulimit -n ${DESCRIPTORS}`;
  const flags = kind === 'little heap' ? [...FLAGS, `--max-old-space-size=${HEAP_MIB}`] : FLAGS;
  return ['/bin/sh', '-c', `${limit}; exec "$0" "$@"`, process.execPath, ...flags];
}

export class SoakProcess extends StormProcess {
  isStopped = false;
  private rests = 0;

  constructor(kind: Kind = 'ordinary') {
    super(PROGRAM, launcherOf(kind));
  }

  /** The node's figures once it holds nothing and does nothing; undefined when it ends before that. */
  rest(): Promise<Figures | undefined> {
    const number = ++this.rests;
    return new Promise((resolve) => {
      const listen = (notice: SoakNotice | object) => {
        if (!('rested' in notice) || notice.rested !== number) return;
        this.child.off('message', listen);
        resolve(notice.figures);
      };
      this.child.on('message', listen);
      void this.ended.then(() => resolve(undefined));
      this.send({ rest: number } satisfies SoakOrder);
    });
  }

  resume(): void {
    this.send({ resume: true } satisfies SoakOrder);
  }

  stop(): void {
    this.isStopped = this.child.kill('SIGSTOP');
  }

  /** Ends it without a word to the pool. */
  terminate(): void {
    this.child.kill('SIGTERM');
  }

  goOn(): void {
    this.child.kill('SIGCONT');
    this.isStopped = false;
  }
}

export type { Ending };
