/** Page contents that tell whose they are: key, version and a checksum, so that a foreign or torn page is noticed. */
const HEAD_BYTES = 16;
export const PAGE_BYTES_MIN = HEAD_BYTES;

function nameOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function sumOf(bytes: Uint8Array): number {
  let sum = bytes.length;
  for (let i = 4; i < bytes.length; i++) sum = (Math.imul(sum, 31) + (bytes[i] as number)) | 0;
  return sum >>> 0;
}

/** Fills at least PAGE_BYTES_MIN bytes. */
export function fillPage(bytes: Uint8Array, key: string, version: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(4, nameOf(key));
  view.setUint32(8, version);
  view.setUint32(12, bytes.length);
  for (let i = HEAD_BYTES; i < bytes.length; i++) bytes[i] = version * 7 + i;
  view.setUint32(0, sumOf(bytes));
  return bytes;
}

export function makePage(key: string, version: number, size: number): Uint8Array {
  return fillPage(new Uint8Array(size), key, version);
}

/** What is wrong with the bytes as a page of the key, if anything. */
export function pageFault(bytes: Uint8Array, key: string): string | undefined {
  if (bytes.length < HEAD_BYTES) return `${bytes.length} bytes are no page`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(12) !== bytes.length) return `a page of ${view.getUint32(12)} bytes shown as ${bytes.length}`;
  if (view.getUint32(0) !== sumOf(bytes)) return 'a torn page';
  return view.getUint32(4) === nameOf(key) ? undefined : 'a page of another key';
}
