export { sizeFor as poolSizeFor } from './geometry.js';
export { connect, destroy, format } from './open.js';
export { parseSize } from './options.js';
export { AttachedPool } from './pool.js';
export * from './types.js';
