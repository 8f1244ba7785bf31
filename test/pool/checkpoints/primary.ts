/**
 * Commits checkpoints until it is killed, and says which commits have returned. Arguments: path, seed, and optionally the
 * shared store (counted from its first checkpoint on) before which it kills itself.
 *
 * Every part says in its content of which sequence it is; the metadata lists what each part must be.
 */
import { writeSync } from 'node:fs';
import { connect } from '../../../src/index.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { Chance } from '../../support/chance.js';
import { contentOf } from '../../support/content.js';

export const NAME = 'state';
export const PARTS = 8;

const [path = '', seed = '1', killAt = '0'] = process.argv.slice(2);
const pool = (await connect(path)) as AttachedPool;
const chance = new Chance(Number(seed));

/** Has the process kill itself just before its count-th store to shared metadata. */
function killBefore(count: number): void {
  const { words } = pool.session.parts;
  let left = count;
  const step = () => {
    if (--left === 0) process.kill(process.pid, 'SIGKILL');
    // The signal comes at the end of the system call: nothing is stored after it.
  };
  for (const name of ['store', 'write', 'exchange', 'add', 'compareExchange'] as const) {
    const original = words[name].bind(words) as (...all: number[]) => number;
    Object.assign(words, {
      [name]: (...all: number[]) => {
        step();
        return original(...all);
      },
    });
  }
}

using known = pool.restore(NAME);
const latest: Record<string, number> =
  known === undefined ? {} : (JSON.parse(Buffer.from(known.metadata).toString()) as Record<string, number>);
if (killAt !== '0') killBefore(Number(killAt));

writeSync(1, 'begun\n');
for (;;) {
  const writer = pool.checkpoint(NAME);
  const sequence = (pool.checkpoints()[0]?.sequence ?? 0) + 1;
  for (let i = 0; i < PARTS; i++) {
    const part = `part-${i}`;
    if (chance.below(2) === 0 && writer.reuse(part)) continue;
    const bytes = contentOf(part, sequence, 16 + chance.below(chance.below(8) === 0 ? 40_000 : 3000));
    if (chance.below(2) === 0) writer.put(part, bytes);
    else {
      const draft = writer.create(part, bytes.length);
      draft.bytes.set(bytes);
      if (chance.below(2) === 0) draft.seal();
    }
    latest[part] = sequence;
  }
  if (chance.below(8) === 0) {
    writer.abort();
    for (const part of Object.keys(latest)) delete latest[part];
    using current = pool.restore(NAME);
    if (current !== undefined) Object.assign(latest, JSON.parse(Buffer.from(current.metadata).toString()));
    continue;
  }
  const info = writer.commit(Buffer.from(JSON.stringify(latest)));
  writeSync(1, `${info.sequence}\n`);
}
