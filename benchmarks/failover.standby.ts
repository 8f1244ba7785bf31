/**
 * The standby of the fail-over benchmark: attached, with the pool's pages entered in its page table, it looks at the
 * primary's death mark every millisecond and takes over. Until then it restores now and then, as a standby would that
 * answers queries on the last checkpoint; it keeps nothing of what it restored.
 */
import { type Checkpoint, connect } from '../src/index.js';
import { type Answered, answer, answerAll, NAME, nowMs, type Position, panePart, taskOf } from './failover.stream.js';

export interface TakenOver extends Answered {
  readonly detectedAtMs: number;
  readonly restoredAtMs: number;
  readonly sequence: number;
  readonly position: Position;
}

const task = taskOf();
const PRACTICE_MS = Math.max(50, task.intervalMs / 2);
const pool = await connect(task.path, { name: 'standby', prefault: 'sync' });

function positionOf(checkpoint: Checkpoint): Position {
  return JSON.parse(Buffer.from(checkpoint.metadata).toString()) as Position;
}

function windowOf(checkpoint: Checkpoint): Map<number, Float64Array> {
  const { firstPane, lastPane } = positionOf(checkpoint);
  const window = new Map<number, Float64Array>();
  for (let pane = firstPane; pane <= lastPane; pane++) {
    const { bytes } = checkpoint.get(panePart(pane));
    window.set(pane, new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8));
  }
  return window;
}

function practise(): void {
  const checkpoint = pool.restore(NAME);
  if (checkpoint === undefined) return;
  const { firstPane, lastPane } = positionOf(checkpoint);
  const window = new Map<number, Float64Array>();
  const pages = [];
  for (let pane = firstPane; pane <= lastPane; pane++) {
    const page = checkpoint.get(panePart(pane));
    pages.push(page);
    window.set(pane, new Float64Array(page.bytes.buffer, page.bytes.byteOffset, page.size / 8));
  }
  answer(task.shape, window);
  for (const page of pages) page.release();
  checkpoint.release();
}

function takeOver(detectedAtMs: number): TakenOver {
  const checkpoint = pool.restore(NAME);
  if (checkpoint === undefined) throw new Error('There is no checkpoint to restore.');
  const window = windowOf(checkpoint);
  const restoredAtMs = nowMs();
  const answered = answerAll(task.shape, window);
  return { ...answered, detectedAtMs, restoredAtMs, sequence: checkpoint.sequence, position: positionOf(checkpoint) };
}

/** Resolves when the node is dead: one load of its death mark each time. */
async function death(node: number): Promise<number> {
  let practised = nowMs();
  for (;;) {
    const state = pool.nodes().find(({ id }) => id === node)?.state;
    if (state !== 'alive') return nowMs();
    if (nowMs() - practised > PRACTICE_MS) {
      practise();
      practised = nowMs();
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

process.on('message', async (node: number) => {
  for (let i = 0; i < 8; i++) practise();
  process.send?.('watching');
  const taken = takeOver(await death(node));
  process.send?.(taken, () => void pool.disconnect().then(() => process.disconnect()));
});
process.send?.('ready');
