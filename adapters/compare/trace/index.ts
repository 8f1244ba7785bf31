export { type CompareTraceOptions, compareTrace, objectsOf } from './compare-trace.js';
export { ReplayError } from './replay-driver.js';
export { readTrace, type Trace } from './trace-file.js';
