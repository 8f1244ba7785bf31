/** Worlds of a few words: for the models of one handshake each. */
import { Buffered } from './memory.js';
import { type Mutation, World } from './world.js';

const LOCALS = 8;

/** Words by name; private bytes 1 to 7 of each actor are its own to use, the oracle has as many as it asks for. */
export class SmallWorld extends World {
  private readonly numbers: ReadonlyMap<string, number>;

  constructor(mutation: Mutation, wordNames: readonly string[], actors: number, ghosts: number) {
    super({ memory: new Buffered(wordNames.length, actors), mutation, wordNames, actors, locals: LOCALS, ghosts });
    this.numbers = new Map(wordNames.map((name, i) => [name, i]));
  }
  word(name: string): number {
    const number = this.numbers.get(name);
    if (number === undefined) throw new Error(`No word is called ${name}.`);
    return number;
  }
  read(name: string): number {
    return this.load(this.word(name));
  }
  put(name: string, value: number): void {
    this.store(this.word(name), value);
  }
  now(name: string): number {
    return this.own(this.word(name));
  }
}
