/**
 * DenseIds: renumbers arbitrary page ids to 0, 1, 2, … in order of first appearance.
 *
 * Numbers and strings are told apart by kind, so the text 7 and the text 007 are the same page, 7 and seven are not.
 */
const INITIAL_CAPACITY = 1024;
const DIGITS = /^\d{1,16}$/;

export class DenseIds {
  private ids = new Uint32Array(INITIAL_CAPACITY);
  private count = 0;
  private readonly numbers = new Map<number | string, number>();

  /** Text of decimal digits up to 2^53 - 1 is a number; any other text is an id of its own. */
  addText(text: string): void {
    const number = DIGITS.test(text) ? Number(text) : Number.NaN;
    this.add(Number.isSafeInteger(number) ? number : text);
  }

  add(id: number | string): void {
    let number = this.numbers.get(id);
    if (number === undefined) {
      number = this.numbers.size;
      this.numbers.set(id, number);
    }
    if (this.count === this.ids.length) {
      const larger = new Uint32Array(this.ids.length * 2);
      larger.set(this.ids);
      this.ids = larger;
    }
    this.ids[this.count] = number;
    this.count += 1;
  }

  finish(): { ids: Uint32Array; unique: number } {
    return { ids: this.ids.slice(0, this.count), unique: this.numbers.size };
  }
}
