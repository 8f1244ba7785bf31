/**
 * A machine that may lose its power: the disk under a pool's file holds of each 4 KiB page what was there when the page
 * was last synced, or whatever it held at any moment since, each page on its own.
 */
import type { AttachedPool } from '../../../src/pool/pool.js';
import type { Chance } from '../../support/chance.js';

const PAGE = 4096;

interface Syncing {
  syncNow(offset: number, byteLength: number): void;
  readonly buffer: ArrayBuffer;
}

export class FragileDisk {
  /** Called at every moment that the disk takes notice of. */
  onMoment: () => void = () => {};
  syncs = 0;
  private readonly mappings: readonly { readonly mapping: Syncing; readonly start: number }[];
  /** Of each page what was synced last, then what it held since. */
  private readonly held: Uint8Array[][] = [];

  /** Everything there is now is on the disk. The file is taken for one on a disk, wherever it lies. */
  constructor(pool: AttachedPool) {
    const { segment, words, geometry } = pool.session.parts;
    const { metadata, drafts } = segment as unknown as { metadata: Syncing; drafts: Syncing[] };
    if (drafts.length !== 1) throw new Error('a pool of one window is wanted');
    const [data] = drafts as [Syncing];
    this.mappings = [
      { mapping: metadata, start: 0 },
      { mapping: data, start: geometry.dataOffset },
    ];
    for (const { mapping, start } of this.mappings) {
      for (let at = 0; at < mapping.buffer.byteLength; at += PAGE) {
        this.held[(start + at) / PAGE] = [new Uint8Array(mapping.buffer, at, PAGE).slice()];
      }
      this.hookSync(mapping, start);
    }
    this.hookStores(words, geometry.regions.checkpoints.word);
  }

  private hookSync(mapping: Syncing, start: number): void {
    Object.assign(mapping, {
      syncNow: (offset: number, byteLength: number) => {
        this.observe();
        this.syncs++;
        const first = Math.floor((start + offset) / PAGE);
        for (let page = first; page * PAGE < start + offset + byteLength; page++) {
          const versions = this.held[page] as Uint8Array[];
          versions.splice(0, versions.length - 1);
        }
        this.onMoment();
      },
    });
  }

  /** Every store to the directory is a moment of its own, and every few others. */
  private hookStores(words: AttachedPool['session']['parts']['words'], directory: number): void {
    const original = words.store.bind(words);
    let count = 0;
    Object.assign(words, {
      store: (index: number, value: number) => {
        original(index, value);
        if (index < directory && ++count % 16 !== 0) return;
        this.observe();
        this.onMoment();
      },
    });
  }

  observe(): void {
    for (const { mapping, start } of this.mappings) {
      for (let at = 0; at < mapping.buffer.byteLength; at += PAGE) {
        const now = Buffer.from(mapping.buffer, at, PAGE);
        const versions = this.held[(start + at) / PAGE] as Uint8Array[];
        if (now.compare(versions.at(-1) as Uint8Array) !== 0) versions.push(Uint8Array.from(now));
      }
    }
  }

  /** What may be on the disk at this moment. */
  image(chance: Chance): Uint8Array {
    const image = new Uint8Array(this.held.length * PAGE);
    const how = chance.below(4);
    for (const [page, versions] of this.held.entries()) {
      const last = versions.length - 1;
      const pick = [0, chance.below(versions.length), chance.below(2) * last, last][how] as number;
      image.set(versions[pick] as Uint8Array, page * PAGE);
    }
    return image;
  }
}
