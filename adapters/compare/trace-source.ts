/** trace-source: a trace as a user names it: FILE, or FILE:COLUMNS where no file has that whole name. */
import { existsSync } from 'node:fs';

export interface TraceSource {
  readonly file: string;
  /** What stands after the colon; empty where nothing does. */
  readonly columns?: string | undefined;
}

/** The longest beginning before a colon that is a file. Undefined where there is none. */
export function traceSource(source: string): TraceSource | undefined {
  if (existsSync(source)) return { file: source };
  for (let colon = source.lastIndexOf(':'); colon > 0; colon = source.lastIndexOf(':', colon - 1)) {
    const file = source.slice(0, colon);
    if (existsSync(file)) return { file, columns: source.slice(colon + 1) };
  }
  return undefined;
}
