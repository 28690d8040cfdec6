// Turns a message into readings. Pure. A message that makes no sense yields a reason, never an exception: it comes from
// another vendor's program.
import type { Quality, Value } from '../../../wire/reading.ts';
import type { InputMessage } from '../../uplink/uplink.ts';
import type { ModuleInputConfig } from './config.ts';
import { type JsonPath, parsePath, readPath } from './json-path.ts';

/** Values that were taken at one time. */
export interface Sample {
  /** Epoch ms; undefined where readings get the time of arrival. */
  readonly time: number | undefined;
  readonly values: readonly SampleValue[];
}

export interface SampleValue {
  readonly tag: string;
  readonly value: Value;
  readonly quality: Quality;
}

export type ReadMessage =
  | { readonly ok: true; readonly samples: readonly Sample[]; readonly sequence?: number }
  /** `reason` as it goes into a quality; `detail` for people. */
  | { readonly ok: false; readonly reason: string; readonly detail: string; readonly sequence?: number };

export type MessageReader = (message: InputMessage) => ReadMessage;

const maxReadings = 10_000;
const maxTagLength = 128;

export function createMessageReader(config: ModuleInputConfig): MessageReader {
  const plan = compile(config);
  return (message) => {
    const document = parseBody(message.body);
    // A number among the properties is there whatever the body is.
    const sequence = sequenceIn(plan.sequence, document.ok ? document.value : undefined, message);
    const found = document.ok
      ? readDocument(plan, document.value, message)
      : refused('not-json', document.problem);
    return sequence === undefined ? found : { ...found, sequence };
  };
}

type Place = { readonly path: JsonPath } | { readonly property: string };

interface Plan {
  readonly items: JsonPath | undefined;
  readonly time: { readonly place: Place; readonly unit: 's' | 'ms' | 'us' | 'ns' } | undefined;
  readonly sequence: Place | undefined;
  readonly take: (item: unknown) => readonly SampleValue[] | string;
}

function compile(config: ModuleInputConfig): Plan {
  const { time, sequence, items } = config;
  if (config.format === 'readings/1') {
    const named = { tag: ['tag'], value: ['v'], quality: ['q'] };
    return {
      items: [],
      time: { place: { path: ['t'] }, unit: 'ms' },
      sequence: sequence && placeOf(sequence),
      take: takeNamed(named),
    };
  }
  return {
    items: items === undefined ? undefined : pathOf(items),
    time: time && { place: placeOf(time), unit: time.unit },
    sequence: sequence && placeOf(sequence),
    take: config.named
      ? takeNamed({
          tag: pathOf(config.named.tag),
          value: pathOf(config.named.value),
          quality: config.named.quality === undefined ? undefined : pathOf(config.named.quality),
        })
      : takeFields(config.tags ?? []),
  };
}

function readDocument(plan: Plan, document: unknown, message: InputMessage): ReadMessage {
  const items = plan.items === undefined ? [document] : readPath(document, plan.items);
  if (!Array.isArray(items)) return refused('no-items', 'there is no array where items are expected');
  if (items.length > maxReadings)
    return refused('too-many', `${items.length} items, more than ${maxReadings}`);
  const samples: Sample[] = [];
  let count = 0;
  for (const [at, item] of items.entries()) {
    const values = plan.take(item);
    if (typeof values === 'string') return refused('no-such-fields', `item ${at}: ${values}`);
    const time = plan.time && timeIn(plan.time, item, document, message);
    if (plan.time && time === undefined)
      return refused('no-time', `item ${at} has no valid time where it is expected`);
    count += values.length;
    if (count > maxReadings) return refused('too-many', `more than ${maxReadings} readings`);
    samples.push({ time, values });
  }
  return { ok: true, samples };
}

function refused(reason: string, detail: string): ReadMessage {
  return { ok: false, reason, detail };
}

/** Fixed tags, by their places. A field that is not there has no value; where none is, it is another message. */
function takeFields(tags: NonNullable<ModuleInputConfig['tags']>): Plan['take'] {
  const fields = tags.map(({ name, path, quality, scale = 1, offset = 0 }) => ({
    tag: name,
    path: pathOf(path),
    quality: quality === undefined ? undefined : pathOf(quality),
    isScaled: scale !== 1 || offset !== 0,
    scale,
    offset,
  }));
  return (item) => {
    let isAny = false;
    const values = fields.map(({ tag, path, quality, isScaled, scale, offset }): SampleValue => {
      const raw = readPath(item, path);
      if (raw === undefined) return { tag, value: null, quality: 'bad:missing' };
      isAny = true;
      const said = quality === undefined ? 'good' : qualityOf(readPath(item, quality));
      if (!isScaled) return finite({ tag, value: raw as Value, quality: said });
      return typeof raw === 'number' || isLongWhole(raw)
        ? finite({ tag, value: Number(raw) * scale + offset, quality: said })
        : { tag, value: null, quality: 'bad:not-a-number' };
    });
    return isAny ? values : 'none of the fields is there';
  };
}

/** JSON's text may hold 1e999. */
function finite(sample: SampleValue): SampleValue {
  const { tag, value } = sample;
  return typeof value === 'number' && !Number.isFinite(value)
    ? { tag, value: null, quality: 'bad:not-finite' }
    : sample;
}

interface Named {
  readonly tag: JsonPath;
  readonly value: JsonPath;
  readonly quality: JsonPath | undefined;
}

function takeNamed({ tag: tagPath, value: valuePath, quality: qualityPath }: Named): Plan['take'] {
  return (item) => {
    const tag = readPath(item, tagPath);
    if (typeof tag !== 'string' && typeof tag !== 'number') return 'it names no tag';
    const name = String(tag);
    if (name === '' || name.length > maxTagLength) return `the tag's name has ${name.length} characters`;
    const value = readPath(item, valuePath);
    if (value === undefined) return [{ tag: name, value: null, quality: 'bad:missing' }];
    const quality = qualityPath === undefined ? 'good' : qualityOf(readPath(item, qualityPath));
    return [finite({ tag: name, value: value as Value, quality })];
  };
}

/** Words, yes or no, and the severity bits of OPC UA's status codes (Part 4, 7.39). */
function qualityOf(said: unknown): Quality {
  if (said === undefined || said === null || said === true) return 'good';
  if (said === false) return 'bad';
  if (typeof said === 'number') {
    const severity = Math.floor(said / 2 ** 30);
    return severity === 0 ? 'good' : severity === 1 ? 'uncertain:source' : 'bad:source';
  }
  if (typeof said !== 'string') return 'uncertain:source';
  const text = said.toLowerCase();
  if (/^(good|uncertain|bad)$/.test(text)) return text as Quality;
  if (/^(uncertain|bad):[a-z0-9-]{1,50}$/.test(text)) return text as Quality;
  if (text.startsWith('good')) return 'good';
  return text.startsWith('bad') ? 'bad:source' : 'uncertain:source';
}

function placeOf({ path, property }: { path?: string | undefined; property?: string | undefined }): Place {
  return path === undefined ? { property: property ?? '' } : { path: pathOf(path) };
}

function pathOf(text: string): JsonPath {
  const parsed = parsePath(text);
  if (!parsed.ok) throw new Error(`a validated configuration has valid paths: ${parsed.problem}`);
  return parsed.path;
}

function timeIn(
  { place, unit }: NonNullable<Plan['time']>,
  item: unknown,
  document: unknown,
  message: InputMessage,
): number | undefined {
  if ('property' in place) return toEpochMs(propertyOf(message, place.property), unit);
  return toEpochMs(readPath(item, place.path) ?? readPath(document, place.path), unit);
}

function sequenceIn(place: Place | undefined, document: unknown, message: InputMessage): number | undefined {
  if (!place) return undefined;
  const found = 'property' in place ? propertyOf(message, place.property) : readPath(document, place.path);
  const number = typeof found === 'string' && /^-?\d{1,16}$/.test(found) ? Number(found) : found;
  return Number.isSafeInteger(number) ? (number as number) : undefined;
}

function propertyOf({ properties }: InputMessage, name: string): string | undefined {
  return Object.hasOwn(properties, name) ? properties[name] : undefined;
}

const iso = /^(\d{4})-(\d\d)-(\d\d)[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?$/i;
const perMs = { ms: 1, us: 1000, ns: 1_000_000 };
/** The latest time that ISO 8601 text with four digits for the year can hold. */
const maxEpochMs = 253_402_300_799_999;

function toEpochMs(given: unknown, unit: keyof typeof perMs | 's'): number | undefined {
  if (typeof given !== 'number' && typeof given !== 'string') return undefined;
  const isText = typeof given === 'string' && !/^\d+(\.\d+)?$/.test(given);
  const ms = isText ? isoToMs(given) : Math.floor(numberToMs(Number(given), unit));
  return ms !== undefined && ms > 0 && ms <= maxEpochMs ? ms : undefined;
}

/** A division by 0.001 would put one time in seven a millisecond too early. */
function numberToMs(given: number, unit: keyof typeof perMs | 's'): number {
  return unit === 's' ? given * 1000 : given / perMs[unit];
}

function isoToMs(text: string): number | undefined {
  const found = iso.exec(text);
  if (!found) return undefined;
  const [year, month, day] = found.slice(1, 4).map(Number) as [number, number, number];
  // `Date` takes February 30 for March 2.
  if (new Date(Date.UTC(year, month - 1, day)).getUTCDate() !== day) return undefined;
  const plain = text.replace(' ', 'T').replace(',', '.');
  const ms = Date.parse(found[4] === undefined ? `${plain}Z` : plain);
  return Number.isNaN(ms) ? undefined : ms;
}

const longWhole = /^-?\d{16,}$/;

function isLongWhole(value: unknown): boolean {
  return typeof value === 'string' && longWhole.test(value) && !Number.isSafeInteger(Number(value));
}

/** Whole numbers that JSON's numbers do not hold here become text, with all of their digits. */
function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' && source !== undefined && isLongWhole(source) ? source : value;
}

function parseBody(body: Uint8Array): { ok: true; value: unknown } | { ok: false; problem: string } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    return { ok: true, value: JSON.parse(text, /\d{16}/.test(text) ? keepDigits : undefined) };
  } catch (error) {
    return { ok: false, problem: error instanceof Error ? error.message : 'not JSON' };
  }
}
