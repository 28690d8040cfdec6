// What a new configuration changes in a module that runs. Pure. A source goes on untouched unless its own
// settings differ: a reload for one machine is no reason to miss a reading of another.

import { isDeepStrictEqual } from 'node:util';
import { commitLimitsOf } from './commit-limits.ts';
import type { Problem } from './problem-text.ts';
import { type Config, type SourceConfig, streamIdOf } from './schema.ts';

export interface ReloadPlan {
  /** Why it cannot be taken at all. */
  readonly refused: readonly Problem[];
  readonly sources: {
    /** Stream ids of sources that end for good. */
    readonly removed: readonly string[];
    /** Sources that are new or whose settings differ: what runs under their ids ends first. */
    readonly started: readonly SourceConfig[];
    readonly kept: number;
  };
  /** How windows close, and how often what is read becomes durable. */
  readonly windows: boolean;
  /** How the hub is reached: the connection is made again. */
  readonly uplink: boolean;
  /** How much is sent. */
  readonly forwarder: boolean;
  readonly status: boolean;
  /** Top-level settings that only a start reads. */
  readonly atNextStart: readonly string[];
}

/** Top-level settings of which a change counts, or is refused, while the module runs. */
export const live: ReadonlySet<string> = new Set([
  'dataFolder',
  'sources',
  'windows',
  'uplink',
  'statusPort',
  'statusHost',
  'faultInjection',
  'logLevel',
  'revertAfterMs',
  'rules',
  'remoteWrites',
]);

/** `dataFolder`: the one in use. */
export function planReload(old: Config, next: Config, dataFolder: string): ReloadPlan {
  const differs = <T>(pick: (config: Config) => T) => !isDeepStrictEqual(pick(old), pick(next));
  return {
    refused: folderProblems(next, dataFolder),
    sources: planSources(old.sources, next.sources),
    windows: differs(({ windows, spool }) => [windows, commitLimitsOf(spool)]),
    uplink: differs(({ uplink: { transport, caFile, output, sendTimeoutMs } }) => ({
      ...{ transport, caFile, output, sendTimeoutMs },
    })),
    forwarder: differs(({ uplink: { caps, inFlight } }) => [caps, inFlight]),
    status: differs(({ statusPort, statusHost }) => [statusPort, statusHost]),
    atNextStart: changedAtStart(old, next),
  };
}

function folderProblems({ dataFolder: wanted }: Config, dataFolder: string): Problem[] {
  if (wanted === undefined || wanted === dataFolder) return [];
  const message = `cannot change while the module runs: it is ${dataFolder}. Stop the module, move the folder, name the new one in the gateway's own file or HOLDFAST_DATA_FOLDER, and start it again; or remove this setting`;
  return [{ path: 'dataFolder', message }];
}

function planSources(old: readonly SourceConfig[], next: readonly SourceConfig[]): ReloadPlan['sources'] {
  const before = new Map(old.map((source) => [streamIdOf(source), source]));
  const after = new Set(next.map(streamIdOf));
  const started = next.filter((source) => !isDeepStrictEqual(source, before.get(streamIdOf(source))));
  return {
    removed: [...before.keys()].filter((id) => !after.has(id)),
    started,
    kept: next.length - started.length,
  };
}

function changedAtStart(old: Config, next: Config): string[] {
  const rest = (config: Config): Record<string, unknown> => {
    const { commitIntervalMs: _, commitBytes: __, flashSaver: ___, ...spool } = config.spool;
    return { ...config, spool };
  };
  const [a, b] = [rest(old), rest(next)];
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].filter((name) => !live.has(name) && !isDeepStrictEqual(a[name], b[name])).sort();
}
