/** The public surface of events. */

/**
 * sealed: the page can be got; it may have superseded another, of which no more is told. deleted: by `delete`,
 * `invalidate` and their like. evicted: to make room, or because it had expired or its space was dropped, once the pool
 * got round to it. `sequence` counts the events of the pool and never falls, but after a
 * node that was stopped for longer in the middle of telling: its event comes late.
 */
export type PoolEvent =
  | {
      type: 'sealed' | 'deleted' | 'evicted';
      key: string;
      /** Of a key over 1,024 bytes the first 992, and 32 bytes of SHA-256 of the whole key; `key` shows them as text and hexadecimal. */
      keyBytes: Uint8Array;
      /** Of the whole key, in bytes. */
      keyLength: number;
      size: number;
      sequence: number;
    }
  /** This subscriber fell behind by so many events, of whatever keys, and goes on with the newest. */
  | { type: 'missed'; count: number; sequence: number };
