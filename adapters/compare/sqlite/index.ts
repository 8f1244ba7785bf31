/** The sqlite workload of `sealpool compare`. */
export { bytesOf, type CompareSqliteOptions, compareSqlite, DEFAULT_MEMORY, DEFAULT_NODES } from './driver.js';
export { EngineMissingError, INSTALL_LINE } from './engine.js';
