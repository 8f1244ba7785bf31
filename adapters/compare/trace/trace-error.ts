/** trace-error: how a trace is refused. Every refusal is OPTION_INVALID and names the file and the line or byte. */
import { PoolError } from '../../../lib/errors.js';

export function traceError(file: string, what: string, cause?: unknown): PoolError {
  return new PoolError('OPTION_INVALID', `Trace ${file}: ${what}.`, { file }, cause);
}
