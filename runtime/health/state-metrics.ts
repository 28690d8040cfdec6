// The module's state as metrics: read when they are scraped, so nothing is counted for it, and parts that are gone are not
// shown. Pure.
import type { Sample } from '../../kernel/prometheus.ts';
import type { stateMetrics } from './metric-catalogue.ts';
import { type FoundState, isDamaged, isReplaced } from './troubles.ts';

/** Times are wall clock, epoch ms. */
export interface MeasuredParts {
  readonly version: string;
  readonly now: number;
  readonly startedAt: number;
  readonly isReady: boolean;
  readonly configState: string;
  readonly sources: readonly {
    readonly name: string;
    readonly phase: string;
    readonly lastEventAt?: number;
    readonly lastReadingAt?: number;
  }[];
  readonly failedSources: readonly unknown[];
  readonly spool: FoundState & {
    readonly state: string;
    readonly lanes: Readonly<Record<string, { messages: number; bytes: number; oldestAt?: number }>>;
    readonly stored: { readonly bytes: number };
    readonly roomBytes?: number;
    readonly backpressure: boolean;
    readonly commits: number;
    readonly withheld?: number;
    readonly streams: readonly {
      readonly batchId: string;
      readonly index: string;
      readonly lastWindow?: { readonly end: number };
    }[];
  };
  /** How long the room lasts; undefined where that is not known. */
  readonly fullInSeconds: number | undefined;
  readonly hasKeyProblem: boolean;
  readonly uplink: { readonly connected: boolean; readonly since: number };
  readonly forwarder: {
    readonly inFlight: { readonly messages: number };
    readonly waitingFor?: string;
    readonly dayUse: { readonly units: number };
  };
  readonly dayCap: number;
  readonly clock: { readonly trusted: boolean; readonly aheadMs?: number; readonly waitingBytes?: number };
  readonly starts: { readonly quickCrashes: number; readonly waiting: boolean };
}

type Name = keyof typeof stateMetrics;

const waitingReasons = ['disconnected', 'throttled', 'quota', 'rate', 'daily-cap', 'disk'];

/** Every series of the state. */
export function stateSamples(parts: MeasuredParts): Sample[] {
  const { now, uplink, forwarder, clock, starts } = parts;
  const { quickCrashes, waiting } = starts;
  return [
    sample('holdfast_info', 1, { version: parts.version }),
    sample('holdfast_uptime_seconds', age(now, parts.startedAt)),
    sample('holdfast_ready', flag(parts.isReady)),
    sample('holdfast_quick_crashes', quickCrashes),
    sample('holdfast_sources_waiting', flag(waiting)),
    sample('holdfast_config_refused', flag(['refused', 'reverted'].includes(parts.configState))),
    ...sourceSamples(parts),
    ...spoolSamples(parts),
    sample('holdfast_uplink_connected', flag(uplink.connected)),
    sample('holdfast_uplink_state_age_seconds', age(now, uplink.since)),
    ...waitingReasons.map((reason) =>
      sample('holdfast_forwarder_waiting', flag(forwarder.waitingFor === reason), { reason }),
    ),
    sample('holdfast_forwarder_in_flight_messages', forwarder.inFlight.messages),
    sample('holdfast_day_units', forwarder.dayUse.units),
    sample('holdfast_day_units_cap', parts.dayCap),
    sample('holdfast_clock_trusted', flag(clock.trusted)),
    sample('holdfast_clock_ahead_seconds', (clock.aheadMs ?? 0) / 1000),
    sample('holdfast_clock_waiting_bytes', clock.waitingBytes ?? 0),
  ];
}

function sourceSamples({ now, sources, failedSources }: MeasuredParts): Sample[] {
  return [
    sample('holdfast_sources', sources.length + failedSources.length),
    sample('holdfast_sources_failed', failedSources.length),
    ...sources.flatMap(({ name, phase, lastEventAt, lastReadingAt }) => {
      const labels = { source: name };
      return [
        sample('holdfast_source_connected', flag(phase === 'connected'), labels),
        sample('holdfast_source_held', flag(phase === 'held'), labels),
        ...ageSample('holdfast_source_last_event_age_seconds', now, lastEventAt, labels),
        ...ageSample('holdfast_source_last_reading_age_seconds', now, lastReadingAt, labels),
      ];
    }),
  ];
}

function spoolSamples({ now, spool, fullInSeconds, hasKeyProblem }: MeasuredParts): Sample[] {
  const { lanes, roomBytes } = spool;
  const unsent = Object.entries(lanes).filter(([lane]) => lane !== 'backfill');
  const oldest = Math.min(...unsent.map(([, { oldestAt }]) => oldestAt ?? now));
  return [
    sample('holdfast_spool_stored_bytes', spool.stored.bytes),
    sample(
      'holdfast_spool_unsent_bytes',
      unsent.reduce((sum, [, { bytes }]) => sum + bytes, 0),
    ),
    sample('holdfast_spool_oldest_unsent_age_seconds', age(now, oldest)),
    ...(roomBytes === undefined ? [] : [sample('holdfast_spool_room_bytes', roomBytes)]),
    ...(fullInSeconds === undefined ? [] : [sample('holdfast_spool_full_in_seconds', fullInSeconds)]),
    sample('holdfast_spool_failing', flag(spool.state === 'failing')),
    sample('holdfast_spool_backpressure', flag(spool.backpressure)),
    sample('holdfast_spool_repaired', flag(isDamaged(spool))),
    sample('holdfast_spool_continuity_lost', flag(isReplaced(spool))),
    sample('holdfast_spool_withheld_messages', spool.withheld ?? 0),
    sample('holdfast_spool_key_problem', flag(hasKeyProblem)),
    sample('holdfast_spool_commits_total', spool.commits),
    ...Object.entries(lanes).flatMap(([lane, { messages, bytes, oldestAt }]) => [
      sample('holdfast_lane_messages', messages, { lane }),
      sample('holdfast_lane_bytes', bytes, { lane }),
      sample('holdfast_lane_oldest_age_seconds', age(now, oldestAt ?? now), { lane }),
    ]),
    ...spool.streams.flatMap(({ batchId, index, lastWindow }) =>
      index === 'time'
        ? ageSample('holdfast_stream_last_window_age_seconds', now, lastWindow?.end, { stream: batchId })
        : [],
    ),
  ];
}

function sample(name: Name, value: number, labels?: Readonly<Record<string, string>>): Sample {
  return { name, value, ...(labels && { labels }) };
}

function ageSample(
  name: Name,
  now: number,
  at: number | undefined,
  labels: Readonly<Record<string, string>>,
): Sample[] {
  return at === undefined ? [] : [sample(name, age(now, at), labels)];
}

/** Seconds; a clock that was set back makes nothing younger than now. */
function age(now: number, at: number): number {
  return Math.max(0, now - at) / 1000;
}

function flag(is: boolean): number {
  return is ? 1 : 0;
}
