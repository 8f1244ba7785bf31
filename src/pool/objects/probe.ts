/**
 * A walk along the entries of one tag: where it is, and nothing else. Whoever probes has one of its own, made once, and hands
 * it to Table.begin and Table.next: two walks do not know of each other, and what the last step met is read from the walk
 * that took it. Written by Table only.
 */
export class Probe {
  /** The word of the shard's first bucket. */
  first = 0;
  /** The bucket where the hash would like to be, and how many the walk has gone on from it. */
  home = 0;
  step = 0;
  /** The next entry of the bucket to look at. */
  index = 0;
  tag = 0;
  /** The word of the entry that the last step returned: it names the slot. */
  entryWord = -1;
}
