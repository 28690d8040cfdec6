// What a configuration will cost, worked out before it runs: requests on each bus, messages and bytes to the hub. Pure.
// Message sizes come from encoding one window of made-up readings with the real encoder.
import type { Clock } from '../../kernel/clock.ts';
import { seededRandom } from '../../kernel/random.ts';
import { meteredUnitBytes } from '../../wire/limits.ts';
import { encodeMiniBatch, messageBytes } from '../../wire/message.ts';
import type { Reading } from '../../wire/reading.ts';
import { adapterOf } from '../adapters.ts';
import { type Config, type SourceConfig, streamIdOf } from '../config/schema.ts';
import { type Pace, type PollPlan, type SourceLoad, sum } from '../sources/load.ts';

export interface BusPlan {
  /** Where the bus is, and whether its connection is shared. */
  readonly name: string;
  readonly sources: readonly string[];
  readonly requestsPerSecond: number;
  /** Part of the line's time that is taken when all units answer at once; serial ports only. */
  readonly load?: number;
}

export interface StreamPlan {
  readonly name: string;
  readonly bus: string;
  readonly polls: readonly PollPlan[];
  readonly readingsPerDay: number;
  readonly messagesPerDay: number;
  readonly bytesPerDay: number;
  /** 4 KB units, as IoT Hub meters messages. */
  readonly unitsPerDay: number;
}

export interface SitePlan {
  readonly buses: readonly BusPlan[];
  readonly streams: readonly StreamPlan[];
  /** With what rules send at most, where their rows are short: as many metered units as messages. */
  readonly total: Omit<StreamPlan, 'name' | 'bus' | 'polls'> & { readonly ruleMessagesPerDay: number };
  /** What will probably not work as it stands. */
  readonly warnings: readonly string[];
}

const dayMs = 86_400_000;
const crowdedLoad = 0.7;

interface SourcePlan {
  readonly source: SourceConfig;
  readonly load: SourceLoad;
}

/** @param ruleMessagesPerDay of the streams of rules, at most */
export function planSite(config: Config, clock: Clock, ruleMessagesPerDay = 0): SitePlan {
  const plans = config.sources.map((source): SourcePlan => {
    return { source, load: adapterOf(source).load(source as never, clock) };
  });
  const streams = plans.map((each) => planStream(each, config));
  const total = {
    readingsPerDay: sum(streams.map((stream) => stream.readingsPerDay)),
    messagesPerDay: sum(streams.map((stream) => stream.messagesPerDay)) + ruleMessagesPerDay,
    bytesPerDay: sum(streams.map((stream) => stream.bytesPerDay)),
    unitsPerDay: sum(streams.map((stream) => stream.unitsPerDay)) + ruleMessagesPerDay,
    ruleMessagesPerDay,
  };
  const buses = planBuses(plans);
  return {
    buses,
    streams,
    total,
    warnings: [
      ...plans.flatMap(({ source, load }) => (load.warnings ?? []).map((text) => `${source.name}: ${text}`)),
      ...busWarnings(buses),
      ...capWarnings(config, total.unitsPerDay),
    ],
  };
}

function planStream({ source, load }: SourcePlan, config: Config): StreamPlan {
  const { bus, polls, paces } = load;
  const readingsPerDay = sum(paces.map(({ periodMs, tags }) => (tags.length * dayMs) / periodMs));
  const fastestMs = Math.min(...paces.map(({ periodMs }) => periodMs));
  const { ageMs, quietMs, maxBytes } = config.windows;
  const windowMs = Math.max(ageMs, Math.min(fastestMs, quietMs));
  const size = sampleWindow(streamIdOf(source), paces, windowMs, config);
  // What does not fit closes its window early: more windows, each at the limit.
  const windows = (dayMs / windowMs) * Math.max(1, Math.ceil(size / maxBytes));
  const bytes = size / Math.max(1, Math.ceil(size / maxBytes));
  return {
    name: streamIdOf(source),
    bus,
    polls,
    readingsPerDay: Math.round(readingsPerDay),
    messagesPerDay: Math.round(windows),
    bytesPerDay: Math.round(windows * bytes),
    unitsPerDay: Math.round(windows * Math.ceil(bytes / meteredUnitBytes)),
  };
}

/** Readings that are made up at most: more would say the same, slower. */
const maxSampled = 5000;

/** Bytes of the message of one window of `windowMs`, properties and all. */
function sampleWindow(batchId: string, paces: readonly Pace[], windowMs: number, { uplink }: Config): number {
  const random = seededRandom(1);
  const start = Date.UTC(2026, 0, 1);
  const readings: Reading[] = [];
  let all = 0;
  for (const { periodMs, tags } of paces) {
    const polls = Math.max(1, Math.floor(windowMs / periodMs));
    all += polls * tags.length;
    const values = tags.map((tag) => tag.wander(random.next));
    for (let poll = 0; poll < polls && readings.length < maxSampled; poll++) {
      for (const [at, { name }] of tags.entries()) {
        readings.push({ index: start + poll * periodMs, tag: name, value: values[at]!(), quality: 'good' });
      }
    }
  }
  readings.sort((a, b) => a.index - b.index);
  const batch = {
    batchId,
    index: 'time',
    window: { start, end: Math.max(start + windowMs, (readings.at(-1)?.index ?? start) + 1) },
    readings,
  } as const;
  const options = { schema: uplink.body, gzip: uplink.gzip, creationTime: start };
  const bytes = sum(encodeMiniBatch(batch, options).map(messageBytes));
  return readings.length === 0 ? bytes : (bytes * all) / readings.length;
}

function planBuses(plans: readonly SourcePlan[]): readonly BusPlan[] {
  const byBus = new Map<string, SourcePlan[]>();
  for (const each of plans) byBus.set(each.load.bus, [...(byBus.get(each.load.bus) ?? []), each]);
  return [...byBus].map(([name, users]) => ({
    name,
    sources: users.map(({ source }) => source.name),
    requestsPerSecond: round(sum(users.map(({ load }) => load.requestsPerSecond))),
    ...(users.some(({ load }) => load.busLoad !== undefined) && {
      load: round(sum(users.map(({ load }) => load.busLoad ?? 0))),
    }),
  }));
}

function busWarnings(buses: readonly BusPlan[]): string[] {
  return buses
    .filter(({ load }) => load !== undefined && load > crowdedLoad)
    .map(
      ({ name, load }) =>
        `${name}: its polls take ${Math.round(load! * 100)} % of the line's time: poll less often, or raise the speed`,
    );
}

function capWarnings({ uplink: { caps } }: Config, units: number): string[] {
  const { messagesPerDay } = caps;
  if (messagesPerDay === 0 || units <= messagesPerDay) return [];
  const message = `the hub would be sent ${Math.round(units)} units of 4 KB a day, and the cap is ${messagesPerDay}: live data will fall behind`;
  return [message];
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
