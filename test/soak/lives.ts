/** How lives in a soak end, and how that is told from an end that nobody meant. */
import type { Ending } from '../storm/process.js';
import type { Disturbance } from './plan.js';
import type { Kind, SoakProcess } from './process.js';

export type Way =
  | 'survive'
  /** kill -9; while it connects; while it is stopped. */
  | 'kill'
  | 'early'
  | 'stopped'
  /** In good order; without a word to the pool. */
  | 'leave'
  | 'exit'
  /** Its heap comes to its end. */
  | 'exhaust'
  /** It had no descriptors left when it first connected, and leaves in good order. */
  | 'descriptors'
  /** It has pinned all it could, and is killed. */
  | 'hoard';

/** Of a hundred lives. */
const SHARES: readonly (readonly [Way, Disturbance, number])[] = [
  ['kill', 'kill', 30],
  ['early', 'kill', 6],
  ['stopped', 'stop', 8],
  ['leave', 'leave', 28],
  ['exit', 'exit', 10],
  ['exhaust', 'exhaust', 4],
  ['descriptors', 'descriptors', 6],
  ['hoard', 'hoard', 8],
];

export function lifeFor(below: (limit: number) => number, without: readonly Disturbance[]): Way {
  const choice = SHARES.filter(([, disturbance]) => !without.includes(disturbance));
  let at = below(choice.reduce((sum, [, , share]) => sum + share, 0) || 1);
  for (const [way, , share] of choice) {
    if (at < share) return way;
    at -= share;
  }
  return 'leave';
}

interface End {
  readonly kind: Kind;
  readonly end: (process: SoakProcess) => void;
}

function kill(process: SoakProcess): void {
  process.kill();
}
function leave(process: SoakProcess): void {
  process.leave();
}

export function endOf(way: Way): End {
  switch (way) {
    case 'survive':
    case 'leave':
      return { kind: 'ordinary', end: leave };
    case 'descriptors':
      return { kind: 'few descriptors', end: leave };
    case 'exhaust':
      return { kind: 'little heap', end: () => {} };
    case 'exit':
      return { kind: 'ordinary', end: (process) => process.terminate() };
    case 'stopped':
      return {
        kind: 'ordinary',
        end: (process) => {
          process.stop();
          process.kill();
        },
      };
    default:
      return { kind: 'ordinary', end: kill };
  }
}

/** Whether the life ended as it was meant to. */
export function isEndOf(way: Way, { code, signal, output }: Ending, isOver: boolean): boolean {
  switch (way) {
    case 'survive':
    case 'leave':
    case 'descriptors':
      return code === 0;
    case 'exit':
      return signal === 'SIGTERM';
    case 'exhaust':
      return output.includes('heap out of memory') || (isOver && signal === 'SIGKILL');
    default:
      return signal === 'SIGKILL';
  }
}
