// Every metric of the module. docs/METRICS.md is made from it; a test holds it against what the code counts.
import type { MetricCatalogue } from '../../kernel/prometheus.ts';

const source = ['source'];
const stream = ['stream'];
const lane = ['lane'];

/** Read off the module's state whenever somebody looks: see state-metrics.ts. */
export const stateMetrics = {
  holdfast_info: { type: 'gauge', help: 'Always 1; the label says which version runs.', labels: ['version'] },
  holdfast_uptime_seconds: { type: 'gauge', help: 'Since the process started.' },
  holdfast_ready: { type: 'gauge', help: '1 while `/readyz` says that nothing is in the way, else 0.' },
  holdfast_quick_crashes: {
    type: 'gauge',
    help: 'Crashes in a row before this start, each soon after its own start.',
  },
  holdfast_sources_waiting: {
    type: 'gauge',
    help: '1 while sources wait because the module crashed again and again.',
  },
  holdfast_config_refused: {
    type: 'gauge',
    help: '1 while the wanted configuration is refused, or was taken back, and the former one runs.',
  },
  holdfast_sources: { type: 'gauge', help: 'Sources of the configuration.' },
  holdfast_sources_failed: {
    type: 'gauge',
    help: 'Sources that could not be built, so that nothing reads them.',
  },
  holdfast_source_connected: {
    type: 'gauge',
    help: '1 while the source is connected and says something, else 0.',
    labels: source,
  },
  holdfast_source_held: {
    type: 'gauge',
    help: '1 while the source is not asked because the spool has no room.',
    labels: source,
  },
  holdfast_source_last_event_age_seconds: {
    type: 'gauge',
    help: 'Since the source said anything, also that nothing happened. Absent before the first time.',
    labels: source,
  },
  holdfast_source_last_reading_age_seconds: {
    type: 'gauge',
    help: 'Since the last reading came. Absent before the first one.',
    labels: source,
  },
  holdfast_stream_last_window_age_seconds: {
    type: 'gauge',
    help: 'Since the end of the last closed window, of a stream ordered by time.',
    labels: stream,
  },
  holdfast_spool_stored_bytes: { type: 'gauge', help: 'All that is stored, sent or not.' },
  holdfast_spool_unsent_bytes: { type: 'gauge', help: 'What waits to be sent for the first time.' },
  holdfast_spool_oldest_unsent_age_seconds: {
    type: 'gauge',
    help: 'Age of the oldest message that waits to be sent for the first time; 0 where none waits.',
  },
  holdfast_spool_room_bytes: {
    type: 'gauge',
    help: 'What can still be stored without anything unsent being removed: caps and free disk, the archive counted as room.',
  },
  holdfast_spool_full_in_seconds: {
    type: 'gauge',
    help: 'How long nothing unsent is removed without a network, for want of room (at the rate of the last 24 hours) or by its age (spool.retention.unsentMs). Absent until that is known.',
  },
  holdfast_spool_failing: {
    type: 'gauge',
    help: '1 while the disk refuses, does not answer, or does not give messages out.',
  },
  holdfast_spool_backpressure: {
    type: 'gauge',
    help: '1 while sources with a history of their own wait for room.',
  },
  holdfast_spool_repaired: {
    type: 'gauge',
    help: '1 where the store was found damaged since this process began.',
  },
  holdfast_spool_continuity_lost: {
    type: 'gauge',
    help: '1 where the data folder is not the one that was left, though it is whole.',
  },
  holdfast_spool_withheld_messages: { type: 'gauge', help: 'Messages that wait until the hub was heard.' },
  holdfast_spool_key_problem: { type: 'gauge', help: '1 while the key of the encryption is missing.' },
  holdfast_spool_commits_total: { type: 'counter', help: 'Group commits of this process.' },
  holdfast_lane_messages: { type: 'gauge', help: 'Messages in the lane.', labels: lane },
  holdfast_lane_bytes: { type: 'gauge', help: 'Bytes in the lane.', labels: lane },
  holdfast_lane_oldest_age_seconds: {
    type: 'gauge',
    help: 'Age of the oldest message in the lane; 0 where there is none.',
    labels: lane,
  },
  holdfast_uplink_connected: { type: 'gauge', help: '1 while the hub is connected, else 0.' },
  holdfast_uplink_state_age_seconds: { type: 'gauge', help: 'Since it was connected, or lost.' },
  holdfast_forwarder_waiting: {
    type: 'gauge',
    help: '1 for the reason for which not everything is sent at the moment, 0 for all others.',
    labels: ['reason'],
  },
  holdfast_forwarder_in_flight_messages: { type: 'gauge', help: 'Sent, and not acknowledged yet.' },
  holdfast_day_units: { type: 'gauge', help: 'Metered units of 4 KB that were sent this UTC day.' },
  holdfast_day_units_cap: { type: 'gauge', help: '`uplink.caps.messagesPerDay`; 0: no cap.' },
  holdfast_clock_trusted: { type: 'gauge', help: '1 while the wall clock is trusted, else 0.' },
  holdfast_clock_ahead_seconds: {
    type: 'gauge',
    help: 'How far stamps run ahead of a wall clock that was set back.',
  },
  holdfast_clock_waiting_bytes: {
    type: 'gauge',
    help: 'Readings that wait for their time, as they are on the disk.',
  },
} as const satisfies MetricCatalogue;

/** Counted where it happens. */
const countedMetrics = {
  holdfast_source_readings_total: { type: 'counter', help: 'Readings that the source gave.', labels: source },
  holdfast_source_sessions_total: {
    type: 'counter',
    help: 'Sessions in which the equipment was there: each reconnection is one, an attempt in vain is none.',
    labels: source,
  },
  holdfast_source_breaks_total: {
    type: 'counter',
    help: 'Breaks in observation: each is a hole in the stream.',
    labels: source,
  },
  holdfast_source_abandoned_sessions_total: {
    type: 'counter',
    help: 'Sessions that did not stop when told to, and were left behind.',
    labels: source,
  },
  holdfast_windows_violations_total: {
    type: 'counter',
    help: 'Statements of a source that cannot be, taken as breaks.',
    labels: stream,
  },
  holdfast_windows_readings_refused_total: {
    type: 'counter',
    help: 'Readings that cannot be sent; a marker took their place.',
    labels: stream,
  },
  holdfast_windows_readings_dropped_total: {
    type: 'counter',
    help: 'Readings that memory had no room for while the disk refused: holes.',
    labels: stream,
  },
  holdfast_spool_commit_seconds: { type: 'histogram', help: 'Time of one synced group commit.' },
  holdfast_spool_commit_failures_total: {
    type: 'counter',
    help: 'Commits that the disk refused; each is tried again.',
  },
  holdfast_spool_damaged_total: { type: 'counter', help: 'Damaged records found since the start.' },
  holdfast_spool_repairs_total: {
    type: 'counter',
    help: 'Times that the store was put aside and salvaged, or found to be another.',
  },
  holdfast_spool_rejected_total: { type: 'counter', help: 'Messages that the hub refused for good.' },
  holdfast_spool_evicted_total: {
    type: 'counter',
    help: 'Windows removed although they were never sent: loss.',
  },
  holdfast_spool_retained_out_total: {
    type: 'counter',
    help: 'Windows that left the archive by age or size.',
  },
  holdfast_spool_windows_not_encoded_total: {
    type: 'counter',
    help: 'Windows that could not be encoded: a defect.',
  },
  holdfast_spool_readings_refused_total: {
    type: 'counter',
    help: 'Readings that no message can hold; a marker took their place.',
    labels: stream,
  },
  holdfast_uplink_connects_total: {
    type: 'counter',
    help: 'Connections made to the hub; attempts in vain are none.',
  },
  holdfast_uplink_losses_total: { type: 'counter', help: 'Connections to the hub that were lost.' },
  holdfast_uplink_stray_errors_total: {
    type: 'counter',
    help: 'Exceptions of the client library that cost a connection.',
  },
  holdfast_messages_sent_total: {
    type: 'counter',
    help: 'Messages that the hub acknowledged.',
    labels: lane,
  },
  holdfast_sent_bytes_total: { type: 'counter', help: 'Bytes that the hub acknowledged.', labels: lane },
  holdfast_send_seconds: {
    type: 'histogram',
    help: 'From sending a message to its acknowledgement.',
    labels: lane,
  },
  holdfast_send_failures_total: {
    type: 'counter',
    help: 'Sends that failed and are tried again, by error code.',
    labels: ['code'],
  },
  holdfast_methods_total: {
    type: 'counter',
    help: 'Direct methods answered, by name and status.',
    labels: ['method', 'status'],
  },
  holdfast_inputs_given_back_total: {
    type: 'counter',
    help: 'Messages of any input given back to the hub.',
    labels: ['reason'],
  },
  holdfast_backfill_open_jobs: { type: 'gauge', help: 'Requests of the detector that are being answered.' },
  holdfast_backfill_refused_total: { type: 'counter', help: 'Backfill requests that were refused.' },
  holdfast_rules_rows_total: { type: 'counter', help: 'Rows that the rule yielded.', labels: ['rule'] },
  holdfast_rules_halts_total: {
    type: 'counter',
    help: 'Times that the rule stopped because of an error in it.',
    labels: ['rule'],
  },
  holdfast_rules_actions_total: {
    type: 'counter',
    help: 'Actions of rules that came to an end, by outcome.',
    labels: ['rule', 'outcome'],
  },
  holdfast_clock_steps_total: {
    type: 'counter',
    help: 'Times that the wall clock was set by more than `slewMs`.',
    labels: ['direction'],
  },
  holdfast_clock_refused_readings_total: {
    type: 'counter',
    help: 'Readings that found no room to wait for the clock: holes.',
  },
  holdfast_clock_lost_readings_total: {
    type: 'counter',
    help: 'Readings whose machine restarted before the clock came right: holes.',
  },
} as const satisfies MetricCatalogue;

/** Without those of the adapters, which adapters.ts has. */
export const metricCatalogue: MetricCatalogue = { ...stateMetrics, ...countedMetrics };
