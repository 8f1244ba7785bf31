/**
 * Prints which objects of a node changed their hidden class in use, as JSON: those of a pool that was worked with against
 * those of one that was only opened. And which have none: their properties are in a hash table. To be run with --allow-natives-syntax, in a process of its own: a class that changed
 * once has changed for all.
 */
import { connect } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';

const haveSameMap = new Function('one', 'other', 'return %HaveSameMap(one, other)') as (
  one: object,
  other: object,
) => boolean;
const hasClass = new Function('one', 'return %HasFastProperties(one)') as (one: object) => boolean;
const [usedPath, freshPath] = process.argv.slice(2) as [string, string];

async function work(pool: AttachedPool): Promise<void> {
  const bytes = new Uint8Array(4096);
  for (let i = 0; i < 6000; i++) {
    pool.put(`key-${i % 2500}`, bytes);
    pool.get(`key-${(i * 7) % 2500}`)?.release();
    if (i % 50 === 0) pool.delete(`key-${i}`);
    if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const { locks, geometry } = pool.session.parts;
  for (let shard = 0; shard < geometry.shards; shard++) {
    locks.acquire(shard);
    locks.releaseDirty(shard);
    locks.recover(shard);
  }
}

const seen = new Set<unknown>();
const changed: string[] = [];
const withoutClass: string[] = [];

function compare(used: unknown, fresh: unknown, path: string): void {
  if (typeof used !== 'object' || used === null || typeof fresh !== 'object' || fresh === null) return;
  if (seen.has(used) || ArrayBuffer.isView(used) || used instanceof Map || used instanceof Set) return;
  seen.add(used);
  const isOfClass = !Array.isArray(used) && Object.getPrototypeOf(used) !== Object.prototype;
  if (isOfClass && !haveSameMap(used, fresh)) changed.push(path);
  if (!hasClass(used)) withoutClass.push(path);
  for (const [name, value] of Object.entries(used)) {
    compare(value, (fresh as Record<string, unknown>)[name], `${path}.${name}`);
  }
}

const create = { size: '8MiB', pageSize: 4096 };
const used = (await connect(usedPath, { create })) as AttachedPool;
const fresh = (await connect(freshPath, { create })) as AttachedPool;
await work(used);
compare(used.session, fresh.session, 'session');
console.log(JSON.stringify({ compared: seen.size, changed, withoutClass }));
await used.disconnect();
await fresh.disconnect();
