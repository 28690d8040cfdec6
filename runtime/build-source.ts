// What stands between a source's settings and its windows: adapter, clock, supervisor.
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Random } from '../kernel/random.ts';
import { adapterOf, type MakeSource } from './adapters.ts';
import { type SourceConfig, tagsOf } from './config/schema.ts';
import type { KnownEquipment } from './known-equipment.ts';
import type { LearnedBook } from './sources/learned.ts';
import type { SourceSink } from './sources/source.ts';
import { type SupervisedSource, superviseSource } from './sources/supervisor.ts';
import type { SiteClock } from './time/site-clock.ts';
import type { StreamOptions, Windows } from './windows/windows-api.ts';

interface BuildParts {
  readonly windows: Windows;
  readonly siteClock: SiteClock;
  readonly makeSource: MakeSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly learned?: LearnedBook;
  readonly equipment?: KnownEquipment;
}

/** A source with its supervisor, feeding its windows. The stream may be open already, and then goes on. */
export function buildSource(
  settings: SourceConfig,
  batchId: string,
  { windows, siteClock, makeSource, clock, random, metrics, log, learned, equipment }: BuildParts,
): SupervisedSource {
  const { name } = settings;
  const sourceLog = log.child({ part: 'source', source: name });
  const parts = {
    stampClock: siteClock.local,
    log: sourceLog,
    start: () => windows.known(batchId),
    ...(learned && { learned: learned.of(batchId) }),
  };
  const source = makeSource(settings, parts);
  const { index, isUnordered = false } = source;
  const pace = source.stampedByGateway ? 'own' : (source.queued ?? 'live');
  const [inner, stream] = openWindows({ batchId, index, isUnordered, pace }, windows);
  if (equipment?.isSame(batchId, settings, windows.known(batchId)?.floor) === false)
    windows.changeEquipment(batchId);
  // What the equipment stamps, or numbers, needs no clock of ours.
  const sink = source.stampedByGateway ? siteClock.open(inner, stream) : inner;
  const { writable: writableOf, texts } = adapterOf(settings);
  const writable = writableOf?.(settings as never) ?? new Map();
  const tags = tagsOf(settings);
  const edges = { clock, random, log: sourceLog, metrics };
  return superviseSource({
    name,
    source,
    sink,
    ...edges,
    writable,
    ...(tags && { tags }),
    breaks: texts?.breaks ?? {},
  });
}

/** The stream's windows, and where they end. */
export function openWindows(
  options: StreamOptions,
  windows: Windows,
): [SourceSink, { readonly batchId: string; readonly floor?: number }] {
  const { batchId } = options;
  const inner = windows.openStream(options);
  const { floor: claimedTo, seen: floor = claimedTo } = windows.known(batchId) ?? {};
  return [inner, { batchId, ...(floor === undefined ? {} : { floor }) }];
}
