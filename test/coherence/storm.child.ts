/**
 * A host of the storm: `node storm.child.js PATH HOST SEED FROM`. Puts, gets and deletes by chance on an emulated device through the public
 * entry, looks at every byte of what it finds, and tells its parent what it begins and what it was told.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Key, PoolError } from '../../src/index.js';
import { Chance } from '../support/chance.js';
import { contentOf } from './emulated.content.js';

export interface Said {
  readonly what: 'ready' | 'put' | 'putDone' | 'delete' | 'deleteDone' | 'got';
  readonly key?: string;
  readonly value?: number;
}

const [, , path = '', hostText = '0', seedText = '1', fromText = '0'] = process.argv;
const host = Number(hostText);
const chance = new Chance(Number(seedText));
const ORDINARY = new Set(['KEY_EXISTS', 'BUSY', 'POOL_FULL']);
const SHARED = 5;
const OWN_MAX = 40;
const pool = await connect(path, { emulate: 'noncoherent', host, leaseMs: 3000 });
const own: string[] = [];
let made = Number(fromText);

function say(said: Said): void {
  process.send?.(said);
}

/** What is under the key is what somebody put there. */
function look(key: Key): boolean {
  const page = pool.get(key);
  if (page === undefined) return false;
  const bytes = page.copy();
  page.release();
  const value = new Int32Array(bytes.buffer)[0] as number;
  if (Buffer.compare(contentOf(String(key), value), bytes) !== 0) throw new Error(`wrong bytes under ${key}`);
  say({ what: 'got' });
  return true;
}

/** What is begun is out of this process before it begins: of what a killed one had still to send nobody would know. */
function announce(said: Said): Promise<unknown> {
  return new Promise((resolve) => process.send?.(said, resolve));
}

async function putOwn(): Promise<void> {
  const key = `own ${host} ${made++}`;
  const value = chance.word();
  await announce({ what: 'put', key, value });
  pool.put(key, contentOf(key, value));
  say({ what: 'putDone', key });
  own.push(key);
}

async function deleteOwn(): Promise<void> {
  const key = own.shift();
  if (key === undefined) return;
  await announce({ what: 'delete', key });
  pool.delete(key);
  say({ what: 'deleteDone', key });
}

async function act(): Promise<void> {
  const what = chance.below(10);
  const shared = `shared ${chance.below(SHARED)}`;
  if (what < 2 && own.length < OWN_MAX) await putOwn();
  else if (what < 3 || own.length >= OWN_MAX) await deleteOwn();
  else if (what < 5) pool.put(shared, contentOf(shared, chance.word()));
  else if (what < 6) pool.delete(shared);
  else if (what < 8) look(shared);
  else if (own.length > 0 && !look(chance.pick(own))) throw new Error('a page of this host is gone');
}

process.on('disconnect', () => process.exit(0));
let isLeaving = false;
process.on('message', () => {
  isLeaving = true;
});
say({ what: 'ready' });
while (!isLeaving) {
  for (let i = 0; i < 20; i++) {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof PoolError) || !ORDINARY.has(error.code)) throw error;
    }
  }
  await sleep(2);
}
await pool.disconnect();
process.disconnect();
