// A gateway without equipment, disk and stream: the module's real way of taking a configuration, with a twin at the real
// protocol. Its equipment is there at every host but one.

import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { createActiveConfig } from '../../runtime/config/active-config.ts';
import { type Config, streamIdOf } from '../../runtime/config/schema.ts';
import { composeReported } from '../../runtime/health/reported-state.ts';
import { applyPatch } from '../../runtime/uplink/merge-patch.ts';
import { version } from '../../runtime/version.ts';
import { connectTwin, type TwinClientOptions } from './twin-client.ts';

export interface LightGateway {
  readonly deviceId: string;
  /** Hosts of the sources that run. */
  hosts(): readonly string[];
  /** Configurations that it ran, in all: how often it was touched. */
  applied(): number;
  stop(): Promise<void>;
}

/** Nothing answers there. */
export const deadHost = 'nowhere.invalid';

export async function startLightGateway(
  options: Omit<TwinClientOptions, 'onDesired' | 'moduleId'>,
): Promise<LightGateway> {
  const kept = new Map<string, unknown>();
  const active = createActiveConfig({
    useTwin: true,
    dataFolder: '/data/holdfast',
    clock: systemClock,
    log: silentLog,
    keepForStart: async () => {},
    watch: () => ({ follow: async () => {}, stop() {} }),
  });
  let config = await active.boot(
    {
      putSetting: async (name, value) => void kept.set(name, structuredClone(value)),
      getSetting: async (name) => structuredClone(kept.get(name)),
    },
    true,
  );
  let applied = 0;
  let desired: Record<string, unknown> = {};
  const client = await connectTwin({
    ...options,
    moduleId: 'holdfast',
    onDesired: (properties, isPatch) => {
      desired = applyPatch(isPatch ? desired : {}, properties as never) as Record<string, unknown>;
      active.desired(structuredClone(desired));
    },
  });
  const tell = () => client.report(reportOf(config, active.report()));
  active.start({
    async apply(next) {
      config = next;
      applied++;
    },
    onReport: tell,
    working: () => ({ hub: true, sources: new Set(connectedIn(config).map(streamIdOf)) }),
  });
  tell();
  return {
    deviceId: options.deviceId,
    hosts: () => config.sources.map((source) => (source as { host?: string }).host ?? ''),
    applied: () => applied,
    async stop() {
      await active.stop();
      client.close();
    },
  };
}

function connectedIn({ sources }: Config): Config['sources'] {
  return sources.filter((source) => (source as { host?: string }).host !== deadHost);
}

function reportOf(config: Config, report: object): object {
  const connected = new Set(connectedIn(config));
  return composeReported({
    version,
    now: 0,
    config: report,
    sources: config.sources.map((source) => ({
      name: source.name,
      phase: connected.has(source) ? 'connected' : 'backoff',
      breaks: 0,
    })),
    failedSources: [],
    spool: { state: 'ok', lanes: {}, stored: { bytes: 0 }, evicted: 0, damaged: 0, backpressure: false },
    clock: { trusted: true },
    uplink: { unitsToday: 0, unitsCap: 0 },
    openJobs: 0,
    fullInSeconds: undefined,
    starts: { crashes: 0, waiting: false },
    strayErrors: 0,
  });
}
