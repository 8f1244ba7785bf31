/**
 * The primary of the fail-over benchmark: aggregates the stream pane by pane, and commits a checkpoint of its whole
 * window after each. It also keeps the file that the reload arms read, one pane written per checkpoint.
 */
import { fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { connect, type Draft, type Pool } from '../src/index.js';
import {
  aggregate,
  fileBytes,
  NAME,
  nowMs,
  type Position,
  paneBytes,
  panePart,
  placeOf,
  taskOf,
} from './failover.stream.js';

/** What it says after each checkpoint. */
export interface Committed {
  readonly node: number;
  readonly lastPane: number;
  readonly sequence: number;
  /** For how long the stream stood still. */
  readonly pauseMs: number;
}

const task = taskOf();
const { shape } = task;
const inDrafts = task.how === 'in drafts';

class Primary {
  private readonly pool: Pool;
  private readonly descriptor = openSync(task.file, 'w+');
  /** Panes of the window that this process holds itself; with drafts the checkpoint's writer does. */
  private readonly own = new Map<number, Float64Array>();

  constructor(pool: Pool) {
    this.pool = pool;
  }

  /** Aggregates panes `from` to `to` and commits the window that ends there. */
  step(from: number, to: number): Committed {
    const begun = nowMs();
    const writer = this.pool.checkpoint(NAME);
    const opening = nowMs() - begun;
    const drafts = new Map<number, Draft>();
    for (let pane = from; pane <= to; pane++) {
      const draft = inDrafts ? writer.create(panePart(pane), paneBytes(shape)) : undefined;
      const into =
        draft === undefined
          ? new Float64Array(paneBytes(shape) / 8)
          : new Float64Array(draft.bytes.buffer, draft.bytes.byteOffset, draft.bytes.length / 8);
      aggregate(shape, pane, into);
      this.save(pane, into);
      if (draft === undefined) this.own.set(pane, into);
      else drafts.set(pane, draft);
    }
    const firstPane = Math.max(0, to - shape.panes + 1);
    this.own.delete(firstPane - 1);
    const started = nowMs();
    for (let pane = firstPane; pane < from; pane++) {
      if (!writer.reuse(panePart(pane))) throw new Error(`Pane ${pane} was in no checkpoint.`);
    }
    for (let pane = from; pane <= to && !inDrafts; pane++) {
      const { buffer } = this.own.get(pane) as Float64Array;
      writer.put(panePart(pane), new Uint8Array(buffer));
    }
    const position: Position = { firstPane, lastPane: to, atMs: nowMs() };
    const { sequence } = writer.commit(Buffer.from(JSON.stringify(position)));
    return { node: this.pool.node.id, lastPane: to, sequence, pauseMs: opening + nowMs() - started };
  }

  private save(pane: number, aggregates: Float64Array): void {
    const bytes = new Uint8Array(aggregates.buffer, aggregates.byteOffset, aggregates.byteLength);
    writeSync(this.descriptor, bytes, 0, bytes.length, placeOf(shape, pane));
  }

  saved(): void {
    ftruncateSync(this.descriptor, fileBytes(shape));
    fsyncSync(this.descriptor);
  }
}

const primary = new Primary(await connect(task.path, { name: 'primary' }));
let next = shape.panes;
process.send?.(primary.step(0, shape.panes - 1));
primary.saved();
setInterval(() => {
  const committed = primary.step(next, next);
  next++;
  process.send?.(committed);
}, task.intervalMs);
process.on('disconnect', () => process.exit(0));
