/** What the words test and its threads share: the job, and where its words lie. */
export interface Share {
  readonly buffer: SharedArrayBuffer;
  readonly job: 'add' | 'lock' | 'exchange';
  readonly times: number;
  readonly thread: number;
}

/** Word indexes, a line apart. */
export const START = 0;
export const COUNTER = 16;
export const LOCK = 32;
export const TALLY = 48;
