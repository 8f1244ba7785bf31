/** The public surface of names: the caches' namespaces and the page spaces of a pool. */

export interface SpaceName {
  /** 'cache': the keys of the caches of one namespace. 'pages': one page space. */
  kind: 'cache' | 'pages';
  /** Of a page space, within its namespace; of a cache its namespace, which is '' where it was given none. */
  name: string;
  /** Of the cache that the page space is of; of a cache its name once more. Default: '' for a page space. */
  namespace?: string;
}

/**
 * What is in the pool under one name: sealed objects that a get would find, each version of a page for itself. Not in it: what is being
 * loaded, expired or superseded pages that are still held, objects without a name (`put`, checkpoints).
 */
export interface SpaceInfo extends SpaceName {
  namespace: string;
  /** Of every page, in bytes; undefined for a cache. */
  pageSize?: number;
  objects: number;
  /** That these take in the data region, keys over 40 bytes, metadata and rounding included. */
  bytes: number;
  /**
   * Of caches and page spaces on all nodes, since the name was new or its space was dropped. Those of another node are told once a second and
   * when it disconnects; what one that was killed had not told is lost.
   */
  hits: number;
}
