/** Bytes of one to five lines that tell their key and a value in every word; the first word is the value. */
export function contentOf(key: string, value: number): Uint8Array {
  const words = new Int32Array(5 + (Math.abs(value) % 5) * 16);
  for (let i = 0; i < words.length; i++) words[i] = value ^ Math.imul(i, 0x9e3779b1 + key.length);
  words[1] = key.charCodeAt(key.length - 1);
  return new Uint8Array(words.buffer);
}
