// The module as runtime/main.ts composes it, with a source of our own in the place of equipment, and ears where
// messages leave: a supervisor, the site's clock, windows, the spool, the forwarder, the uplink.
import { join } from 'node:path';
import { readBoot } from '../../../kernel/boot.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { type Log, silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { systemRandom } from '../../../kernel/random.ts';
import type { Source } from '../../../runtime/sources/source.ts';
import { superviseSource } from '../../../runtime/sources/supervisor.ts';
import { openSpool, type Spool } from '../../../runtime/spool/spool.ts';
import { clockSchema } from '../../../runtime/time/config.ts';
import { createSiteClock } from '../../../runtime/time/site-clock.ts';
import { createIotEdgeUplink } from '../../../runtime/uplink/edge-uplink.ts';
import { createForwarder } from '../../../runtime/uplink/forwarder/forwarder.ts';
import type { Forwarder } from '../../../runtime/uplink/forwarder/forwarder-api.ts';
import type { Uplink } from '../../../runtime/uplink/uplink.ts';
import { createWindows } from '../../../runtime/windows/windows.ts';
import type { WindowLimits, Windows } from '../../../runtime/windows/windows-api.ts';
import type { WireMessage } from '../../../wire/mini-batch.ts';

export interface EdgeModuleOptions {
  readonly folder: string;
  readonly connectionString: string;
  readonly caFile: string;
  readonly streams: number;
  /** Of the streams' ids. Default `line`. */
  readonly prefix?: string;
  readonly limits?: WindowLimits;
  readonly source: (stream: number, module: EdgeModule) => Source;
  /** The hub has acknowledged it. */
  readonly onAcknowledged: (message: WireMessage) => void;
}

export interface EdgeModule {
  readonly spool: Spool;
  readonly windows: Windows;
  readonly uplink: Uplink;
  readonly forwarder: Forwarder;
  /** Starts the uplink; the forwarder and the sources where asked. */
  start(what: { readonly forwarder: boolean; readonly sources: boolean }): void;
  stop(): Promise<void>;
}

// Nothing in these benches gives reason to complain: whatever does makes the figures worthless.
const complaining: Log = { ...silentLog, warn: complain, error: complain, child: () => complaining };

function complain(fields: object, message: string): void {
  console.error(message, fields);
  process.exit(1);
}

export async function openEdgeModule(options: EdgeModuleOptions): Promise<EdgeModule> {
  const [clock, random, log, metrics] = [systemClock, systemRandom, complaining, noMetrics];
  const siteClock = createSiteClock({
    clock,
    boot: readBoot(random.uuid()),
    settings: clockSchema.parse({ trust: 'always' }),
    store: () => spool.time,
    releasedAt: 0,
    log,
    metrics,
  });
  const spool = await openSpool({
    folder: join(options.folder, 'spool'),
    clock: siteClock.storing,
    clockTrusted: () => siteClock.trusted(),
    storedSince: (storedAt) => siteClock.storedSince(storedAt),
    log,
    metrics,
  });
  const windows = createWindows({
    store: spool,
    clock,
    log,
    metrics,
    ...(options.limits && { limits: options.limits }),
  });
  const uplink = createIotEdgeUplink({
    identity: { kind: 'connection-string', connectionString: options.connectionString },
    caFile: options.caFile,
    clock,
    random,
    log,
    metrics,
  });
  const heard: Pick<Uplink, 'state' | 'onState' | 'send'> = {
    state: () => uplink.state(),
    onState: (listener) => uplink.onState(listener),
    async send(message) {
      await uplink.send(message);
      options.onAcknowledged(message);
    },
  };
  const forwarder = createForwarder({ uplink: heard, lanes: spool, clock, random, log, metrics });
  const module: EdgeModule = { spool, windows, uplink, forwarder, start, stop };
  const sources = Array.from({ length: options.streams }, (_, n) => {
    const batchId = `${options.prefix ?? 'line'}${n}`;
    const inner = windows.openStream({ batchId, index: 'time', pace: 'own' });
    const { floor } = spool.openStream(batchId, 'time');
    const sink = siteClock.open(inner, { batchId, ...(floor === undefined ? {} : { floor }) });
    const source = options.source(n, module);
    return superviseSource({ name: batchId, source, sink, clock, random, log, metrics });
  });
  await siteClock.start();

  function start(what: { readonly forwarder: boolean; readonly sources: boolean }): void {
    uplink.start();
    if (what.forwarder) forwarder.start();
    if (what.sources) for (const source of sources) source.start();
  }

  async function stop(): Promise<void> {
    await Promise.all(sources.map((source) => source.stop()));
    await siteClock.stop();
    await windows.closeAll();
    await forwarder.stop();
    await uplink.stop();
    await spool.close();
  }

  return module;
}

export async function connected({ uplink }: EdgeModule): Promise<void> {
  if (uplink.state().connected) return;
  await new Promise<void>((resolve) => {
    const off = uplink.onState((state) => {
      if (!state.connected) return;
      off();
      resolve();
    });
  });
}
