/**
 * The crash points by name: every statement of the protocol that stores a shared word, as the compiled code has it. A
 * sweep that has not killed somebody right after each of them has not swept.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const compiled = fileURLToPath(new URL('../../../src/', import.meta.url));
const STORE = /\bwords\.(?:store|storeInOrder|write|exchange|add|compareExchange|fill|copyIn)\(/;
const FOLDERS = ['pool', 'cache'];

/** Files whose stores no attached node makes, and why. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'pool/layout/superblock.js': 'written by the formatter, before the pool can be attached to',
  'pool/formatter.js': 'the same',
  'pool/checkpoints/manifest.js': 'made in private memory, and copied into a draft',
  'pool/recovery/restore.js':
    'the one node that has the pool to itself after a restart of the machine: test/pool/powerloss cuts it off',
};

/** Statements that only a format or a restore makes, or a pool on a disk: test/pool/powerloss and restore cut those off. */
const RESTORING = [
  'this.words.write(this.entry(chunk) + CLAIM, 0);',
  'this.words.write(this.entry(chunk) + SHARD, shard);',
  'this.words.write(this.entry(chunk) + SIZE, size);',
  'this.words.store(this.entry(chunk) + KIND, kind);',
  'this.words.store(word, ((this.words.load(word) & ~(OWNER_MASK | WAITERS)) + TERM_STEP) | DIRTY);',
  'this.words.store(this.head(shard) + PUBLISH, sequence);',
  'this.words.write(this.wordOf(slot) + CHECKSUM, this.checksumWith(slot, sum));',
  'this.words.fill(at, Space.words, 0);',
  'this.words.store(at + STATE, SPACE_UNUSED);',
  'this.words.store(this.highWord, high);',
  'words.fill(word, stride * count, 0);',
  'words.store(control.word + Control.word[name], 0);',
  'words.write(line + CHECK, checkOfWords(words, line + BODY, BODY_KEY, 0));',
  'words.write(eventHeads.word + shard * EventHead.words + END, 1);',
  // Once in 2^31 events: test/pool/eventlog goes there.
  'words.compareExchange(this.halvesWord, seen, halves | 0);',
];

/** Statements as `pool/slots:123`, a line of the compiled code, with their text. */
export function storeSites(): Map<string, string> {
  const sites = new Map<string, string>();
  for (const folder of FOLDERS) {
    for (const name of readdirSync(`${compiled}${folder}`, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.js') || `${folder}/${name}` in ELSEWHERE) continue;
      const lines = readFileSync(`${compiled}${folder}/${name}`, 'utf8').split('\n');
      let isRestoring = false;
      lines.forEach((line, index) => {
        if (/^ {4}restore\(\) \{/.test(line)) isRestoring = true;
        else if (/^ {4}\}/.test(line)) isRestoring = false;
        if (STORE.test(line) && !isRestoring && !RESTORING.includes(line.trim()))
          sites.set(`${folder}/${name.slice(0, -3)}:${index + 1}`, line.trim());
      });
    }
  }
  return sites;
}
