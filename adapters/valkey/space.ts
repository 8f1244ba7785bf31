/**
 * One namespace in the tier: its keys there, and what is asked of it. Nothing here knows the pool.
 *
 * (S1) a request that fails counts for the circuit breaker; one that the tier answers, with an error or not, ends its row.
 * (S2) a value above `chunkBytes` lies in chunks beside it, written before it under names of their own: nobody is led to some of them. Until
 *      the value is there they have a life of a minute.
 */
import { randomBytes } from 'node:crypto';
import { PoolError } from '../../lib/errors.js';
import { Breaker } from './breaker.js';
import { type Argument, type Connect, Connection, ReplyError, TierFault } from './connection.js';
import type { Settings } from './options.js';
import { ASK, BAR, CHECK, FILL, HOLD, MEND, type Script, TELL } from './scripts.js';
import { cellsOf, decodeTags, type EndOfTags, encodeEnd } from './tagcells.js';

/** A place in the log. */
export interface Place {
  /** Decimal: counts of microseconds, and compared by `isBelow` only. */
  readonly count: string;
  readonly nonce: string;
}

/** What a host knows when it asks. */
export interface Seen {
  readonly place: Place | undefined;
  /** Values from before are not believed. */
  readonly floor: string;
}

export interface Value {
  readonly kind: 'value' | 'stale';
  readonly bytes: Uint8Array;
  readonly metadata: Uint8Array;
  readonly isNegative: boolean;
  /** From when it was asked for; below 0 for a stale one, undefined for ever. */
  readonly freshMs: number | undefined;
  readonly keptMs: number;
  readonly count: string;
  readonly tags: readonly string[];
}

export type Answer =
  | Value
  | { readonly kind: 'lease'; readonly lease: string }
  | { readonly kind: 'wait'; readonly leftMs: number }
  /** The history in the tier is not the one that this host has seen. */
  | { readonly kind: 'other' }
  /** Not asked, or no answer. */
  | { readonly kind: 'away' };

export interface AskOptions {
  /** Whether to take leases of what is not there. */
  readonly leases: boolean;
  readonly staleMs: number;
}

export interface Stored {
  readonly bytes: Uint8Array;
  readonly metadata: Uint8Array | undefined;
  readonly isNegative: boolean;
  /** Undefined for ever. */
  readonly freshMs: number | undefined;
  readonly keptMs: number;
  readonly tags?: readonly string[] | undefined;
}

/** A map, so that all counts are told. */
export interface TierCounts {
  requests: number;
  hits: number;
  misses: number;
  waits: number;
  refusedFills: number;
  failedFills: number;
  failures: number;
  bypassed: number;
  otherHistories: number;
}

const CHUNK_LIFE_MS = 60_000;
const CHUNKS_AT_ONCE = 4;
/** Of one question: what they answer comes in one reply. */
const KEYS_AT_ONCE = 128;
const BYTES_AT_ONCE = 8 * 2 ** 20;
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** Decimal counts have up to 16 digits, exact in a double. */
export function isBelow(one: string, other: string): boolean {
  return Number(one) < Number(other);
}

export function newNonce(): string {
  return randomBytes(9).toString('base64url');
}

export function bytesOfKey(key: string | Uint8Array): Uint8Array {
  return typeof key === 'string' ? encoder.encode(key) : key;
}

/** No brace of a name ends the hash tag. */
function withoutBraces(name: string): string {
  return name.replace(/[{}%]/g, (brace) => `%${brace.charCodeAt(0).toString(16)}`);
}

function join(name: string, key: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(name), key]);
}

function malformed(what: string): TierFault {
  return new TierFault(`The tier gave ${what}.`);
}

export class TierSpace {
  readonly log: string;
  readonly breaker: Breaker;
  readonly connection: Connection;
  readonly counts: TierCounts = {
    requests: 0,
    hits: 0,
    misses: 0,
    waits: 0,
    refusedFills: 0,
    failedFills: 0,
    failures: 0,
    bypassed: 0,
    otherHistories: 0,
  };
  private readonly settings: Settings;
  private readonly tag: string;
  private readonly meta: string;
  private readonly values: string;
  private readonly leases: string;
  private readonly chunks: string;

  /** `pages`: the namespace's page space of that name, which is apart from its keys and from other spaces. */
  constructor(settings: Settings, namespace: string, connect: Connect, pages?: string) {
    this.settings = settings;
    // No name has a bare % in it.
    const space = pages === undefined ? '' : `%p:${withoutBraces(pages)}`;
    this.tag = `{${withoutBraces(settings.prefix)}:${withoutBraces(namespace)}${space}}`;
    this.meta = `${this.tag}:meta`;
    this.log = `${this.tag}:log`;
    this.values = `${this.tag}:v:`;
    this.leases = `${this.tag}:l:`;
    this.chunks = `${this.tag}:c:`;
    this.connection = new Connection(connect);
    const { breakerFailures: failures, breakerPauseMs: pauseMs } = settings;
    this.breaker = new Breaker({ failures, pauseMs }, () => performance.now());
  }

  private keysOf(...keys: Uint8Array[]): Argument[] {
    const names = keys.flatMap((key) => [join(this.values, key), join(this.leases, key)]);
    return [this.meta, this.log, this.chunks, ...names];
  }

  /** (S1) Rejects with TierFault where it is not known whether it was done, and with ReplyError. */
  private async guard<T>(work: () => Promise<T>): Promise<T> {
    if (!this.breaker.allows()) {
      this.counts.bypassed++;
      throw new TierFault('The circuit breaker is open.');
    }
    this.counts.requests++;
    const timeoutsBefore = this.connection.timeouts;
    try {
      const answer = await work();
      this.breaker.succeeded();
      return answer;
    } catch (error) {
      if (error instanceof ReplyError) this.breaker.succeeded();
      else {
        this.counts.failures++;
        // (C1) What came to nothing without a timeout has a connection that knows it, and is made anew by its client.
        if (this.breaker.failed() && this.connection.timeouts > timeoutsBefore) this.connection.remake();
      }
      throw error;
    }
  }

  private run(script: Script, key: Uint8Array, args: readonly Argument[]): Promise<unknown> {
    return this.runFor(script, [key], args);
  }

  private runFor(script: Script, keys: readonly Uint8Array[], args: readonly Argument[]): Promise<unknown> {
    const { requestTimeoutMs } = this.settings;
    return this.guard(() => this.connection.run(script, this.meta, this.keysOf(...keys), args, requestTimeoutMs));
  }

  /** Never rejects. `leases`: whether the asker loads where nothing is there. */
  async ask(key: Uint8Array, seen: Seen, options: AskOptions): Promise<Answer> {
    return (await this.askMany([key], seen, options))[0] as Answer;
  }

  /** As ask, of each: one request for every 128. */
  async askMany(keys: readonly Uint8Array[], seen: Seen, options: AskOptions): Promise<Answer[]> {
    const answers: Answer[] = [];
    for (let first = 0; first < keys.length; first += KEYS_AT_ONCE)
      answers.push(...(await this.askSome(keys.slice(first, first + KEYS_AT_ONCE), seen, options)));
    return answers;
  }

  private async askSome(keys: readonly Uint8Array[], seen: Seen, options: AskOptions): Promise<Answer[]> {
    const { place, floor } = seen;
    const token = options.leases ? newNonce() : '';
    const staleMs = String(Math.floor(options.staleMs));
    const leaseMs = String(this.settings.leaseMs);
    try {
      const args = [token, leaseMs, place?.count ?? '', place?.nonce ?? '', floor, staleMs, String(BYTES_AT_ONCE)];
      const reply = await this.runFor(ASK, keys, args);
      if (!Array.isArray(reply)) throw malformed('no answer to what was asked');
      if (String(reply[0]) === 'other') {
        this.counts.otherHistories++;
        return keys.map(() => ({ kind: 'other' }));
      }
      if (reply.length !== keys.length + 1) throw malformed(`${reply.length - 1} answers to ${keys.length} questions`);
      return await Promise.all(keys.map((key, i) => this.understandOrNot(key, reply[i + 1])));
    } catch {
      return keys.map(() => ({ kind: 'away' }));
    }
  }

  private async understandOrNot(key: Uint8Array, reply: unknown): Promise<Answer> {
    return this.understand(key, reply).catch(() => ({ kind: 'away' }));
  }

  private async understand(key: Uint8Array, reply: unknown): Promise<Answer> {
    if (!Array.isArray(reply)) throw malformed('no answer to what was asked');
    const [kind, first] = [String(reply[0]), String(reply[1])];
    if (kind === 'lease') {
      this.counts.misses++;
      return { kind, lease: first };
    }
    if (kind === 'wait') return { kind, leftMs: Number(first) };
    if (kind !== 'value' && kind !== 'stale') throw malformed(`an answer of kind ${JSON.stringify(kind)}`);
    const [fresh, kept, metadata, negative, chunks, chunkId, size, inline, names] = reply.slice(2) as Buffer[];
    const tags = decodeTags(String(names));
    if (tags === undefined) throw malformed('tags that are none');
    const bytes = Number(chunks) === 0 ? inline : await this.gather(String(chunkId), Number(chunks), Number(size));
    if (bytes === undefined || bytes.length !== Number(size)) {
      await this.run(MEND, key, [String(chunkId)]);
      return { kind: 'wait', leftMs: 0 };
    }
    if (kind === 'value') this.counts.hits++;
    const freshMs = String(fresh) === '' ? undefined : Number(fresh);
    return {
      kind,
      bytes,
      metadata: metadata ?? NOTHING,
      isNegative: String(negative) === '1',
      freshMs,
      keptMs: Number(kept),
      count: first,
      tags,
    };
  }

  /** Undefined where they are not whole. */
  private async gather(id: string, count: number, size: number): Promise<Buffer | undefined> {
    const whole = Buffer.allocUnsafe(size);
    let isWhole = true;
    await this.forChunks(count, async (at) => {
      const name = `${this.chunks}${id}:${at}`;
      const chunk = await this.request(['GET', name]);
      const start = at * this.settings.chunkBytes;
      if (!Buffer.isBuffer(chunk) || start + chunk.length > size) isWhole = false;
      else if (at < count - 1 && chunk.length !== this.settings.chunkBytes) isWhole = false;
      else if (at === count - 1 && start + chunk.length !== size) isWhole = false;
      else chunk.copy(whole, start);
    });
    return isWhole ? whole : undefined;
  }

  private request(words: readonly Argument[]): Promise<unknown> {
    return this.guard(() => this.connection.send(this.meta, words, this.settings.requestTimeoutMs));
  }

  private async forChunks(count: number, work: (at: number) => Promise<void>): Promise<void> {
    let next = 0;
    const take = async () => {
      for (let at = next++; at < count; at = next++) await work(at);
    };
    await Promise.all(Array.from({ length: Math.min(CHUNKS_AT_ONCE, count) }, take));
  }

  /** (S2) The last arguments of FILL. */
  private async contentOf(stored: Stored): Promise<Argument[]> {
    const { bytes, metadata, isNegative, freshMs, keptMs } = stored;
    const life = freshMs === undefined ? '' : String(Math.ceil(freshMs));
    const { chunkBytes } = this.settings;
    const count = bytes.length > chunkBytes ? Math.ceil(bytes.length / chunkBytes) : 0;
    const id = count === 0 ? '' : newNonce();
    await this.forChunks(count, async (at) => {
      const chunk = bytes.subarray(at * chunkBytes, (at + 1) * chunkBytes);
      await this.request(['SET', `${this.chunks}${id}:${at}`, chunk, 'PX', String(CHUNK_LIFE_MS)]);
    });
    const head = [life, String(Math.ceil(keptMs)), metadata ?? '', isNegative ? '1' : '0'];
    const { tags = [] } = stored;
    const named = tags.length === 0 ? '' : JSON.stringify(tags);
    return [...head, String(count), id, String(bytes.length), count === 0 ? bytes : '', named, cellsOf(tags)];
  }

  /** Never rejects. 'refused': the lease has ended. 'failed': not known to be stored, and the lease is given back where that can be. */
  async fill(key: Uint8Array, lease: string, stored: Stored): Promise<'stored' | 'refused' | 'failed'> {
    try {
      const outcome = String(await this.run(FILL, key, [lease, ...(await this.contentOf(stored))]));
      if (outcome === 'stored') return outcome;
      this.counts.refusedFills++;
      return 'refused';
    } catch (error) {
      this.counts.failedFills++;
      if (error instanceof ReplyError) await this.release(key, lease);
      return 'failed';
    }
  }

  /** Never rejects. */
  async renew(key: Uint8Array, lease: string): Promise<void> {
    await this.run(HOLD, key, [lease, String(this.settings.leaseMs)]).catch(() => {});
  }

  /** Never rejects. */
  async release(key: Uint8Array, lease: string): Promise<void> {
    await this.run(HOLD, key, [lease, '']).catch(() => {});
  }

  /**
   * Tells all hosts that the key, with undefined every key, or what has the tags, is not what it was. With `lease`: gives that for a fill that follows. Throws
   * TIER_UNREACHABLE.
   */
  async tell(
    what: Uint8Array | EndOfTags | undefined,
    origin: string,
    leases = false,
  ): Promise<Place & { lease: string }> {
    const [nonce, token] = [newNonce(), leases ? newNonce() : ''];
    const { logLength, leaseMs } = this.settings;
    const key = what instanceof Uint8Array ? what : NOTHING;
    const end = what instanceof Uint8Array ? undefined : what;
    const kind = what === undefined ? 'all' : end === undefined ? 'key' : 'tags';
    const args = [kind, end === undefined ? key : encodeEnd(end), nonce, origin, String(logLength), token];
    const cells = end === undefined ? '' : cellsOf(end.tags);
    const count = await this.insist(async () => String(await this.run(TELL, key, [...args, String(leaseMs), cells])));
    return { count, nonce, lease: `${token}:${count}` };
  }

  /** Twice: between the two the connection may be made anew. */
  private async insist<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch {
      try {
        return await work();
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new PoolError('TIER_UNREACHABLE', `Other hosts could not be told: ${why}`, undefined, error);
      }
    }
  }

  /** Where this host's history is none of the tier's: nothing of before is believed, by any host. */
  async bar(place: Place): Promise<void> {
    const args = [place.count, place.nonce, newNonce(), String(this.settings.logLength)];
    await this.run(BAR, NOTHING, args).catch(() => {});
  }

  /** For the channel's own connection. */
  async check(connection: Connection, place: Place | undefined): Promise<{ history: number; head: Place }> {
    const args = [place?.count ?? '', place?.nonce ?? ''];
    const { requestTimeoutMs } = this.settings;
    const reply = await connection.run(CHECK, this.meta, this.keysOf(NOTHING), args, requestTimeoutMs);
    if (!Array.isArray(reply) || reply.length !== 3) throw malformed('no answer to a check');
    return { history: Number(String(reply[0])), head: { count: String(reply[1]), nonce: String(reply[2]) } };
  }

  /** Entries after the place, as they come, or none after so long. */
  read(connection: Connection, place: Place, blockMs: number): Promise<unknown> {
    const words = ['XREAD', 'COUNT', '1000', 'BLOCK', String(blockMs), 'STREAMS', this.log, `${place.count}-0`];
    return connection.send(this.meta, words, blockMs + this.settings.requestTimeoutMs);
  }

  close(): void {
    this.connection.close();
  }
}
