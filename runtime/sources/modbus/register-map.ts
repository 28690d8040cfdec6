// Compiles a source's configuration: every value with its address and its decoder.

import type { Quality, Reading } from '../../../wire/reading.ts';
import { type Coding, compileDecoder, type Decoder, invalidReason, toEpochMs } from '../codec/decode.ts';
import {
  type ByteOrder,
  type RegisterTable,
  type TimeUnit,
  type ValueType,
  widthOf,
} from '../codec/fields.ts';
import type { HistoryConfig, ModbusSourceConfig, TagConfig } from './config.ts';
import { compileInvalid, type InvalidCoding } from './invalid-values.ts';
import type { Item } from './read-plan.ts';
import { type PlacedTag, resolveLayout, timeTagOf } from './record-layout.ts';

export interface MappedTag extends Item {
  readonly name: string;
  /** The tag's place among those that are read together, which is the order of readings that share an index. */
  readonly position: number;
  readonly read: ValueReader;
}

/** The value in `bytes` at register (or bit) `at`; null with the reason where it is none. */
export type ValueReader = (bytes: Buffer, at: number) => Pick<Reading, 'value' | 'quality'>;

/** A whole number in registers: a record number, a pointer. */
export interface MappedCounter extends Item {
  readonly table: RegisterTable;
  /** Where it starts again from 0. */
  readonly modulus: number;
  readonly decode: Decoder;
}

export interface MappedTime extends Item {
  readonly table: RegisterTable;
  /** It counts in seconds: several samples may have one time. */
  readonly isCoarse: boolean;
  /** Epoch ms; undefined where the device shows no valid time. */
  readonly read: (bytes: Buffer, at: number) => number | undefined;
}

/** Timestamp and record number of a self-stamped sample, read as one: they must come from one sample. */
export interface MappedStamp extends Item {
  readonly table: RegisterTable;
  /** Always there where the stream is ordered by time. */
  readonly timestamp?: MappedTime;
  readonly number?: MappedCounter;
  /** Where record numbers order the stream: the tag that the time becomes. */
  readonly timeTag?: string;
}

export function mapTags(tags: readonly TagConfig[]): readonly MappedTag[] {
  // Most are alike, and a reader takes half a kilobyte.
  const readers = new Map<string, ValueReader>();
  return tags.map((tag, position) => {
    const { name, table, address, offset: add, scaleFrom, ...rest } = tag;
    const coding = { ...rest, type: tag.type ?? 'bool', add };
    const width = widthOf(coding.type, coding.length, coding.perRegister);
    if (scaleFrom === undefined) {
      const key = JSON.stringify(coding);
      const read = readers.get(key) ?? compileReader(coding);
      readers.set(key, read);
      return { name, position, table, address, width, read };
    }
    const first = Math.min(address, scaleFrom);
    const end = Math.max(address + width, scaleFrom + 1);
    const read = compileScaled(coding, address - first, scaleFrom - first);
    return { name, position, table, address: first, width: end - first, read };
  });
}

/** Powers of ten that a SunSpec scale factor may say. */
const maxPower = 10;
const noPower = -0x8000;

/** A number, and the register of its power of ten; both at so many registers behind the first. */
function compileScaled(coding: Coding & InvalidCoding, valueAt: number, powerAt: number): ValueReader {
  const { scale = 1, add = 0, ...bare } = coding;
  const readRaw = compileReader({ ...bare, scale: undefined, add: undefined });
  const readPower = compileDecoder({ type: 'int16', order: 'ABCD' });
  return (bytes, at) => {
    const raw = readRaw(bytes, at + valueAt);
    if (raw.quality !== 'good') return raw;
    const power = Number(readPower(bytes, at + powerAt));
    if (power === noPower) return { value: null, quality: 'bad:not-implemented' };
    if (Math.abs(power) > maxPower) return { value: null, quality: 'bad:invalid' };
    // Divided, not multiplied by a tenth, which no binary number is.
    const value = power < 0 ? Number(raw.value) / 10 ** -power : Number(raw.value) * 10 ** power;
    return { value: value * scale + add, quality: 'good' };
  };
}

function compileReader(coding: Coding & InvalidCoding): ValueReader {
  const decode = compileDecoder(coding);
  const check = compileInvalid(coding);
  const noValue: Quality = `bad:${invalidReason(coding.type)}`;
  return (bytes, at) => {
    const value = decode(bytes, at);
    const quality = check?.(bytes, 2 * at) ?? (value === undefined ? noValue : 'good');
    return { value: quality === 'good' ? value! : null, quality };
  };
}

interface Field {
  readonly table: RegisterTable;
  readonly address: number;
  readonly type: ValueType;
  readonly order: ByteOrder;
}

export function mapStamp({
  stamp,
  index,
}: Pick<ModbusSourceConfig, 'stamp' | 'index'>): MappedStamp | undefined {
  if (!stamp) return undefined;
  const timestamp = stamp.timestamp && mapTime(stamp.timestamp);
  const number = stamp.number && mapCounter(stamp.number);
  const places = [timestamp, number].filter((place) => place !== undefined);
  const address = Math.min(...places.map((place) => place.address));
  const end = Math.max(...places.map((place) => place.address + place.width));
  const timeTag = index === 'sequence' ? timeTagOf(stamp) : undefined;
  return {
    table: places[0]!.table,
    address,
    width: end - address,
    ...(timestamp && { timestamp }),
    ...(number && { number }),
    ...(timeTag !== undefined && { timeTag }),
  };
}

function mapTime(field: Field & { readonly unit: TimeUnit }): MappedTime {
  const { table, address, type, order, unit } = field;
  const decode = compileDecoder({ type, order });
  const width = widthOf(type);
  const read = (bytes: Buffer, at: number) =>
    isErased(bytes, at, width) ? undefined : toEpochMs(decode(bytes, at), unit);
  return { table, address, width, isCoarse: unit === 's', read };
}

/** Memory that was never written shows all ones: seconds in 32 bits would make a time in 2106 of them. */
function isErased(bytes: Buffer, at: number, registers: number): boolean {
  const own = bytes.subarray(2 * at, 2 * (at + registers));
  return own.length > 0 && own.every((byte) => byte === 0xff);
}

function mapCounter(field: Field): MappedCounter {
  const { table, address, type, order } = field;
  const width = widthOf(type);
  return { table, address, width, modulus: 2 ** (16 * width), decode: compileDecoder({ type, order }) };
}

/** One record of the event log; places are offsets in registers. */
export interface MappedRecord {
  readonly registers: number;
  readonly timestamp?: MappedTime;
  readonly number?: MappedCounter;
  readonly tags: readonly MappedTag[];
  readonly timeTag?: string;
}

export interface MappedHistory {
  readonly config: HistoryConfig;
  readonly newest: MappedCounter;
  readonly oldest?: MappedCounter;
  readonly record: MappedRecord;
}

export function mapHistory(config: ModbusSourceConfig): MappedHistory | undefined {
  const { history } = config;
  if (!history) return undefined;
  const resolved = resolveLayout(config);
  if (!resolved.ok) throw new Error('a validated configuration has a record layout');
  const { timestamp, number, tags } = resolved.layout;
  const at = <P extends { offset: number }>(placed: P) =>
    ({ ...placed, table: 'holding', address: placed.offset }) as const;
  return {
    config: history,
    newest: mapCounter(history.newest),
    ...(history.oldest ? { oldest: mapCounter(history.oldest) } : {}),
    record: {
      registers: history.recordRegisters,
      ...(timestamp && { timestamp: mapTime(at(timestamp)) }),
      ...(number && { number: mapCounter(at(number)) }),
      tags: tags.map(mapPlacedTag),
      ...(timestamp && config.index === 'sequence' && { timeTag: config.stamp?.timeTag ?? 'time' }),
    },
  };
}

function mapPlacedTag(tag: PlacedTag, position: number): MappedTag {
  const { name, offset: address, type, length, perRegister } = tag;
  const width = widthOf(type, length, perRegister);
  return { name, position, table: 'holding', address, width, read: compileReader(tag) };
}
