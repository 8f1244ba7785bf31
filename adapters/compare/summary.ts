/**
 * The sentences around the figures: what was compared, what came out, what to do next. Terminal and report share them.
 *
 * (Y1) a sentence is computed from the figures and says it as plainly when the shared pool loses.
 */
import { bytesText, countText, percentText, timesOf } from './figures.js';
import type { ArmName, ArmResult, CompareResult } from './types.js';

export function armNamed(result: CompareResult, name: ArmName): ArmResult | undefined {
  return result.arms.find((arm) => arm.name === name);
}

export function isPrivate(arm: ArmResult): boolean {
  return arm.name.startsWith('private-');
}

/** Storage reads of an arm over those of the shared arm of the same run. */
export function readsOverShared(result: CompareResult, arm: ArmResult): number | undefined {
  const shared = armNamed(result, 'shared');
  return shared === undefined ? undefined : timesOf(arm.storageReads, shared.storageReads);
}

/** The private arm with the fewest storage reads: the one the shared arm has to beat. */
export function bestPrivate(result: CompareResult): ArmResult | undefined {
  return result.arms.filter(isPrivate).sort((left, right) => left.storageReads - right.storageReads)[0];
}

function requestsText(result: CompareResult): string {
  const counts = [...new Set(result.arms.map((arm) => arm.requests))];
  return counts.length === 1 ? `the same ${countText(counts[0] ?? 0)} page requests` : 'the same work';
}

function memoryText({ memory, equalIn }: CompareResult): string {
  const bytes = bytesText(memory);
  return equalIn === 'pages'
    ? `${bytes} of pages in memory in total, and what finds them on top`
    : `${bytes} of memory in total`;
}

/** Two or three sentences for a reader who has never seen this comparison. */
export function whatWasCompared(result: CompareResult): string {
  const nodes = result.nodes === 1 ? 'One node' : `${result.nodes} nodes`;
  const { shares = result.nodes } = result;
  const share = shares === 1 ? 'the whole of it' : shares === 2 ? 'half of it' : `one ${ordinal(shares)} of it`;
  const arms = [
    ...(result.arms.some(isPrivate)
      ? [`in a private arm every ${shares === result.nodes ? 'node' : 'process'} keeps its own cache with ${share}`]
      : []),
    ...(armNamed(result, 'shared') ? ['in the shared arm all nodes read one pool of that size'] : []),
    ...(armNamed(result, 'os-cache-limited')
      ? ['os-cache-limited leaves caching to the operating system, with that much of its cache for all nodes']
      : []),
    ...(armNamed(result, 'os-cache')
      ? ['os-cache leaves caching to the operating system, which that limit does not bind']
      : []),
  ].join('; ');
  return [
    result.done === undefined
      ? `${nodes} did ${requestsText(result)} of ${result.workload} once per arm, each time with ${memoryText(result)}.`
      : `${result.done} Each arm had ${memoryText(result)}.`,
    ...(arms === '' ? [] : [`The arms differ in how that memory is spent: ${arms}.`]),
    'A hit is a page found in memory; every other request had to be read from storage.',
  ].join(' ');
}

function ordinal(count: number): string {
  const words: Record<number, string> = { 3: 'third', 4: 'quarter', 5: 'fifth', 6: 'sixth', 8: 'eighth' };
  if (words[count] !== undefined) return words[count];
  const teens = count % 100 >= 11 && count % 100 <= 13;
  return `${count}${teens ? 'th' : (['th', 'st', 'nd', 'rd'][count % 10] ?? 'th')}`;
}

/** One sentence: the shared arm against the best private one, whichever way it went. */
export function verdict(result: CompareResult): string | undefined {
  const shared = armNamed(result, 'shared');
  const rival = bestPrivate(result);
  if (shared === undefined || rival === undefined) return undefined;
  const ratios = `${percentText(shared.hitRatio)} hits against ${percentText(rival.hitRatio)}`;
  const times = timesOf(rival.storageReads, shared.storageReads);
  if (times === undefined) {
    if (rival.storageReads === shared.storageReads)
      return `Neither the shared pool nor ${rival.name} read storage at all.`;
    return `The shared pool read no page from storage, ${rival.name} read ${countText(rival.storageReads)} (${ratios}).`;
  }
  if (times >= 1.005) {
    return `The shared pool read storage ${times.toFixed(2)} times less often than ${rival.name}, the best private arm (${ratios}).`;
  }
  const inverse = timesOf(shared.storageReads, rival.storageReads);
  if (inverse === undefined || inverse >= 1.005) {
    const more = inverse === undefined ? countText(shared.storageReads) : `${inverse.toFixed(2)} times as many`;
    const than = inverse === undefined ? 'pages from storage, against none of' : 'pages from storage as';
    return `The shared pool lost here: it read ${more} ${than} ${rival.name}, the best private arm (${ratios}).`;
  }
  return `The shared pool and ${rival.name}, the best private arm, read storage equally often (${ratios}).`;
}

/** Each note once, those of an arm led by its name. */
export function allNotes(result: CompareResult): string[] {
  const arms = result.arms.flatMap((arm) => arm.notes.map((note) => `${arm.name}: ${note}`));
  return [...new Set([...arms, ...result.notes])];
}

export function failedChecks(results: readonly CompareResult[]): number {
  return results.reduce((sum, result) => sum + result.checks.filter((check) => !check.ok).length, 0);
}
