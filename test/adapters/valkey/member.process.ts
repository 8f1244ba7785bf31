/** One process of a host, driven by messages: a node of the pool at a path, with the cache `n` in two tiers. */
import { openTier, tiered } from '../../../adapters/valkey/index.js';
import { connect, SharedCache } from '../../../src/index.js';
import { connectTo } from './client.js';
import { bytesOf, textOf } from './texts.js';

const [path, url, options] = process.argv.slice(2) as [string, string, string];
const pool = await connect(path);
const tier = openTier({ pool, connect: connectTo(url), ...JSON.parse(options) });
const cache = await tiered(new SharedCache(pool, { namespace: 'n' }), tier);

const tell = (event: string) => process.send?.({ event });
const operations: Record<string, (...args: never[]) => unknown> = {
  fetch: async (key: string, value: string, delayMs = 0) =>
    textOf(
      await cache.fetchCopy(key, async () => {
        tell('loading');
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        return bytesOf(value);
      }),
    ),
  borrow: (key: string) => textOf(cache.borrow(key)),
  delete: (key: string) => cache.delete(key),
  stats: () => cache.stats(),
};

process.on('message', async ({ id, operation, args }: { id: number; operation: string; args: never[] }) => {
  try {
    process.send?.({ id, value: await operations[operation]?.(...args) });
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
tell('ready');
