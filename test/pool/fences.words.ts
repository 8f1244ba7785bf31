/** Where the words of the litmus test lie, each on a line of its own. */
export const LITMUS = { hazard: 16, sequence: 32, done: 48, stop: 64, ready: 80, log: 128 } as const;
