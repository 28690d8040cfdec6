// Decodes a message: the values of its tags, and the instrument's own time or record number. Pure: a layout is compiled
// once, for live messages and for those of a dump.
import type { Quality, Reading, Value } from '../../../wire/reading.ts';
import { toEpochMs } from '../codec/decode.ts';
import type { TimeUnit } from '../codec/fields.ts';
import type { FieldsConfig, SerialSourceConfig, SerialTagConfig, StampConfig } from './config.ts';
import { toBytes } from './escapes.ts';
import { compileInvalid } from './invalid-marks.ts';
import { compileOpener, compileText, compileValue, type Message, type Place } from './places.ts';
import { compileTimeFormat, type TimeFormat } from './time-format.ts';

export interface TagValue {
  readonly tag: string;
  readonly value: Value;
  readonly quality: Quality;
}

export interface DecodedRecord {
  /** Only tags that this kind of message has. */
  readonly values: readonly TagValue[];
  readonly number?: number;
  /** Epoch ms. */
  readonly timestamp?: number;
}

export type Decoded =
  | ({ readonly kind: 'record' } & DecodedRecord)
  /** No tag is in it: a message of another kind, or a damaged one. */
  | { readonly kind: 'unmatched' }
  /** Its number or time cannot be read, so it has no place in the stream. */
  | { readonly kind: 'unplaced'; readonly what: 'number' | 'timestamp' };

export type RecordDecoder = (content: Buffer) => Decoded;

export interface LayoutConfig {
  readonly fields: FieldsConfig;
  readonly stamp: Pick<StampConfig, 'number' | 'timestamp'> | undefined;
  readonly tags: readonly SerialTagConfig[];
  /** Only messages that begin with this. */
  readonly startsWith?: string | undefined;
}

export function compileLayout({ fields, stamp, tags, startsWith }: LayoutConfig): RecordDecoder {
  const open = compileOpener(fields);
  const prefix = toBytes(startsWith ?? '');
  const neighbours = [...tags, stamp?.number, stamp?.timestamp].flatMap((place) =>
    place?.from === undefined ? [] : [{ from: place.from, length: place.length ?? 1 }],
  );
  const readers = tags.map((tag) => compileTag(tag, fields, neighbours));
  const readNumber = stamp?.number && compileNumber(stamp.number, fields);
  const readTime = stamp?.timestamp && compileTimestamp(stamp.timestamp, fields);
  return (content) => {
    if (!beginsWith(content, prefix)) return { kind: 'unmatched' };
    const message = open(content);
    const values = readers.flatMap((read) => read(message) ?? []);
    // Without any sound place, a message of another kind; a tag whose column is missing alone is none.
    if (!values.some(({ quality }) => quality !== missingQuality)) return { kind: 'unmatched' };
    const number = readNumber?.(message);
    if (readNumber && number === undefined) return { kind: 'unplaced', what: 'number' };
    const timestamp = readTime?.(message);
    if (readTime && timestamp === undefined) return { kind: 'unplaced', what: 'timestamp' };
    return {
      kind: 'record',
      values,
      ...(number === undefined ? {} : { number }),
      ...(timestamp === undefined ? {} : { timestamp }),
    };
  };
}

/** The layout of live messages. */
export function liveLayout(config: SerialSourceConfig): LayoutConfig {
  return { fields: config.fields, stamp: config.stamp, tags: config.tags };
}

/** The layout of a dump: what it leaves out is as in live messages. */
export function dumpLayout(config: SerialSourceConfig): LayoutConfig {
  const { history } = config;
  const places = new Map(history?.tags?.map((tag) => [tag.name, tag]));
  const tags = config.tags.flatMap((tag): SerialTagConfig[] => {
    const own = places.get(tag.name);
    if (own) return [{ ...withoutPlace(tag), ...defined(own) }];
    // Where the dump's tags are listed, others are not in it.
    return history?.tags ? [] : [tag];
  });
  const ownPlaces = history?.startsWith !== undefined;
  return {
    fields: history?.fields ?? config.fields,
    stamp: { ...config.stamp, ...history?.stamp },
    tags: ownPlaces ? tags.map(({ startsWith: _, ...tag }) => tag) : tags,
    startsWith: history?.startsWith,
  };
}

function withoutPlace(tag: SerialTagConfig): SerialTagConfig {
  const { group: _g, column: _c, from: _f, length: _l, at: _a, startsWith: _s, ...rest } = tag;
  return rest;
}

function defined<T extends object>(settings: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(settings).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

export function toReadings({ values }: DecodedRecord, index: number): readonly Reading[] {
  return values.map(({ tag, value, quality }) => ({ index, tag, value, quality }));
}

const missingQuality = 'bad:missing';

/** Undefined where this kind of message does not have the tag. */
function compileTag(
  tag: SerialTagConfig,
  { decimal }: FieldsConfig,
  neighbours: Place['neighbours'],
): (message: Message) => TagValue | undefined {
  const find = compileValue({ ...tag, neighbours }, decimal);
  const prefix = toBytes(tag.startsWith ?? '');
  const isGroup = tag.column === undefined && tag.from === undefined && tag.at === undefined;
  const invalid = compileInvalid(tag, decimal);
  const bad = (why: string): TagValue => ({ tag: tag.name, value: null, quality: `bad:${why}` });
  return (message) => {
    if (!beginsWith(message.bytes, prefix)) return undefined;
    const named = invalid?.(message);
    if (named !== undefined) return bad(named);
    const found = find(message);
    if (found.kind === 'value') return { tag: tag.name, value: found.value, quality: 'good' };
    if (found.kind === 'invalid') return bad(found.why);
    // A group that took no part is another message's; a column that is not there is missing.
    return isGroup ? undefined : bad('missing');
  };
}

function compileNumber(
  stamp: NonNullable<StampConfig['number']>,
  { decimal }: FieldsConfig,
): (message: Message) => number | undefined {
  const find = compileValue({ ...stamp, name: 'number' }, decimal);
  return (message) => {
    const found = find(message);
    const number = found.kind === 'value' ? Number(found.value) : Number.NaN;
    return Number.isSafeInteger(number) && number >= stamp.first && number <= stamp.last ? number : undefined;
  };
}

function compileTimestamp(
  stamp: NonNullable<StampConfig['timestamp']>,
  { decimal }: FieldsConfig,
): (message: Message) => number | undefined {
  const place: Place = { ...stamp, name: 'timestamp' };
  if (stamp.at !== undefined) {
    const find = compileValue(place, decimal);
    return (message) => {
      const found = find(message);
      return found.kind === 'value' ? toEpochMs(found.value, stamp.unit as TimeUnit) : undefined;
    };
  }
  const find = compileText(place);
  const format = formatOf(stamp);
  return (message) => {
    const text = find(message);
    return text === undefined ? undefined : format.parse(text);
  };
}

/** The format of a text time, with its zone. */
export function formatOf(stamp: Pick<NonNullable<StampConfig['timestamp']>, 'format' | 'zone'>): TimeFormat {
  const compiled = compileTimeFormat(stamp.format, zoneMinutes(stamp.zone));
  if (!compiled.ok) throw new Error(`the time format ${compiled.problem}`);
  return compiled.format;
}

/** What the instrument's times are rounded to. */
export function stepMsOf(stamp: StampConfig['timestamp']): number {
  if (stamp === undefined) return 1;
  if (stamp.at === undefined) return formatOf(stamp).stepMs;
  return stamp.unit === 's' ? 1000 : 1;
}

/** Minutes that `UTC` or `+01:00` is ahead of UTC. */
export function zoneMinutes(zone: string): number {
  if (zone === 'UTC') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4));
  return zone.startsWith('-') ? -minutes : minutes;
}

function beginsWith(bytes: Buffer, prefix: Buffer): boolean {
  return bytes.length >= prefix.length && bytes.subarray(0, prefix.length).equals(prefix);
}
