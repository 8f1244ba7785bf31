/**
 * One connection to the tier, made by the caller's own function of a client of the shape of node-redis. Every request has a time limit of
 * ours: the client's ends when the request was written, not when it was answered.
 *
 * (C1) a connection on which a request took too long is given up with all that waits on it: a peer that is stopped, or a connection that
 *      only one end knows to be gone, answers nothing and says nothing.
 * (C2) a request fails in one of two ways: the tier answers an error (ReplyError), or it is not known whether it was done (TierFault).
 */
import type { Script } from './scripts.js';

/** What is used of a client of node-redis (`createClient`, `createCluster`). */
export interface TierClient {
  connect(): Promise<unknown>;
  destroy(): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the clients of a server and of a cluster take other arguments.
  sendCommand(...args: any[]): Promise<unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: as the client's own types have it.
  on(event: any, listener: (...args: any[]) => void): unknown;
}

/** To be handed to `createClient`, or as `defaults` to `createCluster`. */
export interface ClientSettings {
  readonly disableOfflineQueue: true;
  readonly commandsQueueMaxLength: number;
}

export type Connect = (settings: ClientSettings) => TierClient;

/** Not known to be done. */
export class TierFault extends Error {}

/** The tier has answered so. */
export class ReplyError extends Error {
  /** The first word: OOM, MOVED, NOAUTH. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const SETTINGS: ClientSettings = { disableOfflineQueue: true, commandsQueueMaxLength: 100_000 };
const BULK_STRING = 36;
const AS_BYTES = { typeMapping: { [BULK_STRING]: Buffer } };
/** Answers that say that the tier cannot do it now, whoever asks. */
const AWAY = new Set([
  'LOADING',
  'CLUSTERDOWN',
  'MASTERDOWN',
  'TRYAGAIN',
  'NOAUTH',
  'WRONGPASS',
  'NOPERM',
  'READONLY',
  'MOVED',
  'ASK',
  'BUSY',
  'NOREPLICAS',
]);

export type Argument = string | Uint8Array;

function asBuffer(argument: Argument): string | Buffer {
  if (typeof argument === 'string' || Buffer.isBuffer(argument)) return argument;
  return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength);
}

function asFault(error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  const code = /^[A-Z]{2,}(?= |$)/.exec(message)?.[0];
  if (code === undefined || AWAY.has(code)) return new TierFault(message, { cause: error });
  return new ReplyError(code, message);
}

export class Connection {
  requests = 0;
  timeouts = 0;
  /** How often it was given up and made anew. */
  remakes = 0;
  private readonly make: Connect;
  private client: TierClient | undefined;
  private ready: Promise<void> = Promise.resolve();
  private isClosed = false;

  constructor(make: Connect) {
    this.make = make;
  }

  /** Resolves once it is there, or after so long. */
  async open(timeoutMs: number): Promise<void> {
    if (this.client === undefined) this.start();
    await Promise.race([this.ready, wait(timeoutMs)]);
  }

  private start(): void {
    if (this.isClosed) return;
    const client = this.make(SETTINGS);
    this.client = client;
    // Of what goes wrong the requests tell.
    client.on('error', () => {});
    this.ready = client.connect().then(
      () => {},
      () => {
        // A client that does not try again by itself.
        if (this.client === client) this.client = undefined;
      },
    );
  }

  /** (C1) */
  remake(): void {
    this.end();
    this.remakes++;
    this.start();
  }

  private end(): void {
    const { client } = this;
    this.client = undefined;
    try {
      client?.destroy();
    } catch {
      // It is closed already.
    }
  }

  close(): void {
    this.isClosed = true;
    this.end();
  }

  /** `key` says which node of a cluster. Rejects with TierFault, ReplyError. */
  async send(key: string, words: readonly Argument[], timeoutMs: number): Promise<unknown> {
    if (this.client === undefined) this.start();
    const { client } = this;
    if (client === undefined) throw new TierFault('The tier was closed.');
    this.requests++;
    const args = words.map(asBuffer);
    const sent =
      'getSlotRandomNode' in client
        ? client.sendCommand(key, false, args, AS_BYTES)
        : client.sendCommand(args, AS_BYTES);
    return this.within(sent, timeoutMs);
  }

  private within(sent: Promise<unknown>, timeoutMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.timeouts++;
        reject(new TierFault(`No answer within ${timeoutMs} ms.`));
      }, timeoutMs);
      const settle = (end: () => void) => {
        clearTimeout(timer);
        end();
      };
      sent.then(
        (answer) => settle(() => resolve(answer)),
        (error) => settle(() => reject(asFault(error))),
      );
    });
  }

  /** Runs a script, which the server may have forgotten. */
  async run(
    script: Script,
    node: string,
    keys: readonly Argument[],
    args: readonly Argument[],
    timeoutMs: number,
  ): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.send(node, ['EVALSHA', script.sha, ...rest], timeoutMs);
    } catch (error) {
      if (!(error instanceof ReplyError) || error.code !== 'NOSCRIPT') throw error;
      return this.send(node, ['EVAL', script.text, ...rest], timeoutMs);
    }
  }
}

export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
}
