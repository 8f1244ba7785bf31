/** The command line as a function of its words and its context, so that tests run it with a context of their own. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addCompare } from './compare-command.js';
import type { Context } from './context.js';
import { EXIT_FINE, explain, UsageError } from './failure.js';
import { addObjectCommands } from './object-commands.js';
import { addPoolCommands } from './pool-commands.js';

function packageVersion(): string {
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

const notYet: Readonly<Record<string, string>> = {
  top: 'live figures of a pool (not in this version)',
  serve: 'metrics and web console (not in this version)',
};

function addNotYet(program: Command): void {
  for (const [name, description] of Object.entries(notYet)) {
    program
      .command(name)
      .description(description)
      .argument('[words...]')
      .allowUnknownOption()
      .action(() => {
        throw new UsageError(`${name} is not in this version`);
      });
  }
}

function buildProgram(words: readonly string[], context: Context): Command {
  const program = new Command('sealpool')
    .description('A shared-memory cache for databases that scale out over several nodes.')
    .version(packageVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
    })
    .showHelpAfterError("(sealpool --help lists the commands, sealpool COMMAND --help a command's options)")
    .addHelpText('after', '\nExit codes: 0 fine, 1 failed, 2 wrong usage.');
  addCompare(program, context, words);
  addPoolCommands(program, context);
  addObjectCommands(program, context);
  addNotYet(program);
  return program;
}

/** The exit code. `words` are those after the program's name. Never throws. */
export async function runCommandLine(words: readonly string[], context: Context): Promise<number> {
  try {
    await buildProgram(words, context).parseAsync([...words], { from: 'user' });
    return EXIT_FINE;
  } catch (failure) {
    const { exitCode, text } = explain(failure);
    if (text !== undefined) context.stderr.write(`sealpool: ${text}\n`);
    return exitCode;
  }
}
