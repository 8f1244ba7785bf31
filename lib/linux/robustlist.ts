/**
 * The list of robust futexes of this thread (set_robust_list(2)): at the thread's death, however it comes, the kernel
 * walks it and sets FUTEX_OWNER_DIED in each word that holds the thread's id.
 *
 * The C library keeps such a list behind its robust mutexes, with pointers in the mutexes themselves, and follows them
 * whenever one is locked or unlocked. Ours would lie in shared memory, where anybody may change them at any moment. So its
 * mutexes are not used: the entries are linked here, from what this thread knows by itself, and shared memory is only ever
 * written. The kernel alone reads it, and gives up at a pointer that leads nowhere: then the mark is missing, and the file
 * locks tell.
 *
 * (V1) an entry lies ENTRY_OFFSET bytes behind its word, which is where the library's own list has it on glibc. A thread
 *      has one list: where the library has registered one, ours are entries of that.
 * (V2) a mapping takes its entries out of the list before it goes, whoever forgot to: the list would end at the first that
 *      leads nowhere, and with it the marks of this thread's other nodes.
 */
import { assert } from '../assert.js';
import type { Words } from '../words.js';
import { type Address, libc, viewOf } from './libc.js';

const NUMBERS =
  process.arch === 'arm64'
    ? { setRobustList: 99, getRobustList: 100, threadId: 178 }
    : { setRobustList: 273, getRobustList: 274, threadId: 186 };
const HEAD_BYTES = 24;
const NEXT = 0;
const OFFSET = 1;
const ENTRY_OFFSET = 32;
const OS_PAGE_BYTES = 4096;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const WORD_RANGE = 2 ** 32;

interface Entry {
  readonly words: Words;
  readonly word: number;
  readonly address: Address;
  readonly threadId: number;
}

interface Head {
  readonly address: Address;
  readonly fields: BigInt64Array;
}

let head: Head | undefined;
/** What this thread holds, first in the list first. */
const entries: Entry[] = [];
/** Where the list goes on behind ours. */
let tail = 0n;

function registered(): Head | undefined {
  const address = Buffer.alloc(8);
  const length = Buffer.alloc(8);
  if (libc().robustListOf(NUMBERS.getRobustList, 0, address, length) !== 0) return undefined;
  const at = Number(address.readBigUInt64LE(0));
  if (at === 0) return undefined;
  const fields = new BigInt64Array(viewOf(at, HEAD_BYTES));
  // Another library's, with its words elsewhere: it has no entries as long as nobody uses its robust mutexes.
  return fields[OFFSET] === BigInt(-ENTRY_OFFSET) ? { address: at, fields } : undefined;
}

function register(): Head {
  const address = libc().mmap(0, OS_PAGE_BYTES, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
  const fields = new BigInt64Array(viewOf(address, HEAD_BYTES));
  fields[NEXT] = BigInt(address);
  fields[OFFSET] = BigInt(-ENTRY_OFFSET);
  const failed = libc().registerRobustList(NUMBERS.setRobustList, address, HEAD_BYTES);
  assert(failed === 0, 'the kernel takes no list of robust futexes');
  return { address, fields };
}

/**
 * From the last entry to the first: none can be reached before what follows it is written. What others wrote over the
 * entries and their words is put right by the way.
 */
function link({ fields }: Head): void {
  let next = tail;
  for (let i = entries.length - 1; i >= 0; i--) {
    const { words, word, address, threadId } = entries[i] as Entry;
    const at = word + ENTRY_OFFSET / 4;
    words.write(at, Number(next % BigInt(WORD_RANGE)) | 0);
    words.write(at + 1, Number(next / BigInt(WORD_RANGE)) | 0);
    next = BigInt(address + ENTRY_OFFSET);
    words.store(word, threadId);
  }
  fields[NEXT] = next;
}

/** The word gets this thread's id, and its mark when the thread dies. `address` is the word's; the line is the row's. */
export function holdForLife(words: Words, word: number, address: Address): void {
  head ??= registered() ?? register();
  if (entries.length === 0) tail = head.fields[NEXT] as bigint;
  entries.unshift({ words, word, address, threadId: ownThreadId() });
  link(head);
}

/** The number under which this thread holds words. */
export function ownThreadId(): number {
  return libc().threadId(NUMBERS.threadId);
}

/** The word is nobody's again. */
export function letGoAlive(words: Words, word: number): void {
  words.store(word, 0);
  takeOut((entry) => entry.words === words && entry.word === word);
}

/** (V2) What lies in the range of addresses is about to be unmapped. */
export function forgetRange(address: Address, byteLength: number): void {
  takeOut((entry) => entry.address >= address && entry.address < address + byteLength);
}

function takeOut(isMeant: (entry: Entry) => boolean): void {
  const rest = entries.filter((entry) => !isMeant(entry));
  if (rest.length === entries.length) return;
  entries.splice(0, entries.length, ...rest);
  link(head as Head);
}

/** Words that this thread holds. */
export function heldCount(): number {
  return entries.length;
}
