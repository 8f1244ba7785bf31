/**
 * The place of the lowest bit of the word that is set; 32 where none is. For 32-bit signed words. Without a branch, and without a zero
 * that is negated: both are new to the compiler where zero is met late, and cost the code of all that this is compiled into.
 */
export function lowestBit(word: number): number {
  return 32 - Math.clz32(~word & (word - 1));
}
