/** What the nodes of a storm do: pages and versions of everybody, or answers with lives, tags and nothing in them. */
import type { AttachedPool } from '../../src/pool/pool.js';
import { Actor } from './actor.js';
import { AnswersActor } from './answers/actor.js';
import type { Board } from './board.js';
import type { LifePlan } from './plan.js';

export interface StormActor {
  /** Does one thing. Throws what was wrong. */
  act(): Promise<void>;
  /** For the first node, before there are others. */
  fill(): void;
  /** Every page there may be. How many were there. */
  lookAtAll(): Promise<number>;
  /** Gives up what it holds, as a program that ends well. */
  end(): void;
}

export function actorFor(
  pool: AttachedPool,
  board: Board,
  plan: LifePlan,
  below: (limit: number) => number,
): StormActor {
  const Kind = plan.scene.does === 'answers' ? AnswersActor : Actor;
  return new Kind(pool, board, plan, below);
}
