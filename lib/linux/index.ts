export { allowedProcessors, stayOnProcessor } from './affinity.js';
export { ALIGNMENT, alignedBuffer, isAligned } from './aligned.js';
export { MappedBoard, type ProgressBoard, yieldProcessor } from './board.js';
export { Deadline, wantsCopies } from './deadline.js';
export { errnoNameOf, type OpenFileOptions, PoolFile } from './file.js';
export { libc } from './libc.js';
export { MUTEX_BYTES, RobustLiveness } from './liveness.js';
export { LinuxMachine } from './machine.js';
export { canDetach, detach, Mapping, OS_PAGE_BYTES, WINDOW_BYTES_MAX } from './mapping.js';
