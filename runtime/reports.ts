// What the module says about itself: the status that an operator asks for, the state in its twin, the status port.
import { type Moment, wallTimeOf } from '../kernel/moment.ts';
import { maxShownEntries } from './health/overview.ts';
import { composeReported } from './health/reported-state.ts';
import { createReporter, type Reporter } from './health/reporter.ts';
import { createStatusPort, type StatusPort } from './health/status-port.ts';
import { isOpen } from './methods/job-ranges.ts';
import { createMethodRouter, type MethodRouter } from './methods/router.ts';
import type { Skip } from './methods/skip.ts';
import { composeStatus } from './methods/status.ts';
import { notReady } from './readiness.ts';
import type { ReportParts } from './report-parts.ts';
import { withKeyProblem } from './spool/encryption/open-keys.ts';
import { version } from './version.ts';
import { makeViews, type Views } from './views.ts';
import type { Windows } from './windows/windows-api.ts';

export interface Reports {
  readonly methods: MethodRouter;
  readonly reporter: Reporter;
  readonly server: StatusPort;
  readonly views: Views;
  /** Errors out of libraries that nobody could catch. */
  readonly stray: { count: number };
}

/** `started`: this process. */
export function makeReports(parts: ReportParts, started: Moment): Reports {
  const { clock, log, metrics, keys, metricsText, statusToken } = parts;
  const {
    activeConfig,
    sources,
    siteClock,
    spool,
    windows,
    delayed,
    starts,
    uplink,
    forwarder,
    jobs,
    learned,
  } = parts;
  const stray = { count: 0 };
  // What both reports say.
  const common = () => ({
    version,
    now: clock.now(),
    sources: [...sources.running].map(([batchId, source]) => ({
      batchId,
      name: source.name,
      ...source.state(),
      ...(Object.keys(learned.get(batchId)).length > 0 && { learned: learned.get(batchId) }),
    })),
    failedSources: sources.failed,
    spool: withKeyProblem(spool.stats(), keys),
    clock: siteClock.state(),
    config: activeConfig.report(),
  });
  const status = (maxListed?: number) => ({
    ...composeStatus({
      ...{ ...common(), maxListed },
      startedAt: wallTimeOf(started, clock),
      streams: windows.streams(),
      uplink: uplink.state(),
      forwarder: forwarder.state(),
      jobs: jobs.jobs(),
      rules: parts.rules.status(),
    }),
    starts: { quickCrashes: starts.crashes, waiting: delayed.isWaiting },
    strayErrors: stray.count,
  });
  const reasons = () => notReady(sources.failed, spool.stats(), delayed.isWaiting, keys.problem);
  const views = makeViews(parts, () => ({ sources: common().sources, status, notReady: reasons }), started);
  const methods = createMethodRouter({
    host: uplink,
    jobs,
    status: () => status(),
    write: parts.write,
    bundle: (maxBytes) => views.bundle(maxBytes),
    forget: (batchId) => learned.forget(batchId),
    skip: skipIn(windows, sources.running, () => activeConfig.config().faultInjection),
    log: log.child({ part: 'methods' }),
    metrics,
  });
  const reporter = createReporter({
    compose: () =>
      composeReported({
        ...common(),
        ...workOf(parts),
        fullInSeconds: views.fullInSeconds(),
        starts: { crashes: starts.crashes, waiting: delayed.isWaiting },
        strayErrors: stray.count,
      }),
    report: (patch) => uplink.report(patch),
    clock,
    log,
  });
  const server = createStatusPort({
    status: () => status(maxShownEntries),
    notReady: reasons,
    overview: () => views.overview(),
    bundle: async () => (await views.bundle())!,
    ...(metricsText && { metricsText: () => metricsText(views.samples()) }),
    token: statusToken,
    log,
  });
  return { methods, reporter, server, views, stray };
}

function workOf({ clock, forwarder, activeConfig, jobs }: ReportParts) {
  const { dayUse, waitingFor } = forwarder.state();
  const isToday = dayUse.day === Math.floor(clock.now() / 86_400_000);
  const unitsCap = activeConfig.config().uplink.caps.messagesPerDay;
  return {
    uplink: { unitsToday: isToday ? dayUse.units : 0, unitsCap, waitingFor },
    openJobs: jobs.jobs().filter(isOpen).length,
  };
}

function skipIn(windows: Windows, known: ReadonlyMap<string, unknown>, isAllowed: () => boolean): Skip {
  return (batchId, count) => {
    // As if the method did not exist: nobody shall lose data on purpose where it is not switched on.
    if (!isAllowed()) return false;
    const targets = batchId === undefined ? [...known.keys()] : [batchId];
    if (!targets.every((target) => known.has(target))) return false;
    for (const target of targets) windows.skipNext(target, count);
    return true;
  };
}
