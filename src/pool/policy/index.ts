export { ghostLinesFor, makePolicy, type Policy, type PolicyKind, type PolicyRegion } from './policy.js';
export { GhostEntry, PolicyEntry, PolicyHead } from './records.js';
