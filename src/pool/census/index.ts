/**
 * Looking at all of it, read-only: every numbered invariant of the layout.
 * Entered by the handles at the top and by tests.
 * Changes nothing, takes no lock.
 */
export { takeCensus } from './census.js';
