/**
 * What was promised, and whether it was kept. Times are steps of the scheduler. What nobody was told (a seal by a host that died)
 * may be so or not; but once somebody has seen it, it is.
 *
 * (O1) a page got is one that was sealed under that key, byte by byte, and whose end nobody was told before the look began;
 * (O2) a look finds nothing only where no page of the key was acknowledged before it, or an end of it was under way by its end;
 * (O3) of one key there is one page or draft: a draft is given only where no other was throughout;
 * (O4) bytes copied under a pin are the page's; where the host was taken for dead, it is told so instead;
 * (O5) KEY_EXISTS and NODE_FENCED are said only with a reason;
 * (O6) no line has two writing hosts;
 * (O7) at rest all space that no page has is free.
 */
export interface Made {
  readonly value: number;
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly draftFrom: number;
  /** From when on it may have ended otherwise than by a seal; from when on it has, for sure. */
  draftUntil: number;
  draftGone: number;
  sealFrom: number;
  /** Told, or seen by somebody. */
  sealedBy: number;
  /** Told, or missed by somebody. */
  endedBy: number;
  readonly host: number;
  readonly incarnation: number;
}

const NEVER = Number.POSITIVE_INFINITY;

/** Bytes of one to four lines that tell the value in every word. */
export function contentOf(value: number): Uint8Array {
  const words = new Int32Array(4 + (value % 4) * 15);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(value, 0x9e3779b1) ^ i;
  return new Uint8Array(words.buffer);
}

export class Journal {
  now = 0;
  /** Told of every answer, where somebody listens. */
  trace: (what: string) => void = () => {};
  readonly faults: string[] = [];
  readonly made: Made[] = [];
  /** By host, up to which incarnation somebody has begun to declare it dead. */
  readonly declared: number[] = [];
  /** Attempts to create, by key. */
  private readonly attempts: { readonly key: string; readonly from: number; until: number }[] = [];
  private readonly deletes: { readonly key: string; readonly host: number; readonly from: number; until: number }[] =
    [];
  /** What came about, by name. */
  readonly reached = new Map<string, number>();
  private values = 0;

  reach(what: string): void {
    this.reached.set(what, (this.reached.get(what) ?? 0) + 1);
  }

  fault(what: string): void {
    this.faults.push(`step ${this.now}: ${what}`);
  }

  nextValue(): number {
    return ++this.values;
  }

  beginCreate(key: string): { readonly key: string; readonly from: number; until: number } {
    const attempt = { key, from: this.now, until: NEVER };
    this.attempts.push(attempt);
    return attempt;
  }

  beginDelete(key: string, host: number): { readonly from: number; until: number } {
    const one = { key, host, from: this.now, until: NEVER };
    this.deletes.push(one);
    return one;
  }

  /** Whether somebody began to delete what the page's key had, since it can be there. */
  private mayHaveEnded(made: Made): boolean {
    return this.deletes.some((one) => one.key === made.key && one.until >= made.sealFrom);
  }

  /** A page that was there when the call began, which was told that it ended it. */
  deleted(key: string, from: number, host: number): void {
    this.trace(`host ${host} deleted ${key}, asked at ${from}`);
    for (const made of this.made) {
      if (made.key === key && made.sealedBy < from) made.endedBy = Math.min(made.endedBy, this.now);
    }
  }

  given(value: number, key: string, from: number, by: { host: number; incarnation: number }): Made {
    for (const other of this.made) {
      if (other.key !== key) continue;
      const wasPage = other.sealedBy < from;
      const wasDraft = other.draftFrom < from && other.draftUntil > this.now;
      if ((wasPage || wasDraft) && !this.mayHaveEnded(other)) {
        const what = wasPage ? 'page' : 'draft';
        this.fault(
          `host ${by.host} was given ${key} (${value}) beside the ${what} ${other.value} of host ${other.host} (O3)`,
        );
      }
    }
    const made = {
      ...{ value, key, bytes: contentOf(value), draftFrom: this.now, draftUntil: NEVER, draftGone: NEVER },
      ...{ sealFrom: NEVER, sealedBy: NEVER, endedBy: NEVER, ...by },
    };
    // Nobody looks at the deaths between winning a key and telling so: a draft is no promise, its seal is.
    if ((this.declared[by.host] ?? 0) >= by.incarnation) made.draftUntil = this.now;
    this.made.push(made);
    this.trace(`host ${by.host} in ${by.incarnation} has ${key} (${value}), asked at ${from}`);
    return made;
  }

  /** KEY_EXISTS was said of a call that began then. */
  refused(key: string, attempt: { from: number }): void {
    const isThere = this.made.some(
      (made) => made.key === key && made.endedBy >= attempt.from && made.draftGone >= attempt.from,
    );
    const isAttempt = this.attempts.some((one) => one !== attempt && one.key === key && one.until >= attempt.from);
    if (!isThere && !isAttempt) this.fault(`KEY_EXISTS for ${key}, of which nothing is there (O5)`);
  }

  /** The host is no more what it was: its drafts may be void from now on. */
  gone(host: number, incarnation: number): void {
    for (const made of this.made) {
      if (made.host === host && made.incarnation <= incarnation) made.draftUntil = Math.min(made.draftUntil, this.now);
    }
  }

  /** The process is no more: what it had begun to delete goes no further. */
  died(host: number): void {
    this.trace(`host ${host} died or went`);
    this.gone(host, NEVER);
    for (const one of this.deletes) if (one.host === host) one.until = Math.min(one.until, this.now);
  }

  found(key: string, bytes: Uint8Array, from: number, host: number): Made | undefined {
    const made = this.made.find((one) => one.key === key && Buffer.compare(one.bytes, bytes) === 0);
    if (made === undefined) {
      this.fault(`host ${host} got bytes under ${key} that nobody sealed there (O1)`);
      return undefined;
    }
    if (made.sealFrom === NEVER) this.fault(`host ${host} got ${key} (${made.value}) before it was sealed (O1)`);
    if (made.endedBy < from) this.fault(`host ${host} got ${key} (${made.value}) after its end (O1)`);
    made.sealedBy = Math.min(made.sealedBy, this.now);
    this.trace(`host ${host} found ${key} (${made.value}), asked at ${from}`);
    return made;
  }

  missed(key: string, from: number, host: number): void {
    this.trace(`host ${host} missed ${key}, asked at ${from}`);
    for (const made of this.made) {
      if (made.key !== key || made.sealedBy >= from || made.endedBy <= this.now) continue;
      if (!this.mayHaveEnded(made)) this.fault(`host ${host} missed ${key} (${made.value}) (O2)`);
      made.endedBy = Math.min(made.endedBy, this.now);
    }
  }

  fenced(host: number, incarnation: number): void {
    if ((this.declared[host] ?? 0) < incarnation)
      this.fault(`host ${host} is fenced, and nobody declared it dead (O5)`);
  }
}
