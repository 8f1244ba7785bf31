/**
 * One node's life with a pool, and the handles it gives out: pages, drafts, subscriptions.
 * Entered by checkpoints, recovery and the handles at the top.
 * Invariants: (X) draft.ts, node.ts, (U) subscription.ts.
 */
export { placeOf } from './descriptor.js';
export { OpenDraft } from './draft.js';
export { bytesTransferred, type DraftState, refuseEnded, refuseFilling, refuseShortFill } from './filling.js';
export { describeKey, showKey } from './names.js';
export { type Attached, NodeSession } from './node.js';
export { NegativePage, PinnedPage, PrivatePage, StalePage } from './page.js';
export type { NodeParts } from './parts.js';
export { pinMany } from './pinning.js';
export { streamOf } from './streaming.js';
export { OpenSubscription } from './subscription.js';
export { pagesWhenSealed, pinningHost } from './waiting.js';
