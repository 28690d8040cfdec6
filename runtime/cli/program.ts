// The command line: `holdfast run`, `holdfast check` and `holdfast spool`.
import { Command } from 'commander';
import { checkConfig } from './check.ts';
import { type RunDependencies, runModule } from './run.ts';
import { spoolCommand } from './spool-command.ts';

export interface ProgramDependencies extends RunDependencies {
  readonly version: string;
}

export function createProgram(dependencies: ProgramDependencies): Command {
  const program = new Command('holdfast')
    .description(
      'Reads legacy equipment, keeps every reading through power and network loss, and proves what arrived.',
    )
    .version(dependencies.version)
    .showHelpAfterError();
  program
    .command('run')
    .description('run the module until SIGTERM')
    .requiredOption('-c, --config <file>', 'YAML configuration', process.env.HOLDFAST_CONFIG)
    .option('--ready-line', 'print one line of JSON on standard output once started')
    .action(async (options: { config: string; readyLine?: boolean }) => {
      process.exitCode = await runModule(options.config, options.readyLine ?? false, dependencies);
    });
  program
    .command('check')
    .description('validate a configuration')
    .argument('<file>', 'YAML configuration')
    .action(async (file: string) => {
      process.exitCode = await checkConfig(file);
    });
  program.addCommand(spoolCommand(dependencies));
  return program;
}
