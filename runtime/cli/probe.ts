// `holdfast probe`: reads each tag of a site's sources once and shows what came, and what it came as. It connects by
// itself: where a device or a serial port serves only one, the module must not run meanwhile.
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import { silentLog } from '../../kernel/log.ts';
import { ConfigError } from '../config/config-error.ts';
import { loadConfig } from '../config/load.ts';
import { type Config, type SourceConfig, streamIdOf } from '../config/schema.ts';
import type { Source } from '../sources/source.ts';
import { exitCodes } from './exit-codes.ts';
import { type ProbeTarget, probeSources } from './probe-source.ts';
import { describeProbed, probedJson } from './probe-text.ts';
import { writeTo } from './spool-output.ts';

export interface ProbeDependencies {
  readonly clock: Clock;
  /** One for all sources of a probe. */
  readonly makeSources: (dataFolder: string) => (settings: SourceConfig, log: Log) => Source;
}

export interface ProbeOptions {
  readonly json?: boolean;
  /** For each source, in seconds. */
  readonly timeout: number;
}

const defaultDataFolder = '/data/holdfast';

/** Prints each source when it is done. Returns the exit code. */
export async function probe(
  file: string,
  name: string | undefined,
  { json = false, timeout }: ProbeOptions,
  { clock, makeSources }: ProbeDependencies,
): Promise<number> {
  const targets = await chooseTargets(file, name, makeSources);
  if (targets === undefined) return exitCodes.badInput;
  const stop = stopOnSignal();
  const out = writeTo(process.stdout);
  let code: number = exitCodes.ok;
  let isFirst = true;
  for await (const probed of probeSources(targets, {
    timeoutMs: timeout * 1000,
    signal: stop.signal,
    clock,
  })) {
    const hasProblem = probed.tags.some(({ problem }) => problem !== undefined);
    if (hasProblem || (probed.failure && probed.failure.code !== 'probe-not-possible'))
      code = exitCodes.failed;
    if (!isFirst && !json) await out.line('');
    isFirst = false;
    await out.line(json ? JSON.stringify(probedJson(probed)) : describeProbed(probed));
    // Each as it comes: who wires up equipment waits for it.
    await out.finish();
  }
  stop.release();
  return stop.signal.aborted ? exitCodes.interrupted : code;
}

/** Undefined where there is nothing to probe, once it was said why. */
async function chooseTargets(
  file: string,
  name: string | undefined,
  makeSources: ProbeDependencies['makeSources'],
): Promise<readonly ProbeTarget[] | undefined> {
  let config: Config;
  try {
    ({ config } = await loadConfig(file));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return undefined;
  }
  const { sources } = config;
  const chosen = sources.filter((source) => name === undefined || isNamed(source, name));
  if (chosen.length === 0) {
    const known = sources.map((source) => source.name).join(', ');
    const message =
      sources.length === 0
        ? `${file} names no sources: list the equipment to probe under sources`
        : `${file} has no source '${name}'; it has: ${known}`;
    console.error(`holdfast: ${message}`);
    return undefined;
  }
  const make = makeSources(config.dataFolder ?? process.env.HOLDFAST_DATA_FOLDER ?? defaultDataFolder);
  return chosen.map((source) => ({
    name: source.name,
    type: source.type,
    ...(source.tags && { wanted: source.tags.length }),
    make: () => make(source, silentLog),
  }));
}

function isNamed(source: SourceConfig, name: string): boolean {
  return source.name === name || streamIdOf(source) === name;
}

function stopOnSignal() {
  const stop = new AbortController();
  const onSignal = () => stop.abort(new Error('interrupted'));
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    signal: stop.signal,
    release() {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
