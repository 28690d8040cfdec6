// `holdfast run`: one process's life, from the configuration to the exit code.
import type { Clock } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import { type Identity, readIdentity } from '../config/identity.ts';
import { ConfigError, loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { exitCodes } from './exit-codes.ts';

export interface RunningModule {
  /** Where status is served; undefined where it is not. */
  readonly statusPort: number | undefined;
  stop(): Promise<void>;
}

export interface RunDependencies {
  readonly startModule: (config: Config, identity: Identity, log: Log) => Promise<RunningModule>;
  readonly createLog: (level: string) => Log & { flush(): void };
  readonly clock: Clock;
}

/** Resolves with the exit code after SIGTERM or SIGINT, or at once when the module cannot start. */
export async function runModule(file: string, readyLine: boolean, parts: RunDependencies): Promise<number> {
  let log = parts.createLog('info');
  let module: RunningModule;
  try {
    const config = await loadConfig(file);
    const identity = readIdentity(process.env);
    log = parts.createLog(process.env.HOLDFAST_LOG_LEVEL ?? config.logLevel);
    surviveStrayErrors(log);
    module = await parts.startModule(config, identity, log);
    log.info({ config: file, sources: config.sources.length, dataFolder: config.dataFolder }, 'started');
  } catch (error) {
    if (error instanceof ConfigError) console.error(error.message);
    else
      log.error({ reason: describeError(error), code: (error as { code?: unknown }).code }, 'cannot start');
    log.flush();
    return error instanceof ConfigError ? exitCodes.badInput : exitCodes.failed;
  }
  if (readyLine)
    console.log(JSON.stringify({ ready: true, pid: process.pid, statusPort: module.statusPort }));
  const signal = await nextSignal();
  log.info({ signal }, 'stopping');
  await module.stop();
  log.flush();
  // Not left to the event loop: a client library may hold a timer or a socket for another minute.
  process.exit(exitCodes.ok);
}

function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    // Listeners stay: a second SIGTERM while stopping must not cut the drain short.
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal));
  });
}

/**
 * A promise that a library forgot must not end the module: its state is its own, and the part that uses the
 * library has its own timeouts. An exception out of an event handler is another matter: what it left half done
 * is unknown, so the process ends, and starts again from the journal.
 */
function surviveStrayErrors(log: Log & { flush(): void }): void {
  process.on('unhandledRejection', (reason) => {
    log.error(
      { reason: describeError(reason), stack: (reason as Error)?.stack },
      'unhandled rejection; going on',
    );
  });
  process.on('uncaughtException', (error) => {
    log.error(
      { reason: describeError(error), stack: error.stack },
      'uncaught exception; ending for a restart',
    );
    log.flush();
    process.exit(exitCodes.crashed);
  });
}
