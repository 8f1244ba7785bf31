/**
 * The other process of the benchmark `wake`, started as `node wake.peer.js PATH answer|load`: answers every byte, page and
 * event with one of its own; or begins a load that it never ends.
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, type Pool, SharedCache } from '../src/index.js';

export const WAIT_TO_PEER = 'wait-to-peer/';
export const WAIT_TO_MAIN = 'wait-to-main/';
export const EVENT_TO_PEER = 'event-to-peer/';
export const EVENT_TO_MAIN = 'event-to-main/';
export const STUCK = 'stuck';
export const BODY = Buffer.from('x');

export function keyOf(prefix: string, index: number): string {
  return `${prefix}${index}`;
}

async function answerPages(pool: Pool): Promise<never> {
  for (let i = 0; ; i++) {
    using _ = await pool.waitFor(keyOf(WAIT_TO_PEER, i));
    pool.put(keyOf(WAIT_TO_MAIN, i), BODY);
  }
}

async function answerEvents(pool: Pool): Promise<void> {
  let next = 0;
  for await (const event of pool.subscribe({ prefix: EVENT_TO_PEER })) {
    if (event.type === 'sealed') pool.put(keyOf(EVENT_TO_MAIN, next++), BODY);
  }
}

function answer(pool: Pool): void {
  process.stdin.on('data', () => process.stdout.write(BODY));
  void answerPages(pool);
  void answerEvents(pool);
  process.send?.('ready');
}

function load(pool: Pool): void {
  const isLoading = () => {
    process.send?.('loading');
    return new Promise<Uint8Array>(() => {});
  };
  void new SharedCache(pool).fetch(STUCK, isLoading);
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [path = '', what] = process.argv.slice(2);
  process.on('disconnect', () => process.exit(0));
  const pool = await connect(path);
  if (what === 'load') load(pool);
  else answer(pool);
}
