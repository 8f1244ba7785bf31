/** A pool that is there already, made with other options than those that connect was given for making one. */
import { PoolError } from '../../lib/errors.js';
import { LinuxMachine } from '../../lib/linux/index.js';
import type { CheckedConnect, Identity } from './layout/index.js';

/** Paths that this process has warned of. */
const warned = new Set<string>();

/** What differs, in words; empty where nothing that was asked for does. */
function differences({ plan }: Identity, given: NonNullable<CheckedConnect['create']>['given']): string[] {
  const names = Object.keys(given) as (keyof typeof given)[];
  return names
    .filter((name) => given[name] !== undefined && given[name] !== plan[name])
    .map((name) => `${name} ${plan[name]}, not ${given[name]}`);
}

/**
 * Whether the pool is to be replaced by one of the options given. Where it is kept although it differs, the process is warned, once
 * for each path. Throws OPTION_INVALID with onMismatch 'error'.
 */
export function isToBeReplaced(path: string, identity: Identity, { create, onMismatch }: CheckedConnect): boolean {
  const found = create === undefined ? [] : differences(identity, create.given);
  if (found.length === 0) return false;
  if (onMismatch === 'replace') return true;
  const what = `The pool ${path} is there, with ${found.join(' and ')}, as create asks for.`;
  if (onMismatch === 'error') {
    throw new PoolError('OPTION_INVALID', `create: ${what}`, { option: 'create', path, differences: found });
  }
  if (onMismatch === 'keep' || warned.has(path)) return false;
  warned.add(path);
  const advice = "Pass onMismatch: 'keep' to take it as it is, 'error' to refuse it, or 'replace' to make it anew.";
  new LinuxMachine().warn('SEALPOOL_OPTIONS_DIFFER', `${what} It is taken as it is. ${advice}`);
  return false;
}
