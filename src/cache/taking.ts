/** What a loader of `fetch` answers: bytes, or that its source has nothing; either with a life of its own. */
import { takeBytes } from '../../lib/bytes.js';
import type { Key } from '../pool/index.js';
import { NOTHING, type Taken } from './fetching.js';
import { checkLife, type FetchOptions, type FetchTags, loadedMetadata, loadedTags } from './options.js';
import { type Life, LoadedFor, notFound } from './types.js';

function loadedBytes(answer: unknown): Uint8Array {
  return takeBytes(answer, 'what load gave');
}

/** Of one fetch. */
export class Taking {
  /** Of what was taken last, where its loader said so. */
  life: Life | undefined;
  private readonly key: Key;
  private readonly given: FetchOptions['metadata'];
  private readonly givenTags: FetchTags | undefined;
  /** Functions among the options are called once, however often the answer is taken. */
  private known: Pick<Taken, 'metadata' | 'tags'> | undefined;

  constructor(key: Key, options: { metadata?: FetchOptions['metadata']; tags?: FetchTags | undefined }) {
    const { metadata, tags } = options;
    this.key = key;
    // What is given as bytes is as it was at the call.
    this.given = metadata instanceof Uint8Array ? metadata.slice() : metadata;
    this.givenTags = tags;
  }

  /** Throws OPTION_INVALID. */
  take(answer: unknown): Taken {
    if (answer instanceof LoadedFor) return this.takeWithLife(answer);
    if (answer === notFound) return NOTHING;
    const bytes = loadedBytes(answer);
    return { bytes, ...this.know(this.given, this.givenTags), told: 'unversioned' };
  }

  private takeWithLife({ content, life: told }: LoadedFor): Taken {
    const life = checkLife(told);
    this.life = life;
    if (content === notFound) return NOTHING;
    const bytes = loadedBytes(content);
    const isShared = life.isShared !== false;
    return {
      bytes,
      ...this.know(() => life.metadata, life.tags ?? this.givenTags),
      told: isShared ? 'unversioned' : 'untold',
      life,
    };
  }

  private know(metadata: FetchOptions['metadata'], tags: FetchTags | undefined): Pick<Taken, 'metadata' | 'tags'> {
    this.known ??= { metadata: loadedMetadata(metadata), tags: loadedTags(this.key, tags) };
    return this.known;
  }
}
