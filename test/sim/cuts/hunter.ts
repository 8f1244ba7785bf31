/** Sweeps in a process of its own, inside a copy that can be cut: `node hunter.js STRIDE [NAME]`, a line of JSON at the end. */
import { sweepAll } from './sweep.js';

const [stride = '31', only = ''] = process.argv.slice(2);
console.log(JSON.stringify(await sweepAll(Number(stride), only)));
