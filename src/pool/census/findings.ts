/**
 * What a census can find. A finding belongs to one of three kinds:
 *
 * - `death`: what a death leaves. Some node's upkeep or next visit takes it away: always repairable.
 * - `derived`: something that is rebuilt from the slots does not agree with them. Repairable while the lock that guards
 *   it is held by a dead node or marked half-done, because then it will be rebuilt; else no crash explains it.
 * - `damage`: what no crash can leave, whoever held the lock.
 */
import type { PoolProblem } from '../layout/index.js';

type Kind = 'death' | 'derived' | 'damage';

/** Code to kind and the invariants it stands for. */
export const FINDINGS = {
  SHARD_BUSY: { kind: 'death', invariants: 'none: a note that writers never paused' },
  SLOT_STATE_INVALID: { kind: 'damage', invariants: 'Y3' },
  SLOT_DAMAGED: { kind: 'damage', invariants: 'O1 O2 E1' },
  SLOT_MISPLACED: { kind: 'damage', invariants: 'O4' },
  SLOT_TWINS: { kind: 'derived', invariants: 'O5 D3' },
  SLOT_VERSIONS_OVERLAP: { kind: 'derived', invariants: 'I3' },
  SLOT_SEQUENCE_AHEAD: { kind: 'derived', invariants: 'O6' },
  DRAFT_DAMAGED: { kind: 'derived', invariants: 'O1 O2' },
  DRAFT_OF_DEAD: { kind: 'death', invariants: 'D3' },
  LIMBO_OF_DEAD: { kind: 'death', invariants: 'A2' },
  ENTRY_FOREIGN: { kind: 'derived', invariants: 'B4' },
  ENTRY_TWICE: { kind: 'derived', invariants: 'B4' },
  ENTRY_MISSING: { kind: 'derived', invariants: 'B4' },
  OVERFLOW_WRONG: { kind: 'derived', invariants: 'B2 B3' },
  FREE_LIST_BROKEN: { kind: 'derived', invariants: 'S1' },
  LIMBO_LIST_BROKEN: { kind: 'derived', invariants: 'S1' },
  COUNT_WRONG: { kind: 'derived', invariants: 'S2' },
  CAPACITY_EXCEEDED: { kind: 'derived', invariants: 'G3' },
  POLICY_DAMAGED: { kind: 'derived', invariants: 'Q1 Q2' },
  POLICY_MEMBERS_WRONG: { kind: 'derived', invariants: 'S3' },
  RETIRE_RING_DAMAGED: { kind: 'derived', invariants: 'R1' },
  EVENT_LOG_DAMAGED: { kind: 'derived', invariants: 'T1 T3 T4' },
  STRIPE_DAMAGED: { kind: 'derived', invariants: 'I1 I4' },
  EXTENT_MISPLACED: { kind: 'damage', invariants: 'C2 X3' },
  EXTENT_OVERLAP: { kind: 'damage', invariants: 'X3' },
  BITMAP_WRONG: { kind: 'derived', invariants: 'X3 X4' },
  CHUNK_USE_WRONG: { kind: 'derived', invariants: 'X3' },
  CHUNK_UNUSED: { kind: 'derived', invariants: 'X2' },
  CHUNK_LIST_BROKEN: { kind: 'derived', invariants: 'X2' },
  CHUNK_KIND_INVALID: { kind: 'damage', invariants: 'C1 Y3' },
  CHUNK_OWNER_INVALID: { kind: 'damage', invariants: 'C1' },
  RUN_BROKEN: { kind: 'derived', invariants: 'C1' },
  FREE_CHUNKS_WRONG: { kind: 'derived', invariants: 'C4' },
  CLAIM_INVALID: { kind: 'damage', invariants: 'C3' },
  CLAIM_OF_DEAD: { kind: 'death', invariants: 'C3' },
  NODE_DEAD: { kind: 'death', invariants: 'N1' },
  NODE_ROW_DAMAGED: { kind: 'damage', invariants: 'N1' },
  ROWS_HIGH_WRONG: { kind: 'derived', invariants: 'N4' },
  HAZARD_DAMAGED: { kind: 'damage', invariants: 'H1' },
  LOCK_OF_DEAD: { kind: 'death', invariants: 'L2' },
  LOCK_DIRTY: { kind: 'death', invariants: 'L3' },
  LOCK_OWNER_INVALID: { kind: 'damage', invariants: 'L5' },
  SPACE_UNFOUND: { kind: 'derived', invariants: 'N1' },
  TAG_AHEAD: { kind: 'damage', invariants: 'J1' },
  SPACE_DAMAGED: { kind: 'damage', invariants: 'P3 I2' },
  SPACE_TWICE: { kind: 'damage', invariants: 'P4' },
  DROP_PENDING: { kind: 'derived', invariants: 'P2' },
  CHECKPOINT_DAMAGED: { kind: 'damage', invariants: 'T1 T3' },
  CHECKPOINT_TWICE: { kind: 'damage', invariants: 'T4' },
  CHECKPOINT_OF_DEAD: { kind: 'death', invariants: 'T7' },
  CHECKPOINT_INCOMPLETE: { kind: 'damage', invariants: 'T1 T6' },
  CHECKPOINT_GARBAGE: { kind: 'death', invariants: 'T6 T7' },
} as const satisfies Record<string, { kind: Kind; invariants: string }>;

export type FindingCode = keyof typeof FINDINGS;

/** More findings of one code in one place are counted, not listed. */
const LISTED_MAX = 20;

/** What one walk found. */
export class Findings {
  readonly problems: PoolProblem[] = [];
  private readonly forgiving: boolean;
  private readonly counts = new Map<FindingCode, number>();

  /** `forgiving`: the lock over this part was left by a dead node, or half-done. */
  constructor(forgiving: boolean) {
    this.forgiving = forgiving;
  }

  /** `excused`: another lock that explains a derived fault was left behind. */
  add(code: FindingCode, where: string, message: string, excused = false): void {
    const count = (this.counts.get(code) ?? 0) + 1;
    this.counts.set(code, count);
    if (count > LISTED_MAX) return;
    const { kind, invariants } = FINDINGS[code];
    const repairable = kind === 'death' || (kind === 'derived' && (this.forgiving || excused));
    this.problems.push({ code, where, message: `${message} (${invariants})`, repairable });
  }

  /** The problems, with a line for those that were only counted. */
  summed(where: string): PoolProblem[] {
    const problems = [...this.problems];
    for (const [code, count] of this.counts) {
      if (count <= LISTED_MAX) continue;
      const { repairable } = problems.find((problem) => problem.code === code) as PoolProblem;
      problems.push({ code, where, message: `and ${count - LISTED_MAX} more`, repairable });
    }
    return problems;
  }
}
