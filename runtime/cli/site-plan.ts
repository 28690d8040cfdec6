// What a configuration asks of its surroundings, before it runs: requests on each bus, messages and bytes to the
// hub. Pure. Requests are the plan that the sources poll by. Message sizes come from encoding one window of made-up
// readings with the real encoder: numbers that wander by a little, as measured ones do.
import type { Clock } from '../../kernel/clock.ts';
import { seededRandom } from '../../kernel/random.ts';
import { meteredUnitBytes } from '../../wire/limits.ts';
import { encodeMiniBatch, messageBytes } from '../../wire/message.ts';
import type { Reading, Value } from '../../wire/reading.ts';
import { type Config, type SourceConfig, streamIdOf } from '../config/schema.ts';
import type { TagConfig } from '../sources/modbus/config.ts';
import { peerOf, shareKeyOf, timingOf } from '../sources/modbus/open-stream.ts';
import { createPoller } from '../sources/modbus/poller.ts';
import { type Item, planReads } from '../sources/modbus/read-plan.ts';
import { mapStamp, mapTags } from '../sources/modbus/register-map.ts';

export interface BusPlan {
  /** Where the bus is, and whether its connection is shared. */
  readonly name: string;
  readonly sources: readonly string[];
  readonly requestsPerSecond: number;
  /** Part of the line's time that is taken when all units answer at once; serial ports only. */
  readonly load?: number;
}

export interface PollPlan {
  readonly pollMs: number;
  readonly tags: number;
  readonly requests: number;
  /** As `holding 0-25`. */
  readonly blocks: readonly string[];
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
  readonly total: Omit<StreamPlan, 'name' | 'bus' | 'polls'>;
  /** What will probably not work as it stands. */
  readonly warnings: readonly string[];
}

const dayMs = 86_400_000;
const bitsPerByte = 11;
/** The time a unit takes to answer is its own; a typical one, for the load of a line. */
const unitAnswerMs = 10;
const crowdedLoad = 0.7;

export function planSite(config: Config, clock: Clock): SitePlan {
  const streams = config.sources.map((source) => planStream(source, config, clock));
  const total = {
    readingsPerDay: sum(streams.map((stream) => stream.readingsPerDay)),
    messagesPerDay: sum(streams.map((stream) => stream.messagesPerDay)),
    bytesPerDay: sum(streams.map((stream) => stream.bytesPerDay)),
    unitsPerDay: sum(streams.map((stream) => stream.unitsPerDay)),
  };
  const buses = planBuses(config.sources, clock);
  return {
    buses,
    streams,
    total,
    warnings: [...busWarnings(buses), ...capWarnings(config, total.unitsPerDay)],
  };
}

/** Tags that are polled together. */
function groupsOf(source: SourceConfig): readonly { pollMs: number; tags: readonly TagConfig[] }[] {
  const byPace = new Map<number, TagConfig[]>();
  for (const tag of source.tags) {
    const pollMs = tag.pollMs ?? source.pollMs;
    byPace.set(pollMs, [...(byPace.get(pollMs) ?? []), tag]);
  }
  return [...byPace].map(([pollMs, tags]) => ({ pollMs, tags }));
}

function planPolls(source: SourceConfig, clock: Clock): readonly (PollPlan & { registers: number })[] {
  const stamp = mapStamp(source.stamp);
  return groupsOf(source).map(({ pollMs, tags }) => {
    const items: readonly Item[] = stamp ? [stamp, ...mapTags(tags)] : mapTags(tags);
    const blocks = planReads(items, source);
    return {
      pollMs,
      tags: tags.length,
      requests: createPoller({ config: source, tags, clock }).requests,
      blocks: blocks.map(({ table, address, count }) => `${table} ${address}-${address + count - 1}`),
      registers: sum(blocks.map(({ count }) => count)),
    };
  });
}

function planStream(source: SourceConfig, config: Config, clock: Clock): StreamPlan {
  const polls = planPolls(source, clock).map(({ registers: _, ...poll }) => poll);
  const readingsPerDay = sum(polls.map(({ pollMs, tags }) => (tags * dayMs) / pollMs));
  const fastestMs = Math.min(...polls.map(({ pollMs }) => pollMs));
  const { ageMs, quietMs, maxBytes } = config.windows;
  const windowMs = Math.max(ageMs, Math.min(fastestMs, quietMs));
  const size = sampleWindow(source, windowMs, config);
  // What does not fit closes its window early: more windows, each at the limit.
  const windows = (dayMs / windowMs) * Math.max(1, Math.ceil(size / maxBytes));
  const bytes = size / Math.max(1, Math.ceil(size / maxBytes));
  return {
    name: streamIdOf(source),
    bus: busOf(source),
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
function sampleWindow(source: SourceConfig, windowMs: number, { uplink }: Config): number {
  const random = seededRandom(1);
  const start = Date.UTC(2026, 0, 1);
  const readings: Reading[] = [];
  let all = 0;
  for (const { pollMs, tags } of groupsOf(source)) {
    const polls = Math.max(1, Math.floor(windowMs / pollMs));
    all += polls * tags.length;
    const values = tags.map((tag) => wander(tag, random.next));
    for (let poll = 0; poll < polls && readings.length < maxSampled; poll++) {
      for (const [at, { name }] of tags.entries()) {
        readings.push({ index: start + poll * pollMs, tag: name, value: values[at]!(), quality: 'good' });
      }
    }
  }
  readings.sort((a, b) => a.index - b.index);
  const batch = {
    batchId: streamIdOf(source),
    index: 'time',
    window: { start, end: Math.max(start + windowMs, readings.at(-1)!.index + 1) },
    readings,
  } as const;
  const options = { schema: uplink.body, gzip: uplink.gzip, creationTime: start };
  const bytes = sum(encodeMiniBatch(batch, options).map(messageBytes));
  return (bytes * all) / readings.length;
}

function wander({ type, length = 1, scale = 1, offset = 0 }: TagConfig, next: () => number): () => Value {
  if (type === undefined || type === 'bool' || type === 'bit') {
    let value = next() < 0.5;
    return () => {
      if (next() < 0.02) value = !value;
      return value;
    };
  }
  if (type === 'string') return () => 'x'.repeat(length);
  const isFloat = type.startsWith('float');
  let raw = 1000 + Math.floor(next() * 1000);
  return () => {
    raw += isFloat ? next() - 0.5 : Math.round((next() - 0.5) * 6);
    return (type === 'float32' ? Math.fround(raw) : raw) * scale + offset;
  };
}

function busOf(source: SourceConfig): string {
  const where = `${source.type} ${peerOf(source)}`;
  return shareKeyOf(source) === undefined ? `${where}, own connection of ${source.name}` : where;
}

function planBuses(sources: readonly SourceConfig[], clock: Clock): readonly BusPlan[] {
  const byBus = new Map<string, SourceConfig[]>();
  for (const source of sources) byBus.set(busOf(source), [...(byBus.get(busOf(source)) ?? []), source]);
  return [...byBus].map(([name, users]) => {
    const rates = users.map((source) =>
      sum(planPolls(source, clock).map(({ requests, pollMs }) => (requests * 1000) / pollMs)),
    );
    const load = sum(users.map((source) => lineLoad(source, clock)));
    return {
      name,
      sources: users.map((source) => source.name),
      requestsPerSecond: round(sum(rates)),
      ...(users[0]!.type === 'modbus-rtu' && { load: round(load) }),
    };
  });
}

/** Part of a second that one second's requests of this source take on its serial line. */
function lineLoad(source: SourceConfig, clock: Clock): number {
  if (source.type !== 'modbus-rtu') return 0;
  const byteMs = (bitsPerByte * 1000) / source.baudRate;
  const { gapMs } = timingOf(source);
  return sum(
    planPolls(source, clock).map(({ requests, registers, pollMs }) => {
      const frames = requests * (8 + 5) + 2 * registers;
      return (frames * byteMs + requests * (gapMs + unitAnswerMs)) / pollMs;
    }),
  );
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

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
