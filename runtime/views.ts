// What can be looked at besides status and reported state: series for a collector, the overview for page and terminal, the bundle
// for whoever is asked for help, and how an outage is told.
import type { Clock, Timer } from '../kernel/clock.ts';
import { type Moment, wallTimeOf } from '../kernel/moment.ts';
import type { Sample } from '../kernel/prometheus.ts';
import { type BundleParts, makeBundle, makeSmallBundle } from './health/bundle.ts';
import { type FillRate, watchFillRate } from './health/fill-rate.ts';
import { createOutageLog, type OutageLog, quotaWords, watchQuota } from './health/outage-log.ts';
import { maxShownEntries, maxShownLines, type Overview, shownSources } from './health/overview.ts';
import { stateSamples } from './health/state-metrics.ts';
import { troublesOf } from './health/troubles.ts';
import { labelValuesOf } from './label-values.ts';
import type { ReportParts } from './report-parts.ts';
import { version } from './version.ts';

const quotaLookMs = 2000;

/** What every report says of the module. */
export interface Said {
  readonly sources: Parameters<typeof stateSamples>[0]['sources'] &
    Parameters<typeof troublesOf>[0]['sources'];
  /** Lists so many of each kind at most. */
  readonly status: (most?: number) => Record<string, unknown>;
  readonly notReady: () => readonly string[];
}

export interface Views {
  readonly fillRate: FillRate;
  readonly outages: OutageLog;
  /** How long the room lasts without a network; undefined where that is not known. */
  fullInSeconds(): number | undefined;
  samples(): readonly Sample[];
  overview(): Overview;
  /** A gzipped tar; undefined where it does not fit into `maxBytes`. */
  bundle(maxBytes?: number): Promise<Uint8Array | undefined>;
}

export function makeViews(parts: ReportParts, said: () => Said, started: Moment): Views {
  const { clock, log, activeConfig, spool, uplink, forwarder } = parts;
  const unsent = () => {
    const [live, backlog] = [spool.depth('live'), spool.depth('backlog')];
    return { messages: live.messages + backlog.messages, bytes: live.bytes + backlog.bytes };
  };
  const fillRate = watchFillRate(clock, () => forwarder.state().sentBytes + unsent().bytes);
  const fullInSeconds = () => {
    const { roomBytes, unsentMs, lanes } = spool.stats();
    const now = clock.now();
    const oldestAt = Math.min(lanes.live.oldestAt ?? now, lanes.backlog.oldestAt ?? now);
    return fillRate.fullInSeconds({ bytes: roomBytes, unsentMs, oldestUnsentAgeMs: now - oldestAt });
  };
  const outage = {
    clock,
    log: log.child({ part: 'uplink' }),
    waiting: () => ({ ...unsent(), fullInSeconds: fullInSeconds() }),
  };
  const isUsedUp = watchQuota(() => forwarder.state());
  const told = [
    createOutageLog({
      ...outage,
      state: () => uplink.state(),
      onState: (listener) => uplink.onState(listener),
    }),
    createOutageLog({
      ...outage,
      words: quotaWords,
      state: () => ({ connected: !isUsedUp() }),
      onState: (listener) => every(clock, quotaLookMs, listener),
    }),
  ];
  const outages: OutageLog = {
    start: () => {
      for (const each of told) each.start();
    },
    stop: () => {
      for (const each of told) each.stop();
    },
  };
  const bundleParts = async (most?: number): Promise<BundleParts> => ({
    now: clock.now(),
    status: said().status(most),
    config: activeConfig.config(),
    metrics: await parts.metricsText?.(samplesOf(parts, said(), started, fullInSeconds())),
    log: parts.recentLog?.() ?? [],
    spool: spool.stats(),
    uplink: uplink.state(),
    version,
    environment: parts.environment ?? {},
  });
  return {
    fillRate,
    outages,
    fullInSeconds,
    samples: () => samplesOf(parts, said(), started, fullInSeconds()),
    overview: () => overviewOf(parts, said(), fullInSeconds()),
    bundle: async (maxBytes) =>
      maxBytes === undefined
        ? makeBundle(await bundleParts(maxShownEntries))
        : makeSmallBundle(await bundleParts(), maxBytes),
  };
}

/** Returns what ends it. */
function every(clock: Clock, ms: number, work: () => void): () => void {
  let timer: Timer;
  const again = () => {
    timer = clock.setTimer(ms, () => {
      work();
      again();
    });
  };
  again();
  return () => timer.cancel();
}

function samplesOf(
  {
    clock,
    activeConfig,
    sources: set,
    siteClock,
    spool,
    keys,
    delayed,
    starts,
    uplink,
    forwarder,
  }: ReportParts,
  { sources, notReady }: Said,
  started: Moment,
  fullInSeconds: number | undefined,
): readonly Sample[] {
  const { stream: named } = labelValuesOf(activeConfig.config());
  const stats = spool.stats();
  return stateSamples({
    version,
    now: clock.now(),
    startedAt: wallTimeOf(started, clock),
    isReady: notReady().length === 0,
    configState: activeConfig.report().state,
    sources,
    failedSources: set.failed,
    spool: { ...stats, streams: stats.streams.filter(({ batchId }) => named.has(batchId)) },
    fullInSeconds,
    hasKeyProblem: keys.problem !== undefined,
    uplink: uplink.state(),
    forwarder: forwarder.state(),
    dayCap: activeConfig.config().uplink.caps.messagesPerDay,
    clock: siteClock.state(),
    starts: { quickCrashes: starts.crashes, waiting: delayed.isWaiting },
  });
}

function overviewOf(
  {
    clock,
    activeConfig,
    sources: set,
    siteClock,
    spool,
    keys,
    delayed,
    uplink,
    forwarder,
    recentLog,
    rules,
  }: ReportParts,
  { sources, status, notReady }: Said,
  fullInSeconds: number | undefined,
): Overview {
  const troubles = troublesOf({
    now: clock.now(),
    sources,
    failedSources: set.failed,
    spool: spool.stats(),
    fullInSeconds,
    keyProblem: keys.problem,
    uplink: uplink.state(),
    waitingFor: forwarder.state().waitingFor,
    clock: siteClock.state(),
    config: activeConfig.report(),
    isWaitingAfterCrashes: delayed.isWaiting,
    rules: rules.status(),
  });
  const sinceMachineStart = clock.now() - siteClock.local.now();
  return {
    status: status(maxShownEntries),
    troubles,
    notReady: notReady(),
    fullInSeconds: fullInSeconds ?? null,
    sources: shownSources(
      [...set.running.values()].map((source) => ({
        name: source.name,
        index: source.source.index,
        values: source.lastValues(),
        offsetMs: source.source.stampedByGateway ? sinceMachineStart : 0,
      })),
    ),
    log: (recentLog?.() ?? []).slice(-maxShownLines),
  };
}
