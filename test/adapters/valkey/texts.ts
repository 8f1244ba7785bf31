/** Bytes and texts. */
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const bytesOf = (text: string) => encoder.encode(text);
export const textOf = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : decoder.decode(bytes));
