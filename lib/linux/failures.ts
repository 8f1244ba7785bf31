/** What a refusal of the kernel means: limits of the process or the machine are told as such, with the limit's name. */
import { PoolError } from '../errors.js';

export function errnoNameOf(error: unknown): string {
  return (error as NodeJS.ErrnoException)?.code ?? '';
}

/** Which limit was reached, and how it is raised. */
const LIMITS: Readonly<Record<string, string>> = {
  EMFILE:
    'this process has as many files open as it may. Raise its limit (ulimit -n; systemd: LimitNOFILE), or look for files that are not closed',
  ENFILE:
    'the machine has as many files open as it may. Raise fs.file-max (sysctl), or look for processes that close none',
  ENOMEM:
    'the kernel gives this process no more memory or mappings. Look at ulimit -v, at the memory limit of its container, and at vm.max_map_count (sysctl)',
  EAGAIN: 'a limit of locked memory or of processes is reached. Look at ulimit -l and ulimit -u',
};

/** Where a file has no room: what of. */
const SHORTAGES: Readonly<Record<string, string>> = {
  ENOSPC: 'the file system is full',
  EDQUOT: "the user's quota of the file system is used up",
  EFBIG: 'the file may not become as large: a limit of the file system, or of the process (ulimit -f)',
};

/** The error that `reasons` have a reason for, by its name in errno; undefined where they have none. */
function describe(
  code: 'SYSTEM_LIMIT' | 'NO_SPACE',
  reasons: Readonly<Record<string, string>>,
): (what: string, errno: string, details: object, cause?: unknown) => PoolError | undefined {
  return (what, errno, details, cause) => {
    const reason = reasons[errno];
    if (reason === undefined) return undefined;
    return new PoolError(code, `${what} (${errno}): ${reason}.`, { ...details, reason: errno }, cause);
  };
}

/** SYSTEM_LIMIT where a limit was reached. */
export const describeLimit = describe('SYSTEM_LIMIT', LIMITS);
/** NO_SPACE where a file has no room. */
export const describeShortage = describe('NO_SPACE', SHORTAGES);

/** Either of the two. */
export function describeRefusal(what: string, errno: string, details: object, cause?: unknown): PoolError | undefined {
  return describeLimit(what, errno, details, cause) ?? describeShortage(what, errno, details, cause);
}
