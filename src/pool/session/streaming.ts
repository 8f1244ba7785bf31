/**
 * A page as a stream. Whoever takes its chunks may keep them for as long as it likes, a socket for instance whose client is slow:
 * so chunks are copies, made when they are asked for, and the page is let go with the last of them.
 */
import type { Page } from '../layout/index.js';

const CHUNK_BYTES = 65_536;

/** Throws RELEASED. A page that is released meanwhile ends the stream with that error. */
export function streamOf(page: Page): ReadableStream<Uint8Array> {
  const { size } = page;
  let taken = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const chunk = page.bytes.slice(taken, taken + CHUNK_BYTES);
        taken += chunk.length;
        if (chunk.length > 0) controller.enqueue(chunk);
        if (taken < size) return;
        controller.close();
        page.release();
      },
      cancel: () => page.release(),
    },
    // Nothing is copied before somebody asks for it.
    { highWaterMark: 0 },
  );
}
