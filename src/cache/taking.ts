/** What a loader of `fetch` answers: bytes, or that its source has nothing; either with a life of its own. */
import { takeBytes } from '../../lib/bytes.js';
import { NOTHING, type Taken } from './fetching.js';
import { type FetchOptions, loadedMetadata } from './options.js';
import { type Life, LoadedFor, notFound } from './types.js';

export function loadedBytes(answer: unknown): Uint8Array {
  return takeBytes(answer, 'what load gave');
}

/** Of one fetch. */
export class Taking {
  /** Of what was taken last, where its loader said so. */
  life: Life | undefined;
  private readonly given: FetchOptions['metadata'];
  private metadata: Uint8Array | undefined;
  private isKnown = false;

  constructor(metadata: FetchOptions['metadata']) {
    // What is given as bytes is as it was at the call.
    this.given = metadata instanceof Uint8Array ? metadata.slice() : metadata;
  }

  /** Throws OPTION_INVALID. */
  take(answer: unknown): Taken {
    if (answer instanceof LoadedFor) return this.takeWithLife(answer);
    if (answer === notFound) return NOTHING;
    const bytes = loadedBytes(answer);
    if (!this.isKnown) this.metadata = loadedMetadata(this.given);
    this.isKnown = true;
    return { bytes, metadata: this.metadata, told: 'unversioned' };
  }

  private takeWithLife({ content, life }: LoadedFor): Taken {
    this.life = life;
    if (content === notFound) return NOTHING;
    const told = life.isShared === false ? 'untold' : 'unversioned';
    return { bytes: loadedBytes(content), metadata: loadedMetadata(() => life.metadata), told, life };
  }
}
