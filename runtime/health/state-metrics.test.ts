import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { edgeLabels } from './edge-labels.ts';
import { watchFillRate } from './fill-rate.ts';
import { type MeasuredParts, stateSamples } from './state-metrics.ts';

const now = 1_000_000_000;
const parts = (more: Partial<MeasuredParts> = {}): MeasuredParts => ({
  version: '1.2.3',
  now,
  startedAt: now - 60_000,
  isReady: true,
  configState: 'applied',
  sources: [
    { name: 'press', phase: 'connected', lastEventAt: now - 1000, lastReadingAt: now - 4000 },
    { name: 'oven', phase: 'backoff' },
  ],
  failedSources: [{}],
  spool: {
    state: 'ok',
    lanes: {
      live: { messages: 1, bytes: 100, oldestAt: now - 2000 },
      backlog: { messages: 9, bytes: 900, oldestAt: now - 90_000 },
      backfill: { messages: 1, bytes: 7777, oldestAt: now - 999_000 },
    },
    stored: { bytes: 5000 },
    roomBytes: 10_000,
    backpressure: false,
    commits: 12,
    streams: [
      { batchId: 'press', index: 'time', lastWindow: { end: now - 11_000 } },
      { batchId: 'log', index: 'sequence', lastWindow: { end: 5 } },
    ],
  },
  fullInSeconds: undefined,
  hasKeyProblem: false,
  uplink: { connected: false, since: now - 30_000 },
  forwarder: { inFlight: { messages: 0 }, waitingFor: 'disconnected', dayUse: { units: 7 } },
  dayCap: 0,
  clock: { trusted: true },
  starts: { quickCrashes: 0, waiting: false },
  ...more,
});
const values = (of: MeasuredParts) =>
  Object.fromEntries(
    stateSamples(of).map(({ name, value, labels }) => [
      `${name}${Object.values(labels ?? {}).join()}`,
      value,
    ]),
  );

describe('the state as series', () => {
  it('has what an operator asks first', () => {
    expect(values(parts())).toMatchObject({
      'holdfast_info1.2.3': 1,
      holdfast_sources: 3,
      holdfast_sources_failed: 1,
      holdfast_source_connectedpress: 1,
      holdfast_source_connectedoven: 0,
      holdfast_source_last_event_age_secondspress: 1,
      holdfast_source_last_reading_age_secondspress: 4,
      holdfast_stream_last_window_age_secondspress: 11,
      holdfast_uplink_connected: 0,
      holdfast_uplink_state_age_seconds: 30,
      holdfast_forwarder_waitingdisconnected: 1,
      holdfast_forwarder_waitingquota: 0,
      holdfast_lane_messagesbacklog: 9,
    });
  });

  it('counts as unsent what was never sent, and not what is sent again as an answer', () => {
    expect(values(parts())).toMatchObject({
      holdfast_spool_unsent_bytes: 1000,
      holdfast_spool_oldest_unsent_age_seconds: 90,
      holdfast_lane_oldest_age_secondsbackfill: 999,
    });
  });

  it('says nothing of what is not known: no age before the first reading, no end before a rate', () => {
    const known = values(parts());
    for (const name of ['holdfast_source_last_reading_age_secondsoven', 'holdfast_spool_full_in_seconds'])
      expect(known).not.toHaveProperty(name);
    expect(known).not.toHaveProperty('holdfast_stream_last_window_age_secondslog');
  });

  it('makes nothing older than it is with a clock that was set back', () => {
    const back = values(parts({ now: now - 500_000 }));
    for (const [name, value] of Object.entries(back)) expect(value, name).toBeGreaterThanOrEqual(0);
  });
});

describe('how long the room lasts', () => {
  it('follows the rate at which is stored, whether or not it is sent', async () => {
    const clock = new VirtualClock();
    let stored = 1_000_000;
    const rate = watchFillRate(clock, () => stored);
    rate.start();
    expect(rate.fullInSeconds({ bytes: 1000 })).toBeUndefined();
    for (let minute = 0; minute < 120; minute++) {
      stored += 60_000;
      await clock.advance(60_000);
    }
    expect(rate.fullInSeconds({ bytes: 1_000_000 })).toBe(1000);
    expect(rate.fullInSeconds({ bytes: 1_000_001 })).toBe(1000);
    const unsentMs = 400_000;
    expect(rate.fullInSeconds({ bytes: 1_000_000, unsentMs })).toBe(400);
    expect(rate.fullInSeconds({ bytes: 1_000_000, unsentMs, oldestUnsentAgeMs: 300_000 })).toBe(100);
    expect(rate.fullInSeconds({ bytes: 1_000_000, unsentMs, oldestUnsentAgeMs: 500_000 })).toBe(0);
    expect(rate.fullInSeconds({ bytes: undefined })).toBeUndefined();
    rate.stop();
  });

  it('is that of the last day, and is never when nothing is stored', async () => {
    const clock = new VirtualClock();
    let stored = 0;
    const rate = watchFillRate(clock, () => stored);
    rate.start();
    stored = 1e12;
    await clock.advance(2 * 86_400_000);
    expect(rate.fullInSeconds({ bytes: 1000 })).toBeUndefined();
    rate.stop();
  });
});

describe('the labels of all series', () => {
  it("come from IoT Edge's variables, or from a connection string without its key", () => {
    const environment = { IOTEDGE_IOTHUBHOSTNAME: 'h', IOTEDGE_DEVICEID: 'd', IOTEDGE_MODULEID: 'm' };
    const expected = { iothub: 'h', edge_device: 'd', module_name: 'm', instance_number: 'i' };
    expect(edgeLabels(environment, undefined, 'i')).toEqual(expected);
    const text = 'HostName=h; DeviceId=d;ModuleId=m;SharedAccessKey=c2VjcmV0PQ==';
    expect(edgeLabels({}, text, 'i')).toEqual(expected);
    expect(edgeLabels({}, 'HostName=h;DeviceId=d;SharedAccessKey=x', 'i')).toEqual({
      ...expected,
      module_name: 'holdfast',
    });
  });
});
