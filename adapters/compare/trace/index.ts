export { type CompareTraceOptions, compareTrace } from './compare-trace.js';
export { ReplayError } from './replay-driver.js';
export { formatNames, readTrace, recognisedText, type Trace } from './trace-file.js';
