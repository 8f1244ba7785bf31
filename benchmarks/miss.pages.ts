/** What the processes of the benchmark `miss` read. */

export const PAGE = 8192;
/** Pages that are read, four times what the pool holds. */
export const PAGES = 4224;
/** As many as the pool's data hold. */
export const HELD = 896;
export const ARMS = ['private lru-cache with a copy', 'readThrough'] as const;
