// The command line: one command a block.
import { Command, type CommanderError, InvalidArgumentError } from 'commander';
import { exampleSources } from '../adapters.ts';
import { configJsonSchema } from '../config/json-schema.ts';
import { type BrowseOptions, browse } from './browse.ts';
import { type CheckOptions, checkConfig } from './check.ts';
import { discover } from './discover.ts';
import { exitCodes } from './exit-codes.ts';
import { explainSetting } from './explain.ts';
import { initSite } from './init.ts';
import { type PlanOptions, printPlan } from './plan/plan.ts';
import { type ProbeDependencies, type ProbeOptions, probe } from './probe.ts';
import { rulesCommand } from './rules-command.ts';
import { type RunDependencies, type RunOptions, runModule } from './run.ts';
import { spoolCommand } from './spool-command.ts';
import { type AskOptions, defaultStatusUrl, fetchBundle, type StatusOptions, showStatus } from './status.ts';

export interface ProgramDependencies extends RunDependencies, ProbeDependencies {
  readonly version: string;
}

export function createProgram(dependencies: ProgramDependencies): Command {
  const program = new Command('holdfast')
    .description(
      'Reads legacy equipment, keeps every reading through power and network loss, and proves what arrived.',
    )
    .version(dependencies.version)
    .showHelpAfterError()
    // Inherited by every command below: bad arguments end as bad configuration does.
    .exitOverride(endsWith);
  program
    .command('run')
    .description('run the module until SIGTERM; SIGHUP reads the configuration again')
    .option(
      '-c, --config <file>',
      "YAML configuration; without it, the module twin's alone",
      process.env.HOLDFAST_CONFIG,
    )
    .option('--stdout', 'without a hub: windows as lines of JSON on standard output')
    .option('--to <file>', 'without a hub: windows as lines of JSON, added to this file')
    .option('--ready-line', 'print one line of JSON on standard output once started')
    .action(async (options: RunOptions) => {
      process.exitCode = await runModule(options, dependencies);
    });
  program
    .command('check')
    .description('validate a configuration, and show what it asks of each bus and of the hub')
    .argument('<file>', 'YAML configuration; with --twin a deployment manifest, too')
    .option('--json', 'print the plan as JSON')
    .option('--twin', "as the module's twin would hold it: what fits, and how much of it is used")
    .option('--module <name>', "the module's name in a deployment manifest", 'holdfast')
    .option('--over <file>', "with --twin: the gateway's own file, for a twin of settings alone")
    .action(async (file: string, options: CheckOptions) => {
      process.exitCode = await checkConfig(file, options, dependencies.clock);
    });
  addPlan(program, dependencies);
  addProbe(program, dependencies);
  program
    .command('browse')
    .description("walk an OPC UA server's address space, and print its variables as tags")
    .argument('<file>', 'YAML configuration')
    .argument('<source>', 'a source of type opcua, by its name')
    .argument('[node]', 'a node id or browse path to begin at; the Objects folder if none is given')
    .option('--json', 'one line of JSON for each variable')
    .option('--depth <n>', 'levels of folders to go down', upTo(32), 8)
    .option('--max <n>', 'variables to list', upTo(20_000), 1000)
    .option('--timeout <seconds>', 'for the whole of it', seconds, 60)
    .action(async (file: string, source: string, node: string | undefined, options: BrowseOptions) => {
      // A client that does not let go must not keep the process.
      process.exit(await browse(file, source, node, options, dependencies.clock));
    });
  program
    .command('schema')
    .description("print the configuration's JSON Schema, for editors")
    .action(() => {
      console.log(JSON.stringify(configJsonSchema(), null, 2));
      process.exitCode = exitCodes.ok;
    });
  addAsking(program, dependencies);
  addWriting(program);
  program.addCommand(spoolCommand(dependencies));
  program.addCommand(rulesCommand());
  return program;
}

function addPlan(program: Command, { clock }: ProgramDependencies): void {
  program
    .command('plan')
    .description(
      'say what a site needs: time of its buses, disk for an outage, memory, and what the hub costs',
    )
    .argument('<file>', 'YAML configuration')
    .option('--gateways <n>', 'gateways like this one', upTo(1_000_000), 1)
    .option('--disk-gb <n>', "free on the data folder's disk", gigabytes)
    .option('--prices <file>', 'JSON with prices in place of the list prices')
    .option('--azure <file>', 'parameters of deploy/azure: what the whole cloud side costs')
    .option('--json', 'for programs')
    .action(async (file: string, options: PlanOptions) => {
      process.exitCode = await printPlan(file, options, clock);
    });
}

function addProbe(program: Command, dependencies: ProgramDependencies): void {
  program
    .command('probe')
    .description('read each tag once: value, quality, time taken, and what came over the wire')
    .argument('<file>', 'YAML configuration; with --discover the address of a device')
    .argument('[source]', 'by its name; all sources if none is named')
    .option('--discover', 'find out what a device is and needs, and print a source ready to paste')
    .option('--json', 'one line of JSON for each source')
    .option('--timeout <seconds>', 'for each source', seconds, 60)
    .action(
      async (file: string, source: string | undefined, options: ProbeOptions & { discover?: boolean }) => {
        // Not left to the event loop: a driver may hold a timer for a while.
        const dataFolder = process.env.HOLDFAST_DATA_FOLDER ?? '/data/holdfast';
        const { clock } = dependencies;
        const code = options.discover
          ? await discover(file, { ...options, dataFolder }, clock)
          : await probe(file, source, options, dependencies);
        process.exit(code);
      },
    );
}

/** For those who write a configuration. */
function addWriting(program: Command): void {
  program
    .command('explain')
    .description(
      'say what a setting is: unit, default, what is possible, an example; all of them without one',
    )
    .argument('[setting]', 'as windows.ageMs')
    .action((setting: string | undefined) => {
      process.exitCode = explainSetting(setting);
    });
  program
    .command('init')
    .description('write a commented configuration to begin with')
    .argument('<kind>', `kind of site: ${Object.keys(exampleSources).join(', ')}`)
    .argument('[file]', 'a new file; standard output if none is named')
    .action(async (kind: string, file: string | undefined) => {
      process.exitCode = await initSite(kind, file);
    });
}

/** Commander's exit code: 0 after help that was requested and after the version, else for a wrong argument. */
function endsWith({ exitCode }: CommanderError): never {
  return process.exit(exitCode === 0 ? exitCodes.ok : exitCodes.badInput);
}

/** Adds the commands that query a running module. */
function addAsking(program: Command, { clock }: ProgramDependencies): void {
  program
    .command('status')
    .description(
      'show how the module that runs here is: what is wrong, sources, what waits, the last lines of its log',
    )
    .option('--watch', 'again every two seconds')
    .option('--json', 'for programs')
    .option('--url <url>', 'where its status port is', defaultStatusUrl)
    .action(async (options: StatusOptions) => {
      process.exitCode = await showStatus(options, clock);
    });
  program
    .command('bundle')
    .description('write one archive for whoever is asked for help to standard output; no secret is in it')
    .option('--url <url>', 'where its status port is', defaultStatusUrl)
    .action(async (options: AskOptions) => {
      process.exitCode = await fetchBundle(options, clock);
    });
}

function upTo(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!(Number.isInteger(value) && value >= 1 && value <= most))
      throw new InvalidArgumentError(`must be 1 to ${most}`);
    return value;
  };
}

function gigabytes(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1_000_000)) throw new InvalidArgumentError('must be above 0, in GB');
  return value;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 1 && value <= 3600)) throw new InvalidArgumentError('must be 1 to 3600 seconds');
  return value;
}
