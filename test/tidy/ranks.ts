/**
 * Ranks: a file imports only lower ranks and its own folder, a folder of src is entered by its index.ts, and no file
 * reaches itself through its imports.
 *
 * Type-only imports count: a type that needs its user is as much a knot in the design as a value that does.
 * Tests stand above benchmarks and examples, because they mirror every folder and run what those folders hold; for the
 * same reason they may enter a folder of src by any file.
 */
import { type Checker, importsOf, isUnder, type Source, targetOf } from './sources.js';

const ranks: Readonly<Record<string, number>> = {
  lib: 0,
  'src/pool': 1,
  'src/coherence': 2,
  'src/cache': 3,
  'src/index.ts': 3.5,
  adapters: 4,
  benchmarks: 5,
  examples: 5,
  test: 6,
};

/** The ranked folder of a path; subfolders belong to it. src itself is no folder, only its parts are. */
function folderOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return top === 'src' ? `${top}/${second}` : top;
}

export const checkRanks: Checker = (sources) =>
  sources.flatMap((source) => {
    const folder = folderOf(source.path);
    const rank = ranks[folder];
    if (rank === undefined) return [`${source.path}: ${folder} has no rank`];
    return importsOf(source).flatMap(({ specifier, line }) => {
      const where = `${source.path}:${line}`;
      if (specifier === undefined) {
        return isUnder(source, 'lib', 'src') ? [`${where} imports by a computed name, which hides its rank`] : [];
      }
      const target = targetOf(source, specifier);
      if (target === undefined || folderOf(target) === folder) return [];
      const other = ranks[folderOf(target)];
      // Files outside every folder, such as package.json, stand below all.
      if (other === undefined) return isUnder(source, 'lib', 'src') ? [`${where} imports ${target}, of no rank`] : [];
      return other < rank ? [] : [`${where} (${folder}, rank ${rank}) imports ${target} (rank ${other})`];
    });
  });

export const checkEntrances: Checker = (sources) =>
  sources
    .filter((source) => !isUnder(source, 'test'))
    .flatMap((source) =>
      importsOf(source).flatMap(({ specifier, line }) => {
        const target = specifier === undefined ? undefined : targetOf(source, specifier);
        if (target === undefined || !target.startsWith('src/') || target === 'src/index.ts') return [];
        const folder = folderOf(target);
        if (folder === folderOf(source.path) || target === `${folder}/index.ts`) return [];
        return [`${source.path}:${line} enters ${folder} by ${target}, not by its index.ts`];
      }),
    );

/** The rooms of src/pool, from the lowest up; what lies beside them are the handles at the top. */
const ROOMS = [
  ...['policy', 'layout', 'nodes', 'space', 'objects', 'near'],
  ...['events', 'access', 'session', 'checkpoints', 'recovery', 'census'],
];
const TOP = ROOMS.length;

/** How high a file of src/pool lies; undefined for files elsewhere, -1 in a room that nobody knows. */
function floorOf(path: string): number | undefined {
  const match = /^src\/pool\/(?:([^/]+)\/)?[^/]+$/.exec(path);
  if (match === null) return undefined;
  return match[1] === undefined ? TOP : ROOMS.indexOf(match[1]);
}

export const checkRooms: Checker = (sources) =>
  sources
    .filter((source) => !isUnder(source, 'test'))
    .flatMap((source) => {
      const floor = floorOf(source.path);
      if (floor === undefined) return [];
      if (floor < 0) return [`${source.path} lies in a room that is not in the list`];
      return importsOf(source).flatMap(({ specifier, line }) => {
        const target = specifier === undefined ? undefined : targetOf(source, specifier);
        const other = target === undefined ? undefined : floorOf(target);
        if (target === undefined || other === undefined || other === floor) return [];
        const where = `${source.path}:${line}`;
        if (other > floor) return [`${where} imports ${target}, of a higher room`];
        return target.endsWith('/index.ts') ? [] : [`${where} enters a room by ${target}, not by its index.ts`];
      });
    });

function importGraph(sources: readonly Source[]): Map<string, string[]> {
  const known = new Set(sources.map((source) => source.path));
  const edges = (source: Source) =>
    importsOf(source)
      .map(({ specifier }) => (specifier === undefined ? undefined : targetOf(source, specifier)))
      .filter((target): target is string => target !== undefined && known.has(target));
  return new Map(sources.map((source) => [source.path, edges(source)]));
}

/** One cycle through each edge that closes one, as the depth-first walk meets it. */
export const checkCycles: Checker = (sources) => {
  const graph = importGraph(sources);
  const trail: string[] = [];
  const done = new Set<string>();
  const offenders: string[] = [];
  const enter = (path: string) => {
    const at = trail.indexOf(path);
    if (at >= 0) offenders.push([...trail.slice(at), path].join(' -> '));
    if (at >= 0 || done.has(path)) return;
    trail.push(path);
    for (const target of graph.get(path) ?? []) enter(target);
    trail.pop();
    done.add(path);
  };
  for (const source of sources) enter(source.path);
  return offenders;
};
