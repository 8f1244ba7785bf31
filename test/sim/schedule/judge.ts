/** What a journal may say: the oracle of each question. */
import { faultIn, type Operation } from '../../support/linearizable.js';
import type { Entry } from './journal.js';
import type { Workload } from './workloads.js';

function operationOf(entry: Entry, workload: Workload): Operation[] {
  const { actor, kind, value, result, start, end } = entry;
  const times = { start: BigInt(start), end: end === 0 ? undefined : BigInt(end) };
  const base = { who: actor, value, result: result !== 0, ...times };
  if (kind === 'set' && result === 0 && end !== 0) {
    // Not stored: the page that was there is hidden, but where a clear was faster there was nothing left to hide.
    return workload.acts.includes('clear') ? [] : [{ ...base, kind: 'set', value: 0 }];
  }
  // Refused like any other put, whatever it would have become of it.
  if (kind === 'abort' && result === 0 && end !== 0) return [{ ...base, kind: 'put' }];
  if (kind === 'put' || kind === 'set' || kind === 'get' || kind === 'delete' || kind === 'abort' || kind === 'clear') {
    return [{ ...base, kind }];
  }
  return [];
}

function judgeHistory(entries: readonly Entry[], workload: Workload): string | undefined {
  for (let key = 0; key < workload.keys; key++) {
    const history = entries.filter((entry) => entry.key === key).flatMap((entry) => operationOf(entry, workload));
    const fault = faultIn(history, workload.question === 'evicting');
    if (fault !== undefined) return `key ${key}: ${fault}`;
  }
  return undefined;
}

/** Writes that had ended when the get began. */
function endedBefore(entries: readonly Entry[], get: Entry): Entry[] {
  return entries.filter((one) => one.key === get.key && one.end !== 0 && one.end < get.start);
}

function judgeSources(entries: readonly Entry[]): string | undefined {
  for (const get of entries) {
    if (get.kind !== 'get' || get.end === 0 || get.value === 0) continue;
    const moved = endedBefore(entries, get).filter((one) => one.kind === 'source');
    const oldest = Math.max(0, ...moved.map((one) => one.value));
    if (get.value < oldest) {
      return `actor ${get.actor} found version ${get.value} of key ${get.key}, whose source had moved on to ${oldest} before`;
    }
  }
  return undefined;
}

function judgeVersions(entries: readonly Entry[]): string | undefined {
  for (const get of entries) {
    if (get.kind !== 'get' || get.end === 0 || get.value === 0) continue;
    const asOf = get.result === 7 ? Number.POSITIVE_INFINITY : get.result;
    if (get.value > asOf) return `actor ${get.actor} asked as of ${asOf} and found ${get.value}`;
    // A put that was refused, or whose page was evicted, has ended what was before it all the same.
    const later = endedBefore(entries, get).filter(
      (one) => (one.kind === 'version' || one.kind === 'until') && one.value > get.value && one.value <= asOf,
    );
    if (later.length > 0) {
      return `actor ${get.actor} found version ${get.value} as of ${asOf}, after ${later[0]?.value} had been put or ended it`;
    }
  }
  return undefined;
}

/** What is wrong with the journal, or undefined. */
export function judge(entries: readonly Entry[], workload: Workload): string | undefined {
  if (workload.question === 'sources') return judgeSources(entries);
  if (workload.question === 'versions') return judgeVersions(entries);
  return judgeHistory(entries, workload);
}
