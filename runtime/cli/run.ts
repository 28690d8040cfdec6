// `holdfast run`: runs the module in this process, from reading the environment to the exit code.
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { codeOf, describeError } from '../../kernel/errors.ts';
import type { ComposedModule } from '../compose.ts';
import { ConfigError } from '../config/config-error.ts';
import { type Identity, readIdentity } from '../config/identity.ts';
import { dataFolderIn } from '../config/load.ts';
import { type LogFormat, logFormats, logLevels, readLogFormat, readLogLevel } from '../health/log-format.ts';
import type { ProcessLog } from '../health/pino-log.ts';
import { isOfClient, isOfNobody } from '../health/stray-errors.ts';
import { fileExists } from '../time/synchronised-file.ts';
import type { LineSink } from '../uplink/line-uplink.ts';
import { exitCodes } from './exit-codes.ts';
import { lineFile, standardOutput } from './line-sinks.ts';

/** Where messages go. */
export type Destination =
  | { readonly kind: 'hub'; readonly identity: Identity }
  /** Lines of JSON instead of a hub. */
  | { readonly kind: 'lines'; readonly sink: LineSink };

export interface RunOptions {
  /** The gateway's own configuration file. */
  readonly config?: string;
  readonly readyLine?: boolean;
  /** Lines of JSON on standard output, without a hub. */
  readonly stdout?: boolean;
  /** The same, into this file. */
  readonly to?: string;
}

/** The options of a start, before any configuration is loaded. */
export interface StartOptions {
  /** The gateway's own configuration file; it may be missing. */
  readonly configFile: string | undefined;
  readonly dataFolder: string;
  /** False: the gateway's own file alone decides. */
  readonly useTwin: boolean;
  readonly destination: Destination;
  /** Whether the module may begin without a configuration, and wait for one. */
  readonly mayWait: boolean;
  /** Sets the log's level unless the environment does. */
  readonly onLogLevel: (level: string) => void;
  /** Aborts when the process is told to stop before it has started. */
  readonly signal: AbortSignal;
}

export interface RunDependencies {
  readonly startModule: (options: StartOptions, log: ProcessLog) => Promise<ComposedModule>;
  readonly createLog: (level: string, format: LogFormat) => ProcessLog;
  readonly clock: Clock;
}

const defaultDataFolder = '/data/holdfast';

/** Resolves with the exit code after SIGTERM or SIGINT, or at once when the module cannot start. */
export async function runModule(options: RunOptions, parts: RunDependencies): Promise<number> {
  const format = readLogFormat(process.env);
  if (format === undefined) {
    console.error(`HOLDFAST_LOG_FORMAT must be one of ${logFormats.join(', ')}`);
    return exitCodes.badInput;
  }
  const level = readLogLevel(process.env);
  if (level === undefined) {
    console.error(`HOLDFAST_LOG_LEVEL must be one of ${logLevels.join(', ')}`);
    return exitCodes.badInput;
  }
  const log = parts.createLog(level, format);
  // First of all: as a container's first process, one without listeners would not hear its signals at all.
  const signals = listenForSignals();
  let module: ComposedModule | undefined;
  surviveStrayErrors(log, () => module);
  try {
    module = await parts.startModule(await startOptions(options, log, signals), log);
  } catch (error) {
    return cannotStart(error, format, log, signals.stop);
  }
  signals.onHangUp(() => module?.reread());
  if (options.readyLine)
    console.log(JSON.stringify({ ready: true, pid: process.pid, statusPort: module.statusPort }));
  log.info({ signal: await signals.received }, 'stopping');
  await module.stop();
  log.flush();
  // Not left to the event loop: a client library may hold a timer or a socket for another minute.
  process.exit(exitCodes.ok);
}

async function startOptions(options: RunOptions, log: ProcessLog, signals: Signals): Promise<StartOptions> {
  const { HOLDFAST_DATA_FOLDER, HOLDFAST_CONFIG_FROM: from, HOLDFAST_LOG_LEVEL } = process.env;
  if (from !== undefined && from !== 'file' && from !== 'twin') {
    const message =
      "HOLDFAST_CONFIG_FROM must be twin (the default) or file, for the gateway's own file alone";
    throw badStart('environment', message);
  }
  const configFile = options.config;
  const isHubless = options.stdout === true || options.to !== undefined;
  if (isHubless && configFile === undefined)
    throw badStart('arguments', 'without a hub no twin configures the module: name a file with --config');
  const named = configFile === undefined ? undefined : await dataFolderIn(configFile);
  const dataFolder = named ?? HOLDFAST_DATA_FOLDER ?? defaultDataFolder;
  const identity = isHubless ? undefined : await readIdentity(process.env);
  // Under IoT Edge the twin may bring what the file does not.
  const mayWait = identity !== undefined && (identity.kind === 'iot-edge' || from === 'twin');
  if (configFile !== undefined && !mayWait) await beThere(configFile, dataFolder);
  return {
    configFile,
    dataFolder,
    useTwin: !isHubless && from !== 'file',
    destination:
      identity === undefined
        ? { kind: 'lines', sink: await lineSink(options, signals.end) }
        : { kind: 'hub', identity },
    mayWait,
    onLogLevel: (level) => {
      if (HOLDFAST_LOG_LEVEL === undefined) log.setLevel(level);
    },
    signal: signals.stop,
  };
}

function lineSink({ stdout, to }: RunOptions, onGone: () => void): LineSink | Promise<LineSink> {
  if (to === undefined) return standardOutput(onGone);
  if (stdout) throw badStart('arguments', 'give --stdout or --to, not both');
  return lineFile(to);
}

/** A file that is not there is a slip, unless an earlier run left what ran last. Looked at before anything is made. */
async function beThere(configFile: string, dataFolder: string): Promise<void> {
  if ((await fileExists(configFile)()) || (await fileExists(join(dataFolder, 'spool'))())) return;
  throw badStart(
    configFile,
    "there is no such file: correct the path; or, where the module's twin brings the configuration, set HOLDFAST_CONFIG_FROM=twin",
  );
}

function badStart(where: string, message: string): ConfigError {
  return new ConfigError(where, [{ path: '', message }]);
}

function cannotStart(error: unknown, format: LogFormat, log: ProcessLog, stop: AbortSignal): number {
  if (stop.aborted) {
    log.info({}, 'stopped before it had started');
    process.exit(exitCodes.ok);
  }
  const isConfig = error instanceof ConfigError;
  // Problems stand below each other for whoever has started it; edgeAgent takes nothing but lines of the log.
  if (isConfig && format !== 'iotedge') console.error(error.message);
  else log.error({ code: codeOf(error, 'unexpected-trouble'), reason: describeError(error) }, 'cannot start');
  // At once, for the same reason as above.
  process.exit(isConfig ? exitCodes.badInput : exitCodes.failed);
}

interface Signals {
  /** Aborts when the process is told to stop. */
  readonly stop: AbortSignal;
  readonly received: Promise<string>;
  /** Ends the process in good order, as a signal does. */
  end(): void;
  onHangUp(listener: () => void): void;
}

function listenForSignals(): Signals {
  const stop = new AbortController();
  let hangUp = () => {};
  let end = (_why: string) => {};
  const received = new Promise<string>((resolve) => {
    end = (why) => {
      stop.abort(new Error('told to stop'));
      resolve(why);
    };
  });
  // Listeners stay: a second SIGTERM while stopping must not cut the drain short.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end(signal));
  process.on('SIGHUP', () => hangUp());
  return {
    stop: stop.signal,
    received,
    end: () => end('nobody reads standard output any more'),
    onHangUp(listener: () => void) {
      hangUp = listener;
    },
  };
}

/**
 * - An unhandled rejection is logged: it comes from a library, and the part that uses the library has its own timeouts.
 * - An exception out of the Azure client's event handlers costs the connection.
 * - A reset of a connection that nobody listens to costs nothing.
 * - A warning of Node's is a line of the log: Node itself writes two, of no format.
 * - Any other exception is a defect that leaves unknown damage: the process ends, and starts again from the journal.
 */
function surviveStrayErrors(log: ProcessLog, module: () => ComposedModule | undefined): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => log.info({ reason: `${name}: ${message}` }, 'Node warns'));
  process.on('unhandledRejection', (reason) => {
    log.error(
      {
        code: codeOf(reason, 'unexpected-trouble'),
        reason: describeError(reason),
        stack: (reason as Error)?.stack,
      },
      'unhandled rejection; going on',
    );
  });
  process.on('uncaughtException', (error) => {
    const fields = { reason: describeError(error), stack: (error as Error)?.stack };
    const running = module();
    if (running && isOfClient(error)) {
      log.error(
        { code: 'stray-error', ...fields },
        'the client library threw an exception; connecting again',
      );
      running.onClientError(error);
      return;
    }
    if (running && isOfNobody(error)) {
      log.info(fields, 'a connection was reset while nobody listened to it; going on');
      running.onStrayReset();
      return;
    }
    log.error({ code: 'crash', ...fields }, 'uncaught exception; ending for a restart');
    process.exit(exitCodes.crashed);
  });
}
