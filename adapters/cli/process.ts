/**
 * The command line in a process: its words, streams and exit code.
 *
 * (M1) the exit code is set, not forced: what was written to a pipe is flushed first.
 * (M2) a reader that goes away (EPIPE) ends the writing, not the command; its exit code is what it would have been.
 */
import type { Context } from './context.js';
import { EXIT_FAILED } from './failure.js';
import { runCommandLine } from './program.js';

function endOnWriteFailure(stream: NodeJS.WriteStream): void {
  stream.on('error', (failure: NodeJS.ErrnoException) => {
    if (failure.code === 'EPIPE') return;
    if (stream === process.stdout) process.stderr.write(`sealpool: cannot write the output: ${failure.message}\n`);
    process.exit(EXIT_FAILED);
  });
}

export async function runProcess(parts: Pick<Context, 'loadApi' | 'workloads'>): Promise<void> {
  const { stdin, stdout, stderr } = process;
  endOnWriteFailure(stdout);
  endOnWriteFailure(stderr);
  process.exitCode = await runCommandLine(process.argv.slice(2), { stdin, stdout, stderr, ...parts });
}
