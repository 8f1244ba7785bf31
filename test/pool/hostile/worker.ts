/**
 * Plays rounds of lies. Arguments: path of the pools, first seed, rounds, and how: 'usual', 'aloud' to tell each step,
 * 'dense' for many lies with few acts each, of which every fourth round's are told by another thread. Standard output has
 * one line a round, so that the parent sees progress, and at the end what was thrown how often.
 */
import { readFileSync, rmSync, writeSync } from 'node:fs';
import { DENSE, makeScenes, playAgainst, playRound, type RoundResult } from './stage.js';
import { startLiar } from './thread.js';

const [path = '', first = '1', rounds = '1', how = 'usual'] = process.argv.slice(2);
const say = (line: string) => writeSync(1, `${line}\n`);
const total = new Map<string, number>();
let lies = 0;
let threaded = 0;

const isDense = how.startsWith('dense');
const isAloud = how.endsWith('aloud');
const scenes = await makeScenes(path);
const logPath = `${path}-lies`;
const liar = isDense ? await startLiar(scenes, logPath) : undefined;

/** In dense play every fourth round is against the thread, whatever its seed. */
function play(seed: number): Promise<RoundResult> {
  const tell = isAloud ? say : () => {};
  if (liar === undefined) return playRound(scenes, seed, tell);
  if (seed % 4 !== 0) return playRound(scenes, seed, tell, DENSE);
  threaded += DENSE.lies;
  return playAgainst(scenes, seed, liar, DENSE);
}

for (let i = 0; i < Number(rounds); i++) {
  const seed = Number(first) + i;
  say(`round ${seed}`);
  try {
    const result = await play(seed);
    lies += result.lies;
    for (const [code, count] of result.codes) total.set(code, (total.get(code) ?? 0) + count);
  } catch (error) {
    say(`failed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    if (liar !== undefined && seed % 4 === 0)
      say(`failed ${seed}: the thread told ${readFileSync(logPath, 'utf8').trim().replaceAll('\n', '; ')}`);
    process.exit(1);
  }
}
for (const scene of scenes) rmSync(scene.path, { force: true });
rmSync(logPath, { force: true });
say(`done ${JSON.stringify({ lies, threaded, codes: Object.fromEntries(total) })}`);
process.exit(0);
