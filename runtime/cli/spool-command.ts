// `holdfast spool ...`: inspects the data folder of a module that is not running. All subcommands but `salvage` change
// nothing in the folder, not even a time stamp.
import { Command, InvalidArgumentError } from 'commander';
import type { Clock } from '../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import { collect } from './collect.ts';
import { exitCodes } from './exit-codes.ts';
import { type FilterOptions, parseFilter } from './spool/filter.ts';
import { type OpenedSpool, openStoppedSpool } from './spool/open.ts';
import type { Rehearse } from './spool/read-spool.ts';
import { printReadings } from './spool-export.ts';
import { missingKeyLines, openKeys } from './spool-keys.ts';
import { printList, printMessage } from './spool-list.ts';
import { type Output, writeTo, writeToFile } from './spool-output.ts';
import { repairText } from './spool-repair-text.ts';
import { printSalvage } from './spool-salvage.ts';
import { printStats } from './spool-stats.ts';
import { printFindings } from './spool-verify.ts';
import { processTerminal, type Terminal } from './terminal.ts';

const folderArgument = ['<dir>', "the module's data folder, or the spool folder in it"] as const;
const jsonOption = ['--json', 'for programs'] as const;

interface Json {
  readonly json?: boolean;
}
interface Filters extends FilterOptions {
  readonly limit?: number;
}

export interface SpoolCommandDependencies {
  readonly clock: Clock;
  readonly terminal?: Terminal;
}

export function spoolCommand({ clock, terminal = processTerminal }: SpoolCommandDependencies): Command {
  const spool = new Command('spool')
    .description("look into a stopped module's spool; changes nothing")
    .showHelpAfterError()
    // Taken after the commands below, too.
    .option('-c, --config <file>', "the module's configuration: where the keys of an encrypted spool are")
    .option('--key-file <file>', 'a key of an encrypted spool; can be given several times', collect, [])
    // Inherited by the commands below. Bad arguments end like bad configuration.
    .exitOverride(({ exitCode }) => terminal.exit(exitCode === 0 ? exitCodes.ok : exitCodes.badInput))
    .configureOutput({
      writeOut: (text) => void terminal.out.write(text),
      writeErr: (text) => terminal.error(text.trimEnd()),
    });
  addReports(spool, clock, terminal);
  addMessages(spool, terminal);
  spool
    .command('salvage')
    .description('write what can be read of a damaged spool into a new data folder')
    .argument(...folderArgument)
    .argument('<new dir>', 'must be empty or not exist yet')
    .option(...jsonOption)
    .action((source: string, target: string, { json = false }: Json) =>
      onSpool(
        spool,
        terminal,
        source,
        (opened, out) => printSalvage(opened, { source, target, json }, out),
        'no',
      ),
    );
  return spool;
}

function addReports(spool: Command, clock: Clock, terminal: Terminal): void {
  spool
    .command('stats')
    .description('counts, bytes, ages, lanes, streams and their holes, jobs')
    .argument(...folderArgument)
    .option(...jsonOption)
    .action((folder: string, { json = false }: Json) =>
      onSpool(spool, terminal, folder, (opened, out) => printStats(opened, { json, now: clock.now() }, out)),
    );
  spool
    .command('verify')
    .description('check every sum and every reference; exit code 1 when something is damaged')
    .argument(...folderArgument)
    .option(...jsonOption)
    .action((folder: string, { json = false }: Json) =>
      onSpool(spool, terminal, folder, (opened, out) => printFindings(opened, json, out), 'if-there-is-room'),
    );
}

function addMessages(spool: Command, terminal: Terminal): void {
  withFilters(spool.command('list').description('one line a message'))
    .option('--limit <n>', 'so many at most', wholeNumber)
    .option(...jsonOption)
    .action((folder: string, { json = false, limit, ...filters }: Json & Filters) =>
      onSpool(spool, terminal, folder, (opened, out) => {
        const filter = parseFilter(filters, opened.reader.kinds());
        return printList(opened, { filter, limit: limit ?? Number.POSITIVE_INFINITY, json }, out);
      }),
    );
  spool
    .command('show')
    .description('one message: properties and readings')
    .argument(...folderArgument)
    .argument('<id>', 'as list shows it', wholeNumber)
    .option('--limit <n>', 'so many readings at most (default 20, all with --json)', wholeNumber)
    .option(...jsonOption)
    .action((folder: string, id: number, { json = false, limit }: Json & Filters) => {
      const readings = limit ?? (json ? Number.POSITIVE_INFINITY : 20);
      return onSpool(spool, terminal, folder, (opened, out) =>
        printMessage(opened, { id, limit: readings, json }, out),
      );
    });
  withFilters(spool.command('export').description('readings as JSON lines'))
    .option('--output <file>', 'a new file instead of standard output')
    .action((folder: string, { output, ...filters }: Filters & { output?: string }) =>
      onSpool(spool, terminal, folder, (opened, out) => exportTo(opened, filters, output, out, terminal)),
    );
}

function withFilters(command: Command): Command {
  return command
    .argument(...folderArgument)
    .option('--stream <id>', 'of this stream only')
    .option('--from <place>', 'not before: ISO time (UTC), epoch milliseconds, or record number')
    .option('--to <place>', 'before this')
    .option('--lane <name>', 'unsent, backfill, archive or refused');
}

async function exportTo(
  opened: OpenedSpool,
  filters: FilterOptions,
  file: string | undefined,
  out: Output,
  { error }: Terminal,
): Promise<number> {
  const filter = parseFilter(filters, opened.reader.kinds());
  if (file === undefined) return printReadings(opened, filter, out, error);
  const output = await writeToFile(file);
  const code = await printReadings(opened, filter, output, error);
  await output.finish();
  await output.close();
  return code;
}

/** Runs `work` on the spool and sets the exit code by what came out. */
async function onSpool(
  command: Command,
  terminal: Terminal,
  folder: string,
  work: (spool: OpenedSpool, out: Output) => Promise<number>,
  rehearse?: Rehearse,
): Promise<void> {
  const out = writeTo(terminal.out);
  try {
    const opened = await openStoppedSpool(folder, {
      codecFor: (layout) => openKeys(layout, command.opts(), terminal.error),
      ...(rehearse === undefined ? {} : { rehearse }),
    });
    try {
      if (opened.warning !== undefined) terminal.error(`holdfast: ${opened.warning}`);
      if (opened.repair?.salvaged !== undefined) terminal.error(`holdfast: ${repairText(opened.repair)}`);
      terminal.endWith(await work(opened, out));
      await out.finish();
      for (const line of missingKeyLines(opened)) terminal.error(`holdfast: ${line}`);
    } finally {
      await opened.close();
    }
  } catch (error) {
    terminal.endWith(exitCodeOf(error));
    terminal.error(`holdfast: ${error instanceof HoldfastError ? error.message : describeError(error)}`);
  }
}

const badInput = new Set([
  'spool-bad-arguments',
  'spool-not-found',
  'spool-unreadable',
  'spool-newer-format',
  'config-invalid',
  'store-locked',
]);

/** A bug is thrown on: its stack is what a report needs. */
function exitCodeOf(error: unknown): number {
  if (error instanceof HoldfastError) return badInput.has(error.code) ? exitCodes.badInput : exitCodes.failed;
  if (typeof (error as NodeJS.ErrnoException)?.code === 'string') return exitCodes.failed;
  throw error;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('write a whole number');
  return value;
}
