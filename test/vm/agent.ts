/** In a guest, its first process: `node agent.js FOLDER` does what the files `ask-N` in the folder say, and answers in `answer-N`. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEEDS } from './deeds.js';

const [, , folder = ''] = process.argv;
const POLL_MS = 5;

function say(name: string, answer: object): void {
  writeFileSync(join(folder, `saying-${name}`), JSON.stringify(answer));
  renameSync(join(folder, `saying-${name}`), join(folder, name));
}

async function answer(number: number, text: string): Promise<void> {
  const { deed, args } = JSON.parse(text) as { deed: keyof typeof DEEDS; args: never[] };
  try {
    say(`answer-${number}`, { value: await (DEEDS[deed] as (...given: never[]) => unknown)(...args) });
  } catch (error) {
    const { code, message, stack } = error as NodeJS.ErrnoException;
    say(`answer-${number}`, { error: { code, message, stack } });
  }
}

say('ready', { value: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() });
for (let number = 1; ; number++) {
  const file = join(folder, `ask-${number}`);
  while (!existsSync(file)) await sleep(POLL_MS);
  // Deeds overlap where they wait.
  void answer(number, readFileSync(file, 'utf8'));
}
