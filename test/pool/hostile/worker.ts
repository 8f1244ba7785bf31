/**
 * Plays rounds of lies. Arguments: path of the pools, first seed, rounds, and 'aloud' to tell each step. Standard output
 * has one line a round, so that the parent sees progress, and at the end what was thrown how often.
 */
import { rmSync, writeSync } from 'node:fs';
import { makeScenes, playRound } from './stage.js';

const [path = '', first = '1', rounds = '1', how = ''] = process.argv.slice(2);
const say = (line: string) => writeSync(1, `${line}\n`);
const total = new Map<string, number>();
let lies = 0;

const scenes = await makeScenes(path);
for (let i = 0; i < Number(rounds); i++) {
  const seed = Number(first) + i;
  say(`round ${seed}`);
  try {
    const result = await playRound(scenes, seed, how === 'aloud' ? say : () => {});
    lies += result.lies;
    for (const [code, count] of result.codes) total.set(code, (total.get(code) ?? 0) + count);
  } catch (error) {
    say(`failed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    if (how !== 'on') process.exit(1);
  }
}
for (const scene of scenes) rmSync(scene.path, { force: true });
say(`done ${JSON.stringify({ lies, codes: Object.fromEntries(total) })}`);
process.exit(0);
