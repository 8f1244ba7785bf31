/** What tells one result of a query from another. */
import { createHash } from 'node:crypto';

export function hashOf(rows: unknown): string {
  const text = JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
  return createHash('sha256').update(text).digest('hex');
}
