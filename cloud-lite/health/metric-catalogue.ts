// Every metric of the detector. docs/METRICS.md is made from it; a test holds it against what the code counts.
import type { MetricCatalogue } from '../../kernel/prometheus.ts';
import { setAsideReasons } from '../ingest/classify.ts';
import { alertKinds } from './alerts.ts';

export const metricCatalogue = {
  holdfast_streams: { type: 'gauge', help: 'Streams in the ledger.' },
  holdfast_devices: { type: 'gauge', help: 'Devices in the ledger.' },
  holdfast_silent_streams: {
    type: 'gauge',
    help: 'Streams that have said nothing of the last `HOLDFAST_SILENCE_MS`.',
  },
  holdfast_silent_devices: {
    type: 'gauge',
    help: 'Devices of which all streams are silent.',
  },
  holdfast_streams_with_gaps: { type: 'gauge', help: 'Streams that lack something.' },
  holdfast_open_gaps: { type: 'gauge', help: 'Gaps that are open.' },
  holdfast_oldest_open_gap_seconds: {
    type: 'gauge',
    help: 'For how long the oldest gap has been open; 0 where none is.',
  },
  holdfast_pending_requests: { type: 'gauge', help: 'Backfill requests that no module has taken yet.' },
  holdfast_accepted_requests: { type: 'gauge', help: 'Backfill requests that a module works on.' },
  holdfast_unreachable_requests: { type: 'gauge', help: 'Backfill requests whose module cannot be reached.' },
  holdfast_ingest_behind_seconds: {
    type: 'gauge',
    help: 'How far reading the partition is behind now.',
    labels: ['partition'],
  },
  holdfast_ingest_events_total: { type: 'counter', help: 'Events read for the first time.' },
  holdfast_ingest_replayed_events_total: { type: 'counter', help: 'Events that had been read before.' },
  holdfast_ingest_unread_events_total: {
    type: 'counter',
    help: 'Events that the hub removed before they were read.',
  },
  holdfast_ingest_wrong_stamps_total: {
    type: 'counter',
    help: 'Events of which the hub stated a number or a time that cannot be.',
  },
  holdfast_ingest_set_aside_total: {
    type: 'counter',
    help: 'Messages that were not taken into the ledger, by reason.',
    labels: ['reason'],
    values: setAsideReasons,
  },
  holdfast_ingest_failures_total: { type: 'counter', help: 'Times that reading the hub failed.' },
  holdfast_ingest_sessions_lost_total: {
    type: 'counter',
    help: 'Connections to the event hub that were lost.',
  },
  holdfast_gaps_found_total: { type: 'counter', help: 'Gaps found.' },
  holdfast_gaps_closed_total: { type: 'counter', help: 'Gaps closed.' },
  holdfast_requests_recorded_total: { type: 'counter', help: 'Backfill requests made.' },
  holdfast_backfill_calls_total: {
    type: 'counter',
    help: 'Calls of the method `backfill`, by outcome.',
    labels: ['outcome'],
  },
  holdfast_status_calls_total: {
    type: 'counter',
    help: 'Calls of the method `status`, by outcome.',
    labels: ['outcome'],
  },
  holdfast_twin_queries_total: {
    type: 'counter',
    help: 'Queries for the twins of gateways, by outcome.',
    labels: ['outcome'],
  },
  holdfast_sweep_failures_total: { type: 'counter', help: 'Sweeps for gaps that failed.' },
  holdfast_alerts_total: {
    type: 'counter',
    help: 'Alerts raised, by kind.',
    labels: ['kind'],
    values: alertKinds,
  },
} as const satisfies MetricCatalogue;
